//! What a run writes to, and what a scenario knows of itself.

use crate::dataset::{Classification, Dataset};
use crate::engine::House;
use crate::engine::keep::Keeper;
use crate::engine::pause::Pause;
use crate::engine::turns::Turns;
use crate::evidence::{Bundle, Journal, Open, Redactor};
use crate::model::{
    Body, CaseEvents, CheckResult, DatabaseState, History, Outcome, Plan, Scenario, States, Verdict, canonical,
};
use crate::registry::Registry;
use crate::{Result, check};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One run: where everything that is observed goes.
pub(super) struct Run {
    pub(super) registry: Registry,
    pub(super) house: House,
    pub(super) bundle: Bundle<Open>,
    pub(super) journal: Journal,
    pub(super) redactor: Redactor,
    pub(super) states: Mutex<States>,
    pub(super) turns: Turns,
    /// Whether a failure is being looked for, and not judged.
    pub(super) is_hunt: bool,
    pub(super) keeper: Keeper,
    pub(super) pause: Option<Pause>,
    /// Of digests of values that may not be shown; never written down.
    pub(super) diff_key: [u8; 32],
}

impl Run {
    /// Keeps a state, once, and returns its digest.
    pub(super) fn keep(&self, state: DatabaseState) -> Result<String> {
        let digest = canonical::sha256(&state)?;
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if !states.contains_key(&digest) {
            self.bundle.write_state(&digest, &state)?;
            states.insert(digest.clone(), Arc::new(state));
        }
        Ok(digest)
    }

    /// All states so far; cheap, they are shared.
    pub(super) fn states(&self) -> States {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A scenario that is being rehearsed.
pub(super) struct Rehearsed<'a> {
    pub(super) run: &'a Run,
    pub(super) scenario: &'a Scenario,
    pub(super) plan: &'a Plan,
    pub(super) dataset: &'a Dataset,
    /// The folder of the dataset, for `{dataset}`.
    pub(super) dataset_dir: PathBuf,
    /// The folder of fixtures that it lies in, for `{fixtures}`.
    pub(super) fixtures_dir: PathBuf,
    /// The root of the repository, for `{root}`.
    pub(super) root: PathBuf,
    /// The bound of each step, once the golden run is known.
    pub(super) bounds: BTreeMap<String, Duration>,
    /// Steps that cases leave out where everything is as in the golden run.
    pub(super) idle: BTreeSet<String>,
}

impl Rehearsed<'_> {
    /// Whether values of rows may stand in evidence.
    pub(super) fn may_show_rows(&self) -> bool {
        self.dataset.classification == Classification::Synthetic
    }
}

/// How the harness came to the end of a case.
pub(super) enum Ending {
    Finished,
    /// The tool left the path that the replay is of.
    Diverged,
    /// It could not go on.
    Trouble(String),
}

/// The events of one case: each goes to the journal first.
pub(super) struct CaseLog<'a> {
    run: &'a Run,
    pub(super) events: CaseEvents,
}

impl<'a> CaseLog<'a> {
    pub(super) fn new(run: &'a Run, case: String) -> CaseLog<'a> {
        CaseLog { run, events: CaseEvents { case, ..CaseEvents::default() } }
    }

    /// The name of the case.
    pub(super) fn case(&self) -> String {
        self.events.case.clone()
    }

    pub(super) fn record(&mut self, body: Body) -> Result<()> {
        self.run.journal.append(body.clone())?;
        self.events.events.push(body);
        Ok(())
    }

    /// Asks the checks what became of the case.
    pub(super) fn judge(&self, context: &Rehearsed, golden: &CaseEvents, ending: Ending) -> Judged {
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
    pub(super) fn finish_unasked(&mut self, ending: Ending) -> Result<()> {
        let (outcome, error) = match ending {
            Ending::Trouble(error) => (Outcome::Unfinished, Some(error)),
            Ending::Finished | Ending::Diverged => (Outcome::Pass, None),
        };
        self.finish(Judged { outcome, checks: Vec::new(), error })
    }

    /// Writes it down.
    pub(super) fn finish(&mut self, judged: Judged) -> Result<()> {
        let Judged { outcome, checks, error } = judged;
        self.record(Body::CaseFinished { case: self.case(), outcome, checks, error })
    }
}

/// What became of a case.
pub(super) struct Judged {
    pub(super) outcome: Outcome,
    checks: Vec<CheckResult>,
    error: Option<String>,
}

impl Judged {
    /// The worst of its word and its checks.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::worst(self.checks.iter().map(|check| check.verdict).chain([self.outcome.verdict()]))
    }
}
