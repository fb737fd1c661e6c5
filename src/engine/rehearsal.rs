//! A run: scenarios in; a sealed bundle, a record and a verdict out.

use crate::engine::context::Run;
use crate::engine::points::Tier;
use crate::engine::{House, Library, Missing, missing, planning, scenario};
use crate::evidence::{self, Bundle, Journal, Observer};
use crate::model::{Address, Body, FaultSpec, RunRecord, Scenario, States, Verdict};
use crate::process::Executable;
use crate::registry::Registry;
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::Mutex;

/// How to rehearse.
#[derive(Debug, Clone)]
pub struct Options {
    /// How thoroughly.
    pub tier: Tier,
    /// Cases at a time.
    pub jobs: usize,
    /// Where bundles go.
    pub out: PathBuf,
    /// Only faults of these kinds; empty: all.
    pub kinds: Vec<String>,
    /// Only this point: a replay.
    pub only: Option<Address>,
    /// Golden runs and points, no injured case.
    pub plan_only: bool,
    /// What may be missing without making the run inconclusive.
    pub allow_missing: Vec<String>,
}

impl Options {
    /// The quick tier, a case per core at a time, bundles under `target/rehearsal`.
    pub fn quick() -> Options {
        Options {
            tier: Tier::Quick,
            jobs: std::thread::available_parallelism().map_or(2, usize::from),
            out: PathBuf::from("target/rehearsal"),
            kinds: Vec::new(),
            only: None,
            plan_only: false,
            allow_missing: Vec::new(),
        }
    }

    /// Whether a fault of a scenario is to be visited.
    pub(super) fn wants(&self, fault: &FaultSpec) -> bool {
        let is_only = self.only.as_ref().is_none_or(|address| address.first().kind == fault.kind);
        is_only && (self.kinds.is_empty() || self.kinds.contains(&fault.kind))
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
}

impl Finished {
    /// The worst of everything; unknown if the run was cut off.
    pub fn verdict(&self) -> Verdict {
        self.record.verdict.unwrap_or(Verdict::Unknown)
    }
}

/// A rehearsal that is being set up.
///
/// ```no_run
/// # async fn example() -> rehearsal::Result<()> {
/// use rehearsal::engine::{Library, Options, Rehearsal};
/// use rehearsal::{process::Executable, registry::Registry};
///
/// let rehearsal = Rehearsal::open(Registry::builtin(), Executable::find()?, Options::quick())?;
/// let here = std::env::current_dir().expect("there is a working directory");
/// let library = Library::find(&here, rehearsal.dir())?;
/// let entries = library.select(&rehearsal.registry().known(), &["one-db".to_owned()])?;
/// let scenarios: Vec<_> = entries.into_iter().filter_map(|entry| entry.scenario.ok()).collect();
/// let finished = rehearsal.run(&library, &scenarios).await?;
/// println!("{}", finished.verdict().headline());
/// # Ok(())
/// # }
/// ```
pub struct Rehearsal {
    registry: Registry,
    house: House,
    options: Options,
    observer: Option<Observer>,
}

impl Rehearsal {
    /// Opens a session; nothing runs yet.
    ///
    /// # Errors
    /// The base directory cannot be used.
    pub fn open(registry: Registry, executable: Executable, options: Options) -> Result<Rehearsal> {
        Ok(Rehearsal { registry, house: House::open(executable)?, options, observer: None })
    }

    /// Somebody who sees each event once it is on file.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Rehearsal {
        self.observer = Some(observer);
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

    /// Rehearses `scenarios`, one after the other, and seals the bundle.
    ///
    /// # Errors
    /// The bundle cannot be made or written. Trouble of one scenario is in the record and makes it unknown.
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
        let bundle = Bundle::create(&self.options.out)?;
        let journal = Journal::create(&bundle.events(), self.observer)?;
        let run = Run { registry: self.registry, house: self.house, bundle, journal, states: Mutex::default() };
        run.journal.append(Body::RunStarted {
            run: run.bundle.run().to_owned(),
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tier: self.options.tier.name().to_owned(),
        })?;
        let all = async {
            let mut asked = 0;
            for scenario in scenarios {
                asked += usize::from(rehearse_or_say_why(&run, library, scenario, &self.options).await?);
            }
            Ok::<usize, Error>(asked)
        };
        let asked = tokio::select! {
            asked = all => asked?,
            () = interrupt => {
                run.journal.append(Body::Note { case: None, text: "interrupted; the rest was not rehearsed".into() })?;
                scenarios.len()
            }
        };
        seal(run, asked)
    }
}

/// Trouble ends the scenario, not the run. Answers whether the scenario counts: one that was allowed to be left out
/// does not.
async fn rehearse_or_say_why(run: &Run, library: &Library, scenario: &Scenario, options: &Options) -> Result<bool> {
    let absent = absent(run, library, scenario);
    let (allowed, absent): (Vec<_>, Vec<_>) =
        absent.into_iter().partition(|absent| options.allow_missing.contains(&absent.what));
    let result = match (allowed.first(), absent.first()) {
        (_, Some(absent)) => Err(absent.clone().into()),
        (Some(allowed), None) => {
            let text = format!("{} was left out, as allowed: no {}", scenario.name, allowed.what);
            run.journal.append(Body::Note { case: None, text })?;
            return Ok(false);
        }
        (None, None) => scenario::rehearse(run, library, scenario, options).await,
    };
    if let Err(error) = result {
        let (scenario, why) = (scenario.name.clone(), error.to_string());
        run.journal.append(Body::ScenarioFinished { scenario, verdict: Verdict::Unknown, why })?;
    }
    Ok(true)
}

/// What the scenario needs and this machine has not; a scenario that is wrong says so when it is rehearsed.
fn absent(run: &Run, library: &Library, scenario: &Scenario) -> Vec<Missing> {
    let plan = planning::plan(&run.registry, library, scenario);
    plan.map(|plan| missing(&plan, &scenario.needs)).unwrap_or_default()
}

/// `asked`: how many scenarios had to be rehearsed. One that is missing is unknown, and so is none at all.
fn seal(run: Run, asked: usize) -> Result<Finished> {
    let states = run.states();
    let record = run.journal.record();
    let finished = record.scenarios.iter().map(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown));
    let missing = (record.scenarios.len() < asked).then_some(Verdict::Unknown);
    let verdict = Verdict::worst(finished.chain(missing));
    let outcome_sha256 = evidence::outcome_sha256(&record, &states);
    run.journal.append(Body::RunFinished { verdict, outcome_sha256 })?;
    let record = run.journal.record();
    run.bundle.write_json("environment.json", &environment(&run))?;
    for report in &run.registry.reports {
        run.bundle.write(report.file(), &report.render(&record, &states))?;
    }
    let bundle = run.bundle.root().to_owned();
    run.bundle.seal()?;
    Ok(Finished { record, states, bundle })
}

/// On what it ran: nothing here is part of the outcome.
fn environment(run: &Run) -> serde_json::Value {
    let server = run.house.cluster();
    serde_json::json!({
        "rehearsal": env!("CARGO_PKG_VERSION"),
        "source_sha256": super::SOURCE_SHA256,
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "postgres": server.map(|server| server.server_version().to_owned()),
        "postgres_provider": server.map(|_| "local"),
        "altered": ["connections of the tool go through a proxy on 127.0.0.1, without TLS",
                    "the server runs with fsync=off, full_page_writes=off, autovacuum=off"],
    })
}
