//! `golden-state`: an injured run, once recovered, ends in the very state of the uninterrupted one.
//!
//! Rows, sequences and the whole catalog of every target, declared volatile columns apart. The second golden run and
//! the step that runs once more after success are held to the same state. Where we wrote to a source (`src.write`), the rows
//! that come from there are left to `parity`.

use crate::check::{Check, Judgement, findings_at};
use crate::model::{DatabaseState, Finding, History, Moment, Phase};
use std::collections::BTreeSet;

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
    let (mut golden, mut found) =
        (history.golden_state(expected, endpoint)?.clone(), history.state(moment, endpoint)?.clone());
    leave_out_written(history, endpoint, &mut golden, &mut found);
    Some(findings_at(moment, endpoint, found.differences(&golden)))
}

/// Where we wrote to a source, `parity` answers for the rows that come from there, and sequences may stand further on.
fn leave_out_written(history: &History, endpoint: &str, golden: &mut DatabaseState, found: &mut DatabaseState) {
    if history.case.source_writes().next().is_none() {
        return;
    }
    let copies = history.copies().into_iter();
    let written: BTreeSet<String> = copies
        .filter(|copy| copy.target == endpoint && history.is_written(&copy.source))
        .map(|copy| copy.target_table)
        .collect();
    for state in [&mut *golden, &mut *found] {
        state.tables.retain(|table, _| !written.contains(table) && !history.plan.maps_target(table));
    }
    let number = |text: &String| text.parse::<i128>().ok();
    for (name, value) in &mut golden.sequences {
        if let Some(further) = found.sequences.get(name).filter(|found| number(found) >= number(value)) {
            value.clone_from(further);
        }
    }
}
