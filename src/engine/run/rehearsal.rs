//! A run: scenarios in; a sealed bundle, a record and a verdict out.

use crate::engine::observe::same::Same;
use crate::engine::observe::seen::Uses;
use crate::engine::observe::untouched::Known;
use crate::engine::points::Tier;
use crate::engine::points::select::{Again, Hunt};
use crate::engine::run::context::Run;
use crate::engine::run::criteria;
use crate::engine::run::goldens::Goldens;
use crate::engine::run::keep::Keeper;
use crate::engine::run::planning;
use crate::engine::run::scenario;
use crate::engine::run::sealing;
use crate::engine::run::share;
use crate::engine::run::turns::Turns;
use crate::engine::{House, Keep, Library, Look, Missing, Pause, missing};
use crate::evidence::attest::MachineKey;
use crate::evidence::{Bundle, Journal, Observer, Redactor};
use crate::model::{Baseline, Body, FaultSpec, Omitted, RunRecord, Scenario, Shard, States, Token, Verdict};
use crate::process::Executable;
use crate::registry::Registry;
use crate::target::{Base, Provider, Sites, Wanted};
use crate::{Error, Result, check};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

/// How to rehearse.
#[derive(Debug, Clone)]
pub struct Options {
    /// How thoroughly.
    pub tier: Tier,
    /// Cases at a time, over all scenarios.
    pub jobs: usize,
    /// No case begins later than this after the start; nothing: all do.
    pub budget: Option<Duration>,
    /// Where bundles go; nothing: `target/rehearsal` in the root of the library.
    pub out: Option<PathBuf>,
    /// Only faults of these kinds; empty: all.
    pub kinds: Vec<String>,
    /// Only this case: a replay. With the same tool, other statements than it records make it DIVERGED.
    pub only: Option<Token>,
    /// Of these scenarios only these cases; empty: all.
    pub again: Again,
    /// Only this part of the cases; nothing: all.
    pub shard: Option<Shard>,
    /// The run that this one is compared with in reports.
    pub baseline: Option<Baseline>,
    /// Only where this failure may have gone on other data.
    pub hunt: Option<Hunt>,
    /// Golden runs and points, no injured case.
    pub plan_only: bool,
    /// Which cases keep their databases after the run.
    pub keep: Keep,
    /// What may be missing without making the run inconclusive.
    pub allow_missing: Vec<String>,
    /// Which Postgres server.
    pub server: Wanted,
}

impl Options {
    /// The quick tier, a case per core and two more at a time (each waits now and then), bundles in the library's root.
    pub fn quick() -> Options {
        Options {
            tier: Tier::Quick,
            // A case of one-db holds some twenty of the server's 400 connections.
            jobs: (std::thread::available_parallelism().map_or(2, usize::from) + 2).min(16),
            budget: None,
            out: None,
            kinds: Vec::new(),
            only: None,
            again: Again::new(),
            shard: None,
            baseline: None,
            hunt: None,
            plan_only: false,
            keep: Keep::None,
            allow_missing: Vec::new(),
            server: Wanted::default(),
        }
    }

    /// Whether somebody names the cases, and no others are wanted.
    pub(in crate::engine) fn is_narrowed(&self) -> bool {
        self.only.is_some() || self.hunt.is_some() || !self.again.is_empty()
    }

    /// Whether a fault of a scenario is to be visited.
    pub(in crate::engine) fn wants(&self, fault: &FaultSpec) -> bool {
        let is_only = self.only.as_ref().is_none_or(|token| fault.may_have(&token.address));
        let is_hunted = self.hunt.as_ref().is_none_or(|hunt| {
            let point = hunt.point();
            point.kind == fault.kind && point.arg == fault.arg
        });
        is_only && is_hunted && (self.kinds.is_empty() || self.kinds.contains(&fault.kind))
    }
}

/// What is left of a run.
#[derive(Debug)]
pub struct Finished {
    /// Everything that was observed.
    pub record: RunRecord,
    /// The states that probes name.
    pub states: States,
    /// The bundle.
    pub bundle: PathBuf,
    /// How to look into what was kept.
    pub kept: Vec<Look>,
}

