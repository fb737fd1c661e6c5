//! The cases that are put before people: not green, and not planned to be red. One list for all formats.

use crate::model::{Address, CaseRecord, RunRecord, ScenarioRecord, Verdict};
use std::collections::BTreeMap;

/// Those of one scenario, in its order.
pub(super) fn of_scenario(scenario: &ScenarioRecord) -> impl Iterator<Item = &CaseRecord> {
    let planned = scenario.expect.is_some();
    let red = move |case: &&CaseRecord| !planned && case.verdict() != Verdict::Pass;
    // The second golden run usually says what the first one said.
    let first = scenario.golden().next().filter(|case| red(case));
    let repeats = move |case: &&CaseRecord| {
        first.is_some_and(|first| case.address.is_none() && case.case != first.case && case.checks == first.checks)
    };
    scenario.cases.values().filter(red).filter(move |case| !repeats(case))
}

/// Those of all scenarios, the worst first, and of those one of each kind of fault first.
pub(super) fn of_run(record: &RunRecord) -> Vec<(&ScenarioRecord, &CaseRecord)> {
    let of = |scenario| of_scenario(scenario).map(move |case| (scenario, case));
    let mut red: Vec<(&ScenarioRecord, &CaseRecord)> = record.scenarios.iter().flat_map(of).collect();
    // Of every step and kind of fault one first: a page has no room for all.
    let mut seen = BTreeMap::new();
    let mut nth = |scenario: &ScenarioRecord, case: &CaseRecord| {
        let kinds = case.address.as_ref().map(Address::kinds);
        let nth: &mut u64 = seen.entry((scenario.scenario.clone(), kinds, case.verdict())).or_default();
        *nth += 1;
        *nth
    };
    red.sort_by_cached_key(|(scenario, case)| (std::cmp::Reverse(case.verdict()), nth(scenario, case)));
    red
}
