//! `claim-matches-observation`: what a step says of itself agrees with its exit code and with what the databases hold.
//!
//! A step that exits 0 has a fresh report that says so; a step that did not reach its goal has none that says it did.
//! Steps without declared claims are not asked.

use crate::check::{Check, Judgement, finding, parity};
use crate::model::{Body, Claims, Finding, History, Moment, Phase, Role, StepEnd};

/// See the module.
pub(super) struct ClaimMatchesObservation;

impl Check for ClaimMatchesObservation {
    fn name(&self) -> &'static str {
        "claim-matches-observation"
    }

    fn about(&self) -> &'static str {
        "What a step says of itself agrees with its exit code and with what the databases hold."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let ends: Vec<StepEnd> = history.case.step_ends().filter(|end| makes_claims(history, end)).collect();
        let findings = ends.iter().filter_map(|end| disagreement(history, end)).collect();
        (!ends.is_empty()).then(|| Judgement::from_findings(findings))
    }
}

fn makes_claims(history: &History, end: &StepEnd) -> bool {
    history.plan.step(&end.step).is_some_and(|step| step.claims != Claims::None)
}

fn disagreement(history: &History, end: &StepEnd) -> Option<Finding> {
    let moment = Moment::after(end.phase, &end.step);
    let (ok, note) = claim(history, end);
    let report = format!("report of `{}`", end.step);
    match (end.success, ok) {
        (true, Some(true)) => match is_right(history, end, &moment) {
            Some(false) => Some(finding(&moment, report, "what the databases hold", "says ok, and the data is wrong")),
            _ => None,
        },
        (true, _) => Some(finding(&moment, report, "a fresh report that says ok, as exit 0 does", note)),
        (false, Some(true)) if is_right(history, end, &moment) != Some(true) => {
            let ended = end.exit.map_or("a signal".to_owned(), |code| format!("exit {code}"));
            Some(finding(&moment, report, "no report that says ok", format!("says ok, and the step ended by {ended}")))
        }
        _ => None,
    }
}

fn claim(history: &History, end: &StepEnd) -> (Option<bool>, String) {
    let mut claims = history.case.events.iter().filter_map(|event| match event {
        Body::Claim { step, phase, ok, note, .. } if *step == end.step && *phase == end.phase => {
            Some((*ok, note.clone()))
        }
        _ => None,
    });
    claims.next_back().unwrap_or((None, "no report was looked for".to_owned()))
}

/// Whether the databases were right after the step; `None` where that is not promised or was not observed.
fn is_right(history: &History, end: &StepEnd, moment: &Moment) -> Option<bool> {
    let role = history.plan.step(&end.step)?.role;
    let promises_parity = history.plan.last_apply().is_some_and(|apply| apply.name == end.step) || role == Role::Verify;
    match (promises_parity, role) {
        (true, _) => parity::differences(history, moment).map(|differences| differences.is_empty()),
        (false, Role::Prepare | Role::DryRun) => None,
        // The goal of any other step is what it reached in the uninterrupted run.
        (false, _) => {
            let golden = Moment::after(Phase::Plan, &end.step);
            let same = |endpoint: &String| {
                Some(history.case.probe(moment, endpoint)? == history.golden.probe(&golden, endpoint)?)
            };
            history.plan.target_endpoints().iter().map(same).try_fold(true, |all, same| same.map(|same| all && same))
        }
    }
}
