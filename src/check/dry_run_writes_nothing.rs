//! `dry-run-writes-nothing`: a step that only says what it would do leaves every database as it was.

use crate::check::{Check, Judgement, findings_at};
use crate::model::{Finding, History, Moment, Role};

/// See the module.
pub(super) struct DryRunWritesNothing;

impl Check for DryRunWritesNothing {
    fn name(&self) -> &'static str {
        "dry-run-writes-nothing"
    }

    fn about(&self) -> &'static str {
        "A step that only says what it would do leaves every database as it was."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let mut asked = false;
        let mut findings = Vec::new();
        for endpoint in history.plan.endpoints() {
            for pair in history.case.moments(&endpoint).windows(2).filter(|pair| is_dry_run(history, pair[1])) {
                asked = true;
                findings.extend(changes(history, &endpoint, pair[0], pair[1]));
            }
        }
        asked.then(|| Judgement::from_findings(findings))
    }
}

fn is_dry_run(history: &History, moment: &Moment) -> bool {
    let Moment::After { step, .. } = moment else { return false };
    history.plan.step(step).is_some_and(|step| step.role == Role::DryRun)
}

fn changes(history: &History, endpoint: &str, before: &Moment, after: &Moment) -> Vec<Finding> {
    match (history.state(before, endpoint), history.state(after, endpoint)) {
        (Some(before), Some(found)) => findings_at(after, endpoint, found.differences(before)),
        _ => Vec::new(),
    }
}
