//! `nothing-left-behind`: no process, backend or prepared transaction of the tool outlives the case.

use crate::check::{Check, Judgement, finding};
use crate::model::{Body, History};

/// See the module.
pub(super) struct NothingLeftBehind;

impl Check for NothingLeftBehind {
    fn name(&self) -> &'static str {
        "nothing-left-behind"
    }

    fn about(&self) -> &'static str {
        "No process, backend or prepared transaction of the tool outlives the case."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let looked = history.case.events.iter().rev().find_map(|event| match event {
            Body::Leftovers { found, .. } => Some(found),
            _ => None,
        });
        let Some(found) = looked else { return Some(Judgement::unknown("what the case left behind")) };
        let left = |what: &String| finding("at the end", "leftover", "nothing", what.as_str());
        Some(Judgement::from_findings(found.iter().map(left).collect()))
    }
}
