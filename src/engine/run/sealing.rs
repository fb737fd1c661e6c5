//! The beginning and the end of a bundle: what was to be done, and on what, before; sums, reports and the verdict after.

use crate::engine::files::power::MODEL;
use crate::engine::run::asked::asked;
use crate::engine::run::context::Run;
use crate::engine::run::share;
use crate::engine::{Finished, House, Library, Look, Options, SOURCE_SHA256, git};
use crate::evidence::attest::{Envelope, MachineKey, Slot, test_result};
use crate::evidence::{Bundle, Journal, Open, Redactor, Sealed, outcome_sha256};
use crate::model::{
    Address, AskedFile, Body, EnvironmentFile, PlanFile, RECORD_TIER, RunRecord, SECRET_FOUND, Scenario,
    ScenarioRecord, ServerFile, States, Verdict, canonical,
};
use crate::registry::Registry;
use crate::target::Pool;
use crate::{Result, check};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PLAN: &str = "plan.json";
const ASKED: &str = "scenarios.json";
const ENVIRONMENT: &str = "environment.json";

/// Writes down what is to be done, and on what, before anything is.
pub(in crate::engine) fn freeze(
    run: &Run,
    library: &Library,
    scenarios: &[Scenario],
    options: &Options,
) -> Result<(PlanFile, EnvironmentFile)> {
    let plan = plan(run, scenarios, options);
    run.bundle.write_json(PLAN, &plan)?;
    run.bundle.write_json(ASKED, &asked(&run.registry, library, scenarios))?;
    let environment = environment(&library.root, &run.house);
    run.bundle.write_json(ENVIRONMENT, &environment)?;
    Ok((plan, environment))
}

/// The same of a real migration, in which nothing is altered.
pub(in crate::engine) fn freeze_record(
    bundle: &Bundle<Open>,
    registry: &Registry,
    root: &Path,
    asked: &AskedFile,
) -> Result<()> {
    let (faults, checks) = catalogue(registry);
    let (tier, scenarios) = (RECORD_TIER.to_owned(), asked.scenarios.keys().cloned().collect());
    bundle.write_json(PLAN, &PlanFile { format: 1, tier, scenarios, faults, checks, ..PlanFile::default() })?;
    bundle.write_json(ASKED, asked)?;
    bundle.write_json(ENVIRONMENT, &machine(root))
}

/// The names of the faults and of the checks that this build knows, sorted.
fn catalogue(registry: &Registry) -> (Vec<String>, Vec<String>) {
    let sorted = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
    let faults = registry.faults.iter().map(|fault| fault.name()).collect();
    (sorted(faults), sorted(registry.checks.iter().map(|check| check.name()).collect()))
}

fn plan(run: &Run, scenarios: &[Scenario], options: &Options) -> PlanFile {
    let texts = |cases: &[Address]| cases.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (faults, checks) = catalogue(&run.registry);
    PlanFile {
        format: 1,
        tier: options.tier.name().to_owned(),
        scenarios: scenarios.iter().map(|scenario| scenario.name.clone()).collect(),
        kinds: options.kinds.clone(),
        only: options.only.as_ref().map(ToString::to_string),
        again: options.again.iter().map(|(scenario, cases)| (scenario.clone(), texts(cases))).collect(),
        budget_ms: options.budget.map(|budget| u64::try_from(budget.as_millis()).unwrap_or(u64::MAX)),
        allow_missing: options.allow_missing.clone(),
        shard: options.shard,
        undivided: options.shard.map_or(Vec::new(), |_| share::undivided(scenarios)),
        faults,
        checks,
    }
}

/// Nothing here is part of the outcome.
fn environment(root: &Path, house: &House) -> EnvironmentFile {
    let mut servers = servers(house);
    let mut altered = vec!["connections of the tool go through a proxy on 127.0.0.1, without TLS".to_owned()];
    altered.extend(house.started().iter().find_map(|(version, _)| house.sites.of(*version).offer().ok()?.altered()));
    altered.extend([
        "where a database is a file, a library is preloaded into the tool, which records and refuses operations"
            .to_owned(),
        format!("what a loss of power may leave follows persistence model {MODEL} of docs/power-loss.md"),
    ]);
    let own = servers.remove(&None);
    EnvironmentFile { postgres: own, other_versions: servers.into_values().collect(), altered, ..machine(root) }
}