impl Finished {
    /// The worst of everything; unknown if the run was cut off.
    pub fn verdict(&self) -> Verdict {
        self.record.verdict.unwrap_or(Verdict::Unknown)
    }
}

/// A rehearsal that is being set up.
pub struct Rehearsal {
    registry: Registry,
    house: House,
    options: Options,
    observer: Option<Observer>,
    pause: Option<Pause>,
    key: Option<MachineKey>,
}

impl Rehearsal {
    /// Opens a session; nothing runs yet.
    ///
    /// # Errors
    /// The base directory cannot be used. Something is to be kept where nothing is.
    pub fn open(registry: Registry, executable: Executable, options: Options) -> Result<Rehearsal> {
        if options.keep != Keep::None && matches!(options.server.provider, Provider::Docker | Provider::Remote(_)) {
            return Err(Error::usage("--keep: nothing is left in a container or on somebody's server; use --pg local"));
        }
        let house = House::open(executable, Sites::new(Base::find(), options.server.clone()))?;
        Ok(Rehearsal { registry, house, options, observer: None, pause: None, key: None })
    }

    /// Somebody who sees each event once it is on file.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Rehearsal {
        self.observer = Some(observer);
        self
    }

    /// Stops where a fault has struck until `pause` resolves.
    #[must_use]
    pub fn paused_by(mut self, pause: Pause) -> Rehearsal {
        self.pause = Some(pause);
        self
    }

    /// Signs what is sealed.
    #[must_use]
    pub fn signed_by(mut self, key: MachineKey) -> Rehearsal {
        self.key = Some(key);
        self
    }

    /// Only these cases of the scenarios.
    #[must_use]
    pub fn of_cases(mut self, again: Again) -> Rehearsal {
        self.options.again = again;
        self
    }

    /// What is built in and added.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A directory that ends with the run.
    pub fn dir(&self) -> &std::path::Path {
        self.house.dir()
    }

    /// Whether a server would have to be fetched for these scenarios, which takes a while: its version.
    pub fn would_fetch(&self, library: &Library, scenarios: &[Scenario]) -> Option<&'static str> {
        self.house.sites.would_fetch(&versions(&self.registry, library, scenarios))
    }

    /// Rehearses `scenarios`, several side by side, and seals the bundle.
    ///
    /// # Errors
    /// The bundle cannot be made or written; the command line asks for what cannot be shared. Trouble of one scenario is in the record and makes it unknown.
    pub async fn run(self, library: &Library, scenarios: &[Scenario]) -> Result<Finished> {
        self.run_until(library, scenarios, std::future::pending()).await
    }

    /// As [`Rehearsal::run`], and stops when `interrupt` resolves: children end, what was seen is sealed, and what was
    /// not is unknown.
    ///
    /// # Errors
    /// As [`Rehearsal::run`].
    pub async fn run_until(
        self,
        library: &Library,
        scenarios: &[Scenario],
        interrupt: impl Future<Output = ()>,
    ) -> Result<Finished> {
        share::can_be_shared(&self.options, scenarios)?;
        let out = match (&self.options.out, self.options.plan_only) {
            (_, true) => self.house.dir().join("plan"), // a plan is no evidence
            (Some(out), false) => out.clone(),
            (None, false) => library.root.join("target/rehearsal"),
        };
        let bundle = Bundle::create(&out)?;
        start_servers(&self.registry, &self.house, library, scenarios).await;
        let redactor = redactor(&self.house, scenarios);
        let journal = Journal::create(&bundle.events(), self.observer)?.redacting(redactor.clone());
        let states = Mutex::default();
        let turns = Turns::new(self.options.jobs, self.options.budget);
        let (house, keeper) = (self.house, Keeper::new(self.options.keep));
        let run = Run {
            registry: self.registry,
            house,
            bundle,
            journal,
            redactor,
            states,
            known: Known::default(),
            uses: Uses::default(),
            diff_key: crate::target::random()?,
            turns,
            same: Same::default(),
            goldens: Goldens::of(scenarios),
            is_hunt: self.options.hunt.is_some(),
            keeper,
            pause: self.pause,
        };
        let (plan, environment) = sealing::freeze(&run, library, scenarios, &self.options)?;
        let is_own = |scenario: &&Scenario| plan.own_scenarios().contains(&scenario.name.as_str());
        let own: Vec<&Scenario> = scenarios.iter().filter(is_own).collect();
        run.journal.append(Body::RunStarted {
            run: run.bundle.run().to_owned(),
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tier: self.options.tier.name().to_owned(),
        })?;
        run.journal.append(Body::Criteria(criteria::of_every_run()?))?;
        if let Some(baseline) = &self.options.baseline {
            run.journal.append(Body::Baseline(baseline.clone().seen_from(&environment)))?;
        }
        let each = own.iter().map(|scenario| rehearse_or_say_why(&run, library, scenario, &self.options));
        let all = iter(each)
            .buffer_unordered(run.turns.places())
            .try_fold(0, async |asked, counts| Ok::<usize, Error>(asked + usize::from(counts)));
        let asked = tokio::select! {
            asked = all => asked?,
            () = interrupt => {
                run.journal.append(Body::RunInterrupted {})?;
                own.len()
            }
        };
        let kept = run.keeper.settle(&run).await?;
        sealing::seal(run, asked, self.options.shard.is_some(), kept, self.key.as_ref())
    }
}

