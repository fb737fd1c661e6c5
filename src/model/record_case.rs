//! What is known of one case of a run, folded from its events.

use crate::model::{Address, Body, CaseEvents, CheckResult, Outcome, Verdict};

/// A case of a scenario.
#[derive(Debug, Clone, Default)]
pub struct CaseRecord {
    /// Its name.
    pub case: String,
    /// Where it is injured.
    pub address: Option<Address>,
    /// The statement there, for people.
    pub label: Option<String>,
    /// The word that replays it.
    pub token: Option<String>,
    /// What became of it; nothing while it is not finished.
    pub outcome: Option<Outcome>,
    /// What the checks answered.
    pub checks: Vec<CheckResult>,
    /// Why the harness could not finish it.
    pub error: Option<String>,
    /// The folder of the bundle in the bundle that it is in, such as `shards/1-of-2/`; empty: there is none.
    pub within: String,
    /// What happened, in order.
    pub events: Vec<Body>,
    /// When each of it happened, in microseconds since the start of the run.
    pub times_us: Vec<u64>,
    /// How long it took; 0 while it is not finished.
    pub duration_us: u64,
    /// When it started, since the start of the run.
    pub started_us: u64,
}

impl CaseRecord {
    pub(super) fn add(&mut self, body: &Body, mono_us: u64) {
        match body {
            Body::CaseStarted { case, address, label, token, .. } => {
                self.case = case.clone();
                (self.address, self.label, self.token) = (address.clone(), label.clone(), token.clone());
                self.started_us = mono_us;
            }
            Body::CaseFinished { outcome, checks, error, .. } => {
                (self.outcome, self.checks, self.error) = (Some(*outcome), checks.clone(), error.clone());
                self.duration_us = mono_us - self.started_us;
            }
            _ => {}
        }
        self.events.push(body.clone());
        self.times_us.push(mono_us);
    }

    /// The verdict: the worst of its word and its checks; unknown while it is not finished.
    pub fn verdict(&self) -> Verdict {
        let word = self.outcome.map_or(Verdict::Unknown, Outcome::verdict);
        Verdict::worst(self.checks.iter().map(|check| check.verdict).chain([word]))
    }

    /// The step from which it went back, if it is a run that did nothing else.
    pub fn went_back_from(&self) -> Option<&str> {
        let name = self.case.rsplit_once('/').filter(|_| self.address.is_none())?.1;
        name.strip_prefix("return-")
    }

    /// The checks that are not green.
    pub fn red(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(|check| check.verdict != Verdict::Pass)
    }

    /// What happened, with its time in microseconds since the start of the run.
    pub fn timed(&self) -> impl Iterator<Item = (&Body, u64)> {
        self.events.iter().zip(self.times_us.iter().copied())
    }

    /// As checks read it.
    pub fn as_events(&self) -> CaseEvents {
        CaseEvents { case: self.case.clone(), address: self.address.clone(), events: self.events.clone() }
    }
}
