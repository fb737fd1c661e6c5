//! A real step, from its first word to a sealed bundle that verifies like any other.

use super::child::{self, Said};
use super::judge::{judged, word};
use super::prepare::{Prepared, read};
use crate::engine::case::step::{read_report, said_of_itself};
use crate::engine::run::sealing::{self, Ending};
use crate::engine::{Finished, Library};
use crate::evidence::attest::MachineKey;
use crate::evidence::{Bundle, CAPTURE_LIMIT, Capture, Journal, Open};
use crate::model::{
    Body, Claims, DatabaseState, Moment, Phase, RECORD_TIER, SECRET_FOUND, ScenarioStart, States, Verdict, canonical,
};
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
    /// Where what the step prints lies until it is masked; it must be gone also when we are killed.
    pub scratch: &'a Path,
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
    record.step(sealing.scratch, interrupt, hear).await?;
    record.claim(began)?;
    let after = read(&real.lives, real.cutover.reads_rows).await?;
    record.probe(&Moment::after(Phase::Plan, &real.step.name), &after)?;
    record.end(registry, sealing.key)
}

impl<'a> Record<'a> {
    fn begin(registry: &Registry, library: &Library, real: &'a Prepared, out: &Path) -> Result<Record<'a>> {
        let bundle = Bundle::create(out)?;
        sealing::freeze_record(&bundle, registry, &library.root, &real.asked)?;
        let journal = Journal::create(&bundle.events(), None)?.redacting(real.redactor.clone());
        let case = format!("{}/record-1", real.scenario.name);
        let mut record = Record { real, bundle, journal, states: States::new(), case: case.clone() };
        let (run, version) = (record.bundle.run().to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        record.journal.append(Body::RunStarted { run, format: 1, version, tier: RECORD_TIER.to_owned() })?;
        record.keep(real.after.values())?;
        record.journal.append(Body::CutoverStarted(real.cutover.clone()))?;
        let (scenario, rehearsed) = (&real.scenario, &real.rehearsed);
        record.journal.append(Body::ScenarioStarted(ScenarioStart {
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            flow: scenario.flow.clone(),
            dataset: rehearsed.dataset.clone(),
            seed: rehearsed.seed,
            dataset_sha256: rehearsed.dataset_sha256.clone(),
            tool_sha256: real.tool_sha256.clone(),
            sources: rehearsed.sources.clone(),
            ..ScenarioStart::default()
        }))?;
        let scenario = scenario.name.clone();
        record.journal.append(Body::CaseStarted { case, scenario, address: None, label: None, token: None })?;
        Ok(record)
    }

    fn probe(&mut self, moment: &Moment, states: &BTreeMap<String, DatabaseState>) -> Result<()> {
        for (endpoint, state) in states {
            let (case, moment, endpoint) = (self.case.clone(), moment.clone(), endpoint.clone());
            let state = self.keep_masked(state)?;
            self.journal.append(Body::Probe { case, moment, endpoint, state })?;
        }
        Ok(())
    }

    /// What is secret in names and definitions stays out; answers with the digest of what is kept.
    fn keep_masked(&mut self, state: &DatabaseState) -> Result<String> {
        let masked = self.real.redactor.masked(state, &canonical::to_file(state)?)?;
        if masked.is_some() {
            let text = format!("{SECRET_FOUND} in what a database held, and masked");
            self.journal.append(Body::Note { case: None, text })?;
        }
        let state = masked.as_ref().unwrap_or(state);
        self.keep(std::iter::once(state))?;
        canonical::sha256(state)
    }

    fn keep<'b>(&mut self, states: impl Iterator<Item = &'b DatabaseState>) -> Result<()> {
        for state in states {
            let digest = canonical::sha256(state)?;
            self.bundle.write_state(&digest, state)?;
            self.states.insert(digest, Arc::new(state.clone()));
        }
        Ok(())
    }

    async fn step(
        &self,
        scratch: &Path,
        interrupt: impl Future<Output = ()>,
        hear: impl FnMut(Said<'_>),
    ) -> Result<()> {
        let step = &self.real.step;
        let (case, phase) = (self.case.clone(), Phase::Plan);
        let (name, argv) = (step.name.clone(), step.argv.clone());
        self.journal.append(Body::StepStarted { case: case.clone(), step: name, role: step.role, phase, argv })?;
        let logs = ["stdout", "stderr"].map(|stream| scratch.join(format!("plan-{}.{stream}", step.name)));
        let spawn = self.real.spawn.clone();
        let (exit, duration_us) = child::run(spawn, [&logs[0], &logs[1]], interrupt, hear).await?;
        let success = exit.code.is_some_and(|code| step.exit.contains(&code));
        let (step, signal, exit_code, timed_out) = (step.name.clone(), exit.signal, exit.code, false);
        let ended = Body::StepFinished { case, step, phase, exit: exit_code, signal, success, timed_out, duration_us };
        self.journal.append(ended)?;
        logs.iter().try_for_each(|log| self.keep_log(log))
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

    /// What the step's report says, if it was written since `began`.
    fn claim(&self, began: SystemTime) -> Result<()> {
        let step = &self.real.step;
        let Claims::Report { report, ok } = &step.claims else { return Ok(()) };
        let path = self.real.spawn.cwd.join(report);
        let written = std::fs::metadata(&path).and_then(|file| file.modified());
        let (ok, note) = match written {
            Ok(written) if written < began => {
                (None, format!("{report} is of {}, before the step", clock::utc(written)))
            }
            _ => said_of_itself(&read_report(&path, report), report, ok),
        };
        let (case, name, phase) = (self.case.clone(), step.name.clone(), Phase::Plan);
        self.journal.append(Body::Claim { case, step: name, phase, ok, note })
    }

    fn end(self, registry: &Registry, key: Option<&MachineKey>) -> Result<Finished> {
        let record = self.journal.record();
        let Some((scenario, case)) = record.cases().next() else { return Err(Error::bug("a record without a case")) };
        let checks = judged(&self.real.cutover, &scenario.sources, case, &self.states);
        let (outcome, verdict) = (word(&checks), Verdict::worst(checks.iter().map(|check| check.verdict)));
        self.journal.append(Body::CaseFinished { case: self.case.clone(), outcome, checks, error: None })?;
        let scenario = self.real.scenario.name.clone();
        self.journal.append(Body::ScenarioFinished { scenario, verdict, why: String::new() })?;
        let Record { bundle, journal, states, real, .. } = self;
        let ending = Ending { bundle, journal: &journal, redactor: &real.redactor, registry, states: &states };
        let (record, bundle) = ending.end([verdict], key)?;
        Ok(Finished { record, states, bundle, kept: Vec::new() })
    }
}
