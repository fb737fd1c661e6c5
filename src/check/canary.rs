//! The verdict of a whole scenario: the worst of its cases, or for a canary whether it turned red what it must.

use crate::model::{CaseRecord, ExpectRecord, Outcome, ScenarioRecord, Verdict};
use std::collections::BTreeSet;

/// The verdict, and the reason where it is not plain.
pub fn scenario_verdict(scenario: &ScenarioRecord) -> (Verdict, String) {
    match &scenario.expect {
        Some(expect) => canary_verdict(scenario, expect),
        None => plain_verdict(scenario),
    }
}

/// A sweep that found nothing to injure has shown nothing.
fn plain_verdict(scenario: &ScenarioRecord) -> (Verdict, String) {
    let worst = Verdict::worst(scenario.cases.values().map(CaseRecord::verdict));
    if scenario.golden().any(|case| case.verdict() != Verdict::Pass) {
        return (worst, "the uninterrupted run is not green, so nothing was injured".to_owned());
    }
    match scenario.faults.iter().find(|(_, _, coverage)| coverage.points == 0) {
        None => (worst, String::new()),
        Some((kind, during, _)) => {
            let why = format!(
                "{kind} found no point during `{during}`: the tool did not pass any endpoint that it strikes at"
            );
            (worst.max(Verdict::Unknown), why)
        }
    }
}

fn canary_verdict(scenario: &ScenarioRecord, expect: &ExpectRecord) -> (Verdict, String) {
    let cases = || scenario.cases.values();
    if let Some(case) = cases().find(|case| matches!(case.outcome, None | Some(Outcome::Unfinished))) {
        let why = case.error.as_deref().unwrap_or("it was cut off");
        return (Verdict::Unknown, format!("{} was not finished: {why}", case.case));
    }
    let expected: BTreeSet<&str> = expect.red.iter().map(String::as_str).collect();
    let red: BTreeSet<&str> = cases().flat_map(CaseRecord::red).map(|check| check.check.as_str()).collect();
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
        (false, _) => {
            (Verdict::Fail, format!("a canary: must turn red {}, turned red {}", list(&expected), list(&red)))
        }
        (true, false) => {
            let word = expect.outcome.map_or("", Outcome::word);
            (Verdict::Fail, format!("a canary: no case is {word}; the cases are {}", list(&words)))
        }
    }
}
