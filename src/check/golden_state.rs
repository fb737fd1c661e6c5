//! `golden-state`: an injured run, once recovered, ends in the very state of the uninterrupted one.
//!
//! Rows, sequences and the whole catalog of every target, declared volatile columns apart. The second golden run and
//! the step that runs once more after success are held to the same state.

use crate::check::{Check, Judgement, findings_at};
use crate::model::{Finding, History, Moment, Phase};

/// See the module.
pub(super) struct GoldenState;

impl Check for GoldenState {
    fn name(&self) -> &'static str {
        "golden-state"
    }

    fn about(&self) -> &'static str {
        "An injured run, once recovered, ends in the very state of the uninterrupted one."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let pairs = if history.is_golden() { golden_pairs(history) } else { injured_pairs(history)? };
        let mut findings = Vec::new();
        for (endpoint, moment, expected) in &pairs {
            let found = differences(history, endpoint, moment, expected);
            let Some(found) = found else {
                return Some(Judgement::unknown(format!("the state of {endpoint} {moment}")));
            };
            findings.extend(found);
        }
        (!pairs.is_empty()).then(|| Judgement::from_findings(findings))
    }
}

/// Of each endpoint, a moment of the case and the moment of the golden run that it must equal.
type Pair = (String, Moment, Moment);

fn injured_pairs(history: &History) -> Option<Vec<Pair>> {
    let last = history.case.step_ends().last()?;
    let expected = Moment::after(Phase::Plan, &last.step);
    let endpoints = history.plan.target_endpoints().into_iter();
    Some(endpoints.map(|endpoint| (endpoint, Moment::End, expected.clone())).collect())
}

/// The first golden run is compared with itself, where that says something: a step that ran once more.
fn golden_pairs(history: &History) -> Vec<Pair> {
    let is_first = history.golden.case == history.case.case;
    let mut pairs = Vec::new();
    for endpoint in history.plan.target_endpoints() {
        for moment in history.case.moments(&endpoint) {
            let expected = match moment {
                Moment::After { phase: Phase::Rerun, step } => Moment::after(Phase::Plan, step),
                _ if is_first => continue,
                other => other.clone(),
            };
            pairs.push((endpoint.clone(), moment.clone(), expected));
        }
    }
    pairs
}

fn differences(history: &History, endpoint: &str, moment: &Moment, expected: &Moment) -> Option<Vec<Finding>> {
    let golden = history.golden_state(expected, endpoint)?;
    Some(findings_at(moment, endpoint, history.state(moment, endpoint)?.differences(golden)))
}
