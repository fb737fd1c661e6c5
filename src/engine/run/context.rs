//! What a run writes to, and what a scenario knows of itself.

use crate::dataset::Dataset;
use crate::engine::House;
use crate::engine::case::pause::Pause;
use crate::engine::observe::same::Same;
use crate::engine::observe::seen::Uses;
use crate::engine::observe::untouched::Known;
use crate::engine::run::goldens::Goldens;
use crate::engine::run::keep::Keeper;
use crate::engine::run::turns::Turns;
use crate::evidence::{Bundle, Journal, Open, Redactor};
use crate::fault::{Fault, Hazard};
use crate::model::{
    Body, CaseEvents, CheckResult, Classification, Criterion, DatabaseState, FaultSpec, History, Outcome, Plan,
    SECRET_FOUND, Scenario, States, Verdict, canonical,
};
use crate::registry::Registry;
use crate::{Error, Result, check};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One run: where everything that is observed goes.
pub(in crate::engine) struct Run {
    pub(in crate::engine) registry: Registry,
    pub(in crate::engine) house: House,
    pub(in crate::engine) bundle: Bundle<Open>,
    pub(in crate::engine) journal: Journal,
    pub(in crate::engine) redactor: Redactor,
    pub(in crate::engine) states: Mutex<States>,
    pub(in crate::engine) known: Known,
    pub(in crate::engine) uses: Uses,
    /// Files that were read already.
    pub(in crate::engine) same: Same,
    pub(in crate::engine) turns: Turns,
    pub(in crate::engine) goldens: Goldens,
    /// Whether a failure is being looked for, and not judged.
    pub(in crate::engine) is_hunt: bool,
    pub(in crate::engine) keeper: Keeper,
    pub(in crate::engine) pause: Option<Pause>,
    /// Of digests of values that may not be shown; never written down.
    pub(in crate::engine) diff_key: [u8; 32],
}

impl Run {
    /// Keeps a state, once, and returns its digest. A secret in its names and definitions is masked before: the digest is
    /// that of what is written down.
    pub(in crate::engine) fn keep(&self, state: DatabaseState) -> Result<String> {
        let bytes = canonical::to_file(&state)?;
        let digest = canonical::sha256_hex(&bytes);
        if self.has(&digest) {
            return Ok(digest);
        }
        let Some(masked) = self.redactor.masked(&state, &bytes)? else { return self.keep_as(digest, state) };
        let digest = canonical::sha256(&masked)?;
        if !self.has(&digest) {
            let text = format!("{SECRET_FOUND} in what a database held, states/{digest}.json, and masked");
            self.journal.append(Body::Note { case: None, text })?;
        }
        self.keep_as(digest, masked)
    }

    fn has(&self, digest: &str) -> bool {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).contains_key(digest)
    }

    fn keep_as(&self, digest: String, state: DatabaseState) -> Result<String> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if !states.contains_key(&digest) {
            self.bundle.write_state(&digest, &state)?;
            states.insert(digest.clone(), Arc::new(state));
        }
        Ok(digest)
    }

    /// All states so far; cheap, they are shared.
    pub(in crate::engine) fn states(&self) -> States {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A scenario that is being rehearsed.
pub(in crate::engine) struct Rehearsed<'a> {
    pub(in crate::engine) run: &'a Run,
    pub(in crate::engine) scenario: &'a Scenario,
    pub(in crate::engine) plan: &'a Plan,
    /// What its runbook demands.
    pub(in crate::engine) criteria: Vec<Criterion>,
    pub(in crate::engine) dataset: &'a Dataset,
    /// The folder of the dataset, for `{dataset}`.
    pub(in crate::engine) dataset_dir: PathBuf,
    /// The folder of fixtures that it lies in, for `{fixtures}`.
    pub(in crate::engine) fixtures_dir: PathBuf,
    /// The root of the repository, for `{root}`.
    pub(in crate::engine) root: PathBuf,
    /// The bound of each step, once the golden run is known.
    pub(in crate::engine) bounds: BTreeMap<String, Duration>,
    /// Steps that cases leave out where everything is as in the golden run.
    pub(in crate::engine) idle: BTreeSet<String>,
}

