//! `report-is-fresh`: a report that is there after a step was written by this very step.
//!
//! Its file is not older than the step, nor is any time that it holds under a well-known name. What it says is
//! `claim-matches-observation`'s business, and so is a report that is missing.

use crate::check::{Check, Judgement, finding};
use crate::model::{Body, Finding, History, Moment, ReportAge};

/// See the module.
pub(super) struct ReportIsFresh;

impl Check for ReportIsFresh {
    fn name(&self) -> &'static str {
        "report-is-fresh"
    }

    fn about(&self) -> &'static str {
        "A report that is there after a step was written by this very step."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let found: Vec<Vec<Finding>> = history.case.events.iter().filter_map(stale).collect();
        (!found.is_empty()).then(|| Judgement::from_findings(found.concat()))
    }
}

/// What a report that an event speaks of shows of its own age; nothing of any other event.
pub(crate) fn stale(event: &Body) -> Option<Vec<Finding>> {
    let Body::Report(ReportAge { step, phase, began, written, stamps, .. }) = event else { return None };
    let moment = Moment::after(*phase, step);
    let older = |object: String, time: &str| finding(&moment, object, format!("not before {began}"), time);
    let file = (written < began).then(|| older(format!("file of the report of `{step}`"), written));
    // Many write whole seconds.
    let second = |time: &String| time.chars().take(19).collect::<String>();
    let stamps = stamps.iter().filter(|(_, time)| second(time) < second(began));
    let stamps = stamps.map(|(name, time)| older(format!("`{name}` in the report of `{step}`"), time));
    Some(file.into_iter().chain(stamps).collect())
}
