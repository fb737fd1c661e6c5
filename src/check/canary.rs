//! The verdict of a whole scenario: the worst of its cases, or for a canary whether it turned red what it must.

use crate::model::{CaseRecord, CheckResult, Coverage, ExpectRecord, Outcome, ScenarioRecord, Verdict};
use std::collections::BTreeSet;

/// The verdict, and the reason where it is not plain.
pub fn scenario_verdict(scenario: &ScenarioRecord) -> (Verdict, String) {
    match &scenario.expect {
        Some(expect) => canary_verdict(scenario, expect),
        None => plain_verdict(scenario),
    }
}

/// The verdict of a scenario that was cut off: what is known to be wrong stays wrong. A canary has shown nothing.
pub fn broken_off_verdict(scenario: &ScenarioRecord) -> Verdict {
    let cases = scenario.cases.values().filter(|_| scenario.expect.is_none());
    Verdict::worst(cases.map(CaseRecord::verdict).chain([Verdict::Unknown]))
}

/// A sweep that found nothing to injure has shown nothing.
fn plain_verdict(scenario: &ScenarioRecord) -> (Verdict, String) {
    let worst = Verdict::worst(scenario.cases.values().map(CaseRecord::verdict));
    if scenario.golden().any(|case| case.verdict() != Verdict::Pass) {
        return (worst, "the uninterrupted run is not green, so nothing was injured".to_owned());
    }
    if let Some((kind, during, coverage)) = scenario.faults.iter().find(|(_, _, coverage)| coverage.lost > 0) {
        let Coverage { points, lost, .. } = coverage;
        let why = format!("{lost} of {points} points of {kind} during `{during}` were in one golden run only");
        return (worst.max(Verdict::Unknown), why);
    }
    // Of a part of the cases none may be of this fault.
    let is_part = !scenario.shares.is_empty() && scenario.unvisited == 0;
    if let Some((kind, during, _)) =
        scenario.faults.iter().find(|(_, _, c)| c.visited == 0 && c.points > 0).filter(|_| !is_part)
    {
        let why = format!("the budget was over before any case of {kind} during `{during}` began");
        return (worst.max(Verdict::Unknown), why);
    }
    match scenario.faults.iter().find(|(_, _, coverage)| coverage.points == 0) {
        None if scenario.unvisited > 0 => (worst, format!("sampled: {}", left_out(scenario))),
        None => (worst, String::new()),
        Some((kind, during, _)) => {
            let why = format!(
                "{kind} found no point during `{during}`: the tool did not pass any endpoint that it strikes at"
            );
            (worst.max(Verdict::Unknown), why)
        }
    }
}

fn left_out(scenario: &ScenarioRecord) -> String {
    format!("the budget was over before {} planned cases began", scenario.unvisited)
}

fn canary_verdict(scenario: &ScenarioRecord, expect: &ExpectRecord) -> (Verdict, String) {
    let cases = || scenario.cases.values();
    if let Some(case) = cases().find(|case| matches!(case.outcome, None | Some(Outcome::Unfinished))) {
        let why = case.error.as_deref().unwrap_or("it was cut off");
        return (Verdict::Unknown, format!("{} was not finished: {why}", case.case));
    }
    let expected: BTreeSet<&str> = expect.red.iter().map(String::as_str).collect();
    // Red is what is answered and wrong. That a fault or a tool was never seen can only be unknown.
    let can_be_unknown =
        |check: &CheckResult| ["faults-fired", "tool-seen", "files-recorded"].contains(&check.check.as_str());
    let is_red = |check: &&CheckResult| check.verdict == Verdict::Fail || can_be_unknown(check);
    let red: BTreeSet<&str> =
        cases().flat_map(CaseRecord::red).filter(is_red).map(|check| check.check.as_str()).collect();
    if let Some(check) = cases().flat_map(CaseRecord::red).find(|check| !is_red(check)) {
        return (Verdict::Unknown, format!("a canary: {} could not be answered", check.check));
    }
    let words: BTreeSet<&str> = cases().filter_map(|case| case.outcome).map(Outcome::word).collect();
    let list = |names: &BTreeSet<&str>| match names.is_empty() {
        true => "nothing".to_owned(),
        false => names.iter().copied().collect::<Vec<_>>().join(", "),
    };
    let has_word = expect.outcome.is_none_or(|outcome| words.contains(outcome.word()));
    match (red == expected, has_word) {
        (true, true) => {
            let word = expect.outcome.map_or(String::new(), |outcome| format!(" ({outcome})"));
            (Verdict::Pass, format!("turned red as planned: {}{word}", list(&red)))
        }
        _ if scenario.unvisited > 0 => (Verdict::Unknown, format!("a canary: {}", left_out(scenario))),
        (false, _) => {
            (Verdict::Fail, format!("a canary: must turn red {}, turned red {}", list(&expected), list(&red)))
        }
        (true, false) => {
            let word = expect.outcome.map_or("", Outcome::word);
            (Verdict::Fail, format!("a canary: no case is {word}; the cases are {}", list(&words)))
        }
    }
}