/// What is the same whatever runs here.
fn machine(root: &Path) -> EnvironmentFile {
    EnvironmentFile {
        format: 1,
        rehearsal: env!("CARGO_PKG_VERSION").to_owned(),
        source_sha256: SOURCE_SHA256.to_owned(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        checkout: git::checkout(root),
        runner: git::runner(root),
        ..EnvironmentFile::default()
    }
}

/// The servers that were started, by the version that endpoints ask for.
fn servers(house: &House) -> BTreeMap<Option<u32>, ServerFile> {
    let of = |(version, pool): (Option<u32>, Arc<Pool>)| {
        let site = house.sites.of(version);
        let offer = site.offer().ok()?;
        let (provider, server_version) = (offer.provider.to_owned(), pool.cluster().server_version().to_owned());
        Some((version, ServerFile { provider, server_version, sha256: offer.sha256.clone() }))
    };
    house.started().into_iter().filter_map(of).collect()
}

/// Ends a run, and signs it where there is a key.
///
/// `asked`: how many scenarios had to be rehearsed. One that is missing is unknown, and so is none at all.
pub(in crate::engine) fn seal(
    run: Run,
    asked: usize,
    is_shard: bool,
    kept: Vec<Look>,
    key: Option<&MachineKey>,
) -> Result<Finished> {
    let states = run.states();
    let record = run.journal.record();
    let verdict = |scenario: &ScenarioRecord| scenario.verdict.unwrap_or_else(|| check::broken_off_verdict(scenario));
    let finished = record.scenarios.iter().map(verdict);
    let missing = (record.scenarios.len() < asked).then_some(Verdict::Unknown);
    // A part of a run may have no scenario of its own.
    let nothing_to_do = (is_shard && asked == 0).then_some(Verdict::Pass);
    let Run { bundle, journal, redactor, registry, .. } = run;
    let ending = Ending { bundle, journal: &journal, redactor: &redactor, registry: &registry, states: &states };
    let (record, bundle) = ending.end(finished.chain(missing).chain(nothing_to_do), key)?;
    Ok(Finished { record, states, bundle, kept })
}

/// Writes the reports of a run that has ended, seals its bundle, and signs it where there is a key.
///
/// # Errors
/// The environment: a file cannot be written.
pub fn close(
    bundle: Bundle<Open>,
    registry: &Registry,
    record: &RunRecord,
    states: &States,
    key: Option<&MachineKey>,
) -> Result<Bundle<Sealed>> {
    let frozen = [PLAN, ENVIRONMENT].map(|name| std::fs::read(bundle.root().join(name)).unwrap_or_default());
    let told = RunRecord { environment: serde_json::from_slice(&frozen[1]).ok(), ..record.clone() };
    for report in &registry.reports {
        bundle.write(report.file(), &report.render(&told, states))?;
    }
    let sealed = bundle.seal()?;
    if let Some(key) = key {
        let statement = test_result(record, &sealed.root_sha256()?, &frozen[0], &frozen[1]);
        sealed.attach(Slot::TestResult.file(), &canonical::to_file(&Envelope::seal(&statement, key)?)?)?;
    }
    Ok(sealed)
}

/// What a bundle ends with: a run's, or that of the real migration.
pub(in crate::engine) struct Ending<'a> {
    pub(in crate::engine) bundle: Bundle<Open>,
    pub(in crate::engine) journal: &'a Journal,
    pub(in crate::engine) redactor: &'a Redactor,
    pub(in crate::engine) registry: &'a Registry,
    pub(in crate::engine) states: &'a States,
}

impl Ending<'_> {
    /// Writes the last event with the worst of `verdicts`, and closes the bundle; answers with the record and where it is.
    pub(in crate::engine) fn end(
        self,
        verdicts: impl IntoIterator<Item = Verdict>,
        key: Option<&MachineKey>,
    ) -> Result<(RunRecord, PathBuf)> {
        let hidden = self.hide_secrets()?;
        let verdict = Verdict::worst(verdicts.into_iter().chain(hidden));
        let outcome_sha256 = outcome_sha256(&self.journal.record(), self.states);
        self.journal.append(Body::RunFinished { verdict, outcome_sha256 })?;
        let record = self.journal.record();
        let sealed = close(self.bundle, self.registry, &record, self.states, key)?;
        Ok((record, sealed.root().to_owned()))
    }

    /// The third wall: a secret that came through the others is masked, and the run is not conclusive.
    fn hide_secrets(&self) -> Result<Option<Verdict>> {
        let hits = self.bundle.mask_secrets(self.redactor)?;
        for hit in &hits {
            let text = format!("{SECRET_FOUND} in {} at byte {}, and masked", hit.file.display(), hit.offset);
            self.journal.append(Body::Note { case: None, text })?;
        }
        let was_found = self.journal.record().notes.iter().any(|note| note.starts_with(SECRET_FOUND));
        Ok(was_found.then_some(Verdict::Unknown))
    }
}
