//! A real step, from its first word to a sealed bundle that verifies like any other.

use super::child::{self, Said};
use super::prepare::{Prepared, read};
use super::schema;
use crate::engine::case::step::said_of_itself;
use crate::engine::run::sealing::{self, Ending};
use crate::engine::{Finished, Library};
use crate::evidence::attest::MachineKey;
use crate::evidence::{Bundle, CAPTURE_LIMIT, Capture, Journal, Open};
use crate::model::{
    Body, CheckResult, Claims, DatabaseState, Difference, Finding, MAX_FINDINGS, Moment, Outcome, Phase, RECORD_TIER,
    States, Verdict, canonical,
};
use crate::process::Exit;
use crate::registry::Registry;
use crate::{Error, Result, clock};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Where the record goes, and who signs it.
pub struct Sealing<'a> {
    /// The folder that it is made in.
    pub out: PathBuf,
    /// The key of the machine, if it has one.
    pub key: Option<&'a MachineKey>,
}

struct Record<'a> {
    real: &'a Prepared,
    bundle: Bundle<Open>,
    journal: Journal,
    states: States,
    case: String,
}

/// Runs the step, whatever has drifted: the caller has looked at that. The verdict is red where it did not end as its
/// rehearsal did.
///
/// # Errors
/// The environment: it cannot be started, a database cannot be read, or the bundle cannot be written. What was written
/// stays, and verifies as incomplete.
pub async fn record(
    registry: &Registry,
    library: &Library,
    real: &Prepared,
    sealing: Sealing<'_>,
    interrupt: impl Future<Output = ()>,
    hear: impl FnMut(Said<'_>),
) -> Result<Finished> {
    let mut record = Record::begin(registry, library, real, &sealing.out)?;
    record.probe(&Moment::Start, &real.before)?;
    let journal = record.bundle.events();
    let began = std::fs::metadata(&journal).and_then(|file| file.modified());
    let began = began.map_err(|error| Error::io("read", &journal, error))?;
    let exit = record.step(interrupt, hear).await?;
    let claim = record.claim(began)?;
    let after = read(&real.lives, real.cutover.reads_rows).await?;
    record.probe(&Moment::after(Phase::Plan, &real.step.name), &after)?;
    record.end(registry, &judged(real, exit, claim, &after), sealing.key)
}

impl<'a> Record<'a> {
    fn begin(registry: &Registry, library: &Library, real: &'a Prepared, out: &Path) -> Result<Record<'a>> {
        let bundle = Bundle::create(out)?;
        sealing::freeze_record(&bundle, registry, &library.root, &real.asked)?;
        let journal = Journal::create(&bundle.events(), None)?.redacting(real.redactor.clone());
        let case = format!("{}/record-1", real.scenario.name);
        let record = Record { real, bundle, journal, states: States::new(), case: case.clone() };
        let (run, version) = (record.bundle.run().to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        record.journal.append(Body::RunStarted { run, format: 1, version, tier: RECORD_TIER.to_owned() })?;
        record.journal.append(Body::CutoverStarted(real.cutover.clone()))?;
        let (scenario, rehearsed) = (&real.scenario, &real.rehearsed);
        record.journal.append(Body::ScenarioStarted {
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            flow: scenario.flow.clone(),
            dataset: rehearsed.dataset.clone(),
            seed: rehearsed.seed,
            dataset_sha256: rehearsed.dataset_sha256.clone(),
            tool_sha256: real.tool_sha256.clone(),
            sources: rehearsed.sources.clone(),
            expect: None,
        })?;
        let scenario = scenario.name.clone();
        record.journal.append(Body::CaseStarted { case, scenario, address: None, label: None, token: None })?;
        Ok(record)
    }

    fn probe(&mut self, moment: &Moment, states: &BTreeMap<String, DatabaseState>) -> Result<()> {
        for (endpoint, state) in states {
            let digest = canonical::sha256(state)?;
            self.bundle.write_state(&digest, state)?;
            self.states.insert(digest.clone(), Arc::new(state.clone()));
            let (case, moment, endpoint) = (self.case.clone(), moment.clone(), endpoint.clone());
            self.journal.append(Body::Probe { case, moment, endpoint, state: digest })?;
        }
        Ok(())
    }

    async fn step(&self, interrupt: impl Future<Output = ()>, hear: impl FnMut(Said<'_>)) -> Result<Exit> {
        let step = &self.real.step;
        let (case, phase) = (self.case.clone(), Phase::Plan);
        let (name, argv) = (step.name.clone(), step.argv.clone());
        self.journal.append(Body::StepStarted { case: case.clone(), step: name, role: step.role, phase, argv })?;
        let folder =
            tempfile::tempdir().map_err(|error| Error::io("create a folder in", &std::env::temp_dir(), error))?;
        let logs = ["stdout", "stderr"].map(|stream| folder.path().join(format!("plan-{}.{stream}", step.name)));
        let spawn = self.real.spawn.clone();
        let (exit, duration_us) = child::run(spawn, [&logs[0], &logs[1]], interrupt, hear).await?;
        let success = exit.code.is_some_and(|code| step.exit.contains(&code));
        let (step, signal, exit_code, timed_out) = (step.name.clone(), exit.signal, exit.code, false);
        let ended = Body::StepFinished { case, step, phase, exit: exit_code, signal, success, timed_out, duration_us };
        self.journal.append(ended)?;
        logs.iter().try_for_each(|log| self.keep_log(log))?;
        Ok(exit)
    }

    fn keep_log(&self, path: &Path) -> Result<()> {
        let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut capture = Capture::new(CAPTURE_LIMIT);
        capture.push(&self.real.redactor.mask(&bytes));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.bundle.write(&format!("cases/{}/{name}.log", self.case), &capture.finish().bytes)
    }

    /// What the step's report says, if it was written since `began`; nothing where it makes no claim.
    fn claim(&self, began: SystemTime) -> Result<Option<bool>> {
        let step = &self.real.step;
        let Claims::Report { report, ok } = &step.claims else { return Ok(None) };
        let path = self.real.spawn.cwd.join(report);
        let written = std::fs::metadata(&path).and_then(|file| file.modified());
        let (ok, note) = match written {
            Ok(written) if written < began => {
                (None, format!("{report} is of {}, before the step", clock::utc(written)))
            }
            _ => said_of_itself(&path, report, ok),
        };
        let (case, name, phase) = (self.case.clone(), step.name.clone(), Phase::Plan);
        self.journal.append(Body::Claim { case, step: name, phase, ok, note })?;
        Ok(Some(ok == Some(true)))
    }

    fn end(self, registry: &Registry, judged: &[CheckResult], key: Option<&MachineKey>) -> Result<Finished> {
        let is_red = |name: &str| judged.iter().any(|check| check.check == name && check.verdict == Verdict::Fail);
        let outcome = match () {
            () if is_red(ENDED) => Outcome::Stuck,
            () if is_red(SOURCES) => Outcome::SourceTouched,
            () if is_red(SCHEMA) || is_red(CLAIM) => Outcome::Lied,
            () => Outcome::Pass,
        };
        let checks = judged.to_vec();
        self.journal.append(Body::CaseFinished { case: self.case.clone(), outcome, checks, error: None })?;
        let verdict = Verdict::worst(judged.iter().map(|check| check.verdict).chain([outcome.verdict()]));
        let scenario = self.real.scenario.name.clone();
        self.journal.append(Body::ScenarioFinished { scenario, verdict, why: String::new() })?;
        let Record { bundle, journal, states, real, .. } = self;
        let ending = Ending { bundle, journal: &journal, redactor: &real.redactor, registry, states: &states };
        let (record, bundle) = ending.end([verdict], key)?;
        Ok(Finished { record, states, bundle, kept: Vec::new() })
    }
}

const ENDED: &str = "ended-as-rehearsed";
const CLAIM: &str = "claim-matches-observation";
const SCHEMA: &str = "schema-as-rehearsed";
const SOURCES: &str = "sources-unchanged";

/// What speaks against the step, by check.
fn judged(
    real: &Prepared,
    exit: Exit,
    claim: Option<bool>,
    after: &BTreeMap<String, DatabaseState>,
) -> Vec<CheckResult> {
    let of = |object: &str, expected: String, found: String| Difference { object: object.to_owned(), expected, found };
    let success = exit.code.is_some_and(|code| real.step.exit.contains(&code));
    let ended = (!success).then(|| of("how it ended", format!("exit {:?}", real.step.exit), exit.to_string()));
    let claims = claim.filter(|ok| *ok != success).map(|ok| of("its report", said(success), said(ok)));
    let schema = real.after.iter().flat_map(|(endpoint, expected)| {
        let found = after.get(endpoint).cloned().unwrap_or_default();
        schema::differences(endpoint, expected, &found)
    });
    let sources = real.rehearsed.sources.iter().flat_map(|endpoint| {
        let before = real.before.get(endpoint).cloned().unwrap_or_default();
        let found = after.get(endpoint).map(|after| after.differences(&before)).unwrap_or_default();
        found.into_iter().map(move |found| Difference { object: format!("{endpoint}: {}", found.object), ..found })
    });
    vec![
        answer(ENDED, ended.into_iter().collect()),
        answer(CLAIM, claims.into_iter().collect()),
        answer(SCHEMA, schema.collect()),
        answer(SOURCES, sources.collect()),
    ]
}

fn said(ok: bool) -> String {
    if ok { "that all is well" } else { "that it failed, or nothing" }.to_owned()
}

fn answer(check: &str, found: Vec<Difference>) -> CheckResult {
    let verdict = if found.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let findings_total = found.len() as u64;
    let finding = |difference| Finding { place: "after the step".to_owned(), difference };
    let findings = found.into_iter().take(MAX_FINDINGS).map(finding).collect();
    CheckResult { check: check.to_owned(), verdict, findings, findings_total }
}