impl Rehearsed<'_> {
    /// A kind of fault by its name, which was looked up when the scenario was read.
    pub(in crate::engine) fn kind(&self, name: &str) -> Result<&'static dyn Fault> {
        self.run.registry.fault(name).ok_or_else(|| Error::bug(format!("no fault `{name}`")))
    }

    /// Whether a fault of the scenario, or of one with the same golden runs, is a loss of power during this step.
    pub(in crate::engine) fn loses_power(&self, step: &str) -> bool {
        let loses = |fault: &FaultSpec| self.run.registry.fault(&fault.kind).is_some_and(loses_power);
        self.run.goldens.faults(self.scenario).iter().any(|fault| fault.during == step && loses(fault))
    }

    /// Whether values of rows may stand in evidence.
    pub(in crate::engine) fn may_show_rows(&self) -> bool {
        self.dataset.classification == Classification::Synthetic
    }
}

/// Whether a kind is a loss of power.
pub(in crate::engine) fn loses_power(kind: &dyn Fault) -> bool {
    kind.hazard(None) == Ok(Hazard::LosePower)
}

/// How the harness came to the end of a case.
pub(in crate::engine) enum Ending {
    Finished,
    /// The tool left the path that the replay is of.
    Diverged,
    /// It could not go on.
    Trouble(String),
}

/// The events of one case: each goes to the journal first.
pub(in crate::engine) struct CaseLog<'a> {
    run: &'a Run,
    pub(in crate::engine) events: CaseEvents,
}

impl<'a> CaseLog<'a> {
    pub(in crate::engine) fn new(run: &'a Run, case: String) -> CaseLog<'a> {
        CaseLog { run, events: CaseEvents { case, ..CaseEvents::default() } }
    }

    /// The name of the case.
    pub(in crate::engine) fn case(&self) -> String {
        self.events.case.clone()
    }

    pub(in crate::engine) fn record(&mut self, body: Body) -> Result<()> {
        self.run.journal.append(body.clone())?;
        self.events.events.push(body);
        Ok(())
    }

    /// Asks the checks what became of the case.
    pub(in crate::engine) fn judge(&self, context: &Rehearsed, golden: &CaseEvents, ending: Ending) -> Judged {
        let states = self.run.states();
        let history =
            History { scenario: context.scenario, plan: context.plan, golden, case: &self.events, states: &states };
        let checks = check::judge(&self.run.registry.checks, &history);
        let (outcome, error) = match ending {
            Ending::Finished => (check::classify(&history, &checks), None),
            Ending::Diverged => (Outcome::Diverged, None),
            Ending::Trouble(error) => (Outcome::Unfinished, Some(error)),
        };
        Judged { outcome, checks, error }
    }

    /// Writes down that a run ended of which nothing was asked.
    pub(in crate::engine) fn finish_unasked(&mut self, ending: Ending) -> Result<()> {
        let (outcome, error) = match ending {
            Ending::Trouble(error) => (Outcome::Unfinished, Some(error)),
            Ending::Finished | Ending::Diverged => (Outcome::Pass, None),
        };
        self.finish(Judged { outcome, checks: Vec::new(), error })
    }

    /// Writes it down.
    pub(in crate::engine) fn finish(&mut self, judged: Judged) -> Result<()> {
        let Judged { outcome, checks, error } = judged;
        self.record(Body::CaseFinished { case: self.case(), outcome, checks, error })
    }
}

/// What became of a case.
pub(in crate::engine) struct Judged {
    pub(in crate::engine) outcome: Outcome,
    checks: Vec<CheckResult>,
    error: Option<String>,
}

impl Judged {
    /// The worst of its word and its checks.
    pub(in crate::engine) fn verdict(&self) -> Verdict {
        Verdict::worst(self.checks.iter().map(|check| check.verdict).chain([self.outcome.verdict()]))
    }
}