/// Starts the servers before anything is written, for their passwords must never be; trouble is each scenario's own.
async fn start_servers(registry: &Registry, house: &House, library: &Library, scenarios: &[Scenario]) {
    for version in versions(registry, library, scenarios) {
        let _ = house.postgres(version).await;
    }
}

/// The versions of Postgres that endpoints ask for; nothing stands for whatever the run has.
fn versions(registry: &Registry, library: &Library, scenarios: &[Scenario]) -> BTreeSet<Option<u32>> {
    let plans = scenarios.iter().filter_map(|scenario| planning::plan(registry, library, scenario).ok());
    plans.flat_map(|plan| plan.versions()).collect()
}

/// The passwords of the run, and what the caller passes on to steps.
fn redactor(house: &House, scenarios: &[Scenario]) -> Redactor {
    let passwords = house.started().into_iter().flat_map(|(_, pool)| pool.cluster().secrets());
    let passed_on = scenarios.iter().flat_map(|scenario| &scenario.steps).flat_map(|step| &step.env_from);
    Redactor::new(passwords.chain(passed_on.filter_map(|name| std::env::var(name).ok())))
}

/// Trouble ends the scenario, not the run. Answers whether the scenario counts: one that was allowed to be left out
/// does not.
async fn rehearse_or_say_why(run: &Run, library: &Library, scenario: &Scenario, options: &Options) -> Result<bool> {
    let absent = absent(run, library, scenario);
    let (allowed, absent): (Vec<_>, Vec<_>) =
        absent.into_iter().partition(|absent| options.allow_missing.contains(&absent.what));
    let leaves_out = allowed.iter().find(|allowed| allowed.is_essential);
    let result = match (leaves_out, absent.first()) {
        (_, Some(absent)) => Err(absent.clone().into()),
        (Some(allowed), None) => {
            let (scenario, missing) = (scenario.name.clone(), allowed.what.clone());
            run.journal.append(Body::ScenarioOmitted(Omitted { scenario, missing }))?;
            return Ok(false);
        }
        (None, None) if run.turns.is_over() => {
            Err(Error::environment("the budget was over before it began; give more time, or name fewer scenarios"))
        }
        // On the heap: unoptimised, what all of it is in the middle of does not fit on the stack of a thread.
        (None, None) => Box::pin(scenario::rehearse(run, library, scenario, options)).await,
    };
    if let Err(error) = result {
        let (scenario, why) = (scenario.name.clone(), error.to_string());
        let verdict =
            run.journal.of_scenario(&scenario, |begun| begun.map_or(Verdict::Unknown, check::broken_off_verdict));
        run.journal.append(Body::ScenarioFinished { scenario, verdict, why })?;
    }
    Ok(true)
}

/// What the scenario needs and this machine has not; a scenario that is wrong says so when it is rehearsed.
fn absent(run: &Run, library: &Library, scenario: &Scenario) -> Vec<Missing> {
    let plan = planning::plan(&run.registry, library, scenario);
    plan.map(|plan| missing(&run.registry, &plan, scenario, &run.house.sites)).unwrap_or_default()
}
