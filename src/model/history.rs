//! What checks and reports read: the events of a case beside those of the golden case.

use crate::model::{Address, Body, DatabaseState, Moment, Phase, Plan, Scenario, TableCopy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// States by their digest. Many cases end in the same few states, so each is kept once.
pub type States = BTreeMap<String, Arc<DatabaseState>>;

/// Everything that is known of one case.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    /// What was rehearsed.
    pub scenario: &'a Scenario,
    /// What was to be done.
    pub plan: &'a Plan,
    /// The uninterrupted run; for the first golden case, that case itself.
    pub golden: &'a CaseEvents,
    /// The case that is judged.
    pub case: &'a CaseEvents,
    /// The states that probes name.
    pub states: &'a States,
}

/// The events of one case, in order.
#[derive(Debug, Clone, Default)]
pub struct CaseEvents {
    /// Its name.
    pub case: String,
    /// Where it is injured, if it is.
    pub address: Option<Address>,
    /// What happened.
    pub events: Vec<Body>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEnd {
    /// The step.
    pub step: String,
    /// Why it ran.
    pub phase: Phase,
    /// Its exit code, if it exited.
    pub exit: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether that means success.
    pub success: bool,
    /// Whether it was ended by its bound.
    pub timed_out: bool,
}

impl CaseEvents {
    /// The ends of all steps, in order.
    pub fn step_ends(&self) -> impl Iterator<Item = StepEnd> {
        self.events.iter().filter_map(|event| match event {
            Body::StepFinished { step, phase, exit, signal, success, timed_out, .. } => Some(StepEnd {
                step: step.clone(),
                phase: *phase,
                exit: *exit,
                signal: *signal,
                success: *success,
                timed_out: *timed_out,
            }),
            _ => None,
        })
    }

    /// Whether the fault struck; of a compound one, whether both did, each in its time.
    pub fn fired(&self) -> bool {
        let is_compound = self.address.as_ref().is_some_and(|address| address.points().len() > 1);
        let fired = |events: &[Body]| events.iter().any(|event| matches!(event, Body::FaultFired { .. }));
        let injured = |event: &Body| matches!(event, Body::StepFinished { phase: Phase::Injured, .. });
        match self.events.iter().position(injured) {
            Some(end) if is_compound => fired(&self.events[..end]) && fired(&self.events[end..]),
            _ => fired(&self.events) && !is_compound,
        }
    }

    /// The digests of the states of all probes, in order.
    pub fn probes(&self) -> impl Iterator<Item = (&Moment, &str, &str)> {
        self.events.iter().filter_map(|event| match event {
            Body::Probe { moment, endpoint, state, .. } => Some((moment, endpoint.as_str(), state.as_str())),
            _ => None,
        })
    }

    /// The digest of the state of `endpoint` at `moment`; the last one, where a step ran several times.
    pub fn probe(&self, moment: &Moment, endpoint: &str) -> Option<&str> {
        self.probes().filter(|(at, of, _)| *at == moment && *of == endpoint).map(|(_, _, state)| state).last()
    }

    /// The moments at which `endpoint` was probed, in order.
    pub fn moments(&self, endpoint: &str) -> Vec<&Moment> {
        self.probes().filter(|(_, of, _)| *of == endpoint).map(|(moment, _, _)| moment).collect()
    }
}

impl History<'_> {
    /// The state of `endpoint` at `moment` of the judged case.
    pub fn state(&self, moment: &Moment, endpoint: &str) -> Option<&DatabaseState> {
        self.named(self.case.probe(moment, endpoint)?)
    }

    /// The state of `endpoint` at `moment` of the golden case.
    pub fn golden_state(&self, moment: &Moment, endpoint: &str) -> Option<&DatabaseState> {
        self.named(self.golden.probe(moment, endpoint)?)
    }

    /// The state with this digest.
    pub fn named(&self, digest: &str) -> Option<&DatabaseState> {
        self.states.get(digest).map(Arc::as_ref)
    }

    /// The tables that must arrive as they are: those of the plan, and where it says so all that the sources held at
    /// the start and that no declared transformation speaks of.
    pub fn copies(&self) -> Vec<TableCopy> {
        let mut copies = self.plan.parity.copies.clone();
        let targets = self.plan.target_endpoints();
        if let (true, [target]) = (self.plan.parity.same_names, &targets[..]) {
            for source in self.plan.source_endpoints() {
                let tables =
                    self.golden_state(&Moment::Start, &source).into_iter().flat_map(|state| state.tables.keys());
                copies.extend(tables.filter(|table| !self.plan.maps_source(table)).map(|table| TableCopy {
                    source: source.clone(),
                    source_table: table.clone(),
                    target: target.clone(),
                    target_table: table.clone(),
                }));
            }
        }
        copies
    }

    /// Whether the case is a golden one.
    pub fn is_golden(&self) -> bool {
        self.case.address.is_none()
    }
}
