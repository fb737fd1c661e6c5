//! The cases that are put before people: not green, and not planned to be red. One list for all formats.

use crate::model::{CaseRecord, RunRecord, ScenarioRecord, Verdict};

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

/// Those of all scenarios, the worst first.
pub(super) fn of_run(record: &RunRecord) -> Vec<(&ScenarioRecord, &CaseRecord)> {
    let of = |scenario| of_scenario(scenario).map(move |case| (scenario, case));
    let mut red: Vec<(&ScenarioRecord, &CaseRecord)> = record.scenarios.iter().flat_map(of).collect();
    red.sort_by_key(|(_, case)| std::cmp::Reverse(case.verdict()));
    red
}
