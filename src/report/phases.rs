//! How long each step takes, over all the times that it ran uninjured, beside the budget that a criterion gives it.

use super::markup::{badge, escape, table};
use super::words::{count, duration};
use crate::model::{Role, RunRecord, ScenarioRecord, StepTimes, checklist, step_times};

/// How many scenarios are shown: the longest.
const MAX_SCENARIOS: usize = 20;

/// A table over the scenarios that are no canaries; nothing where no step ran.
pub(super) fn phases(record: &RunRecord) -> String {
    let plain = record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
    let mut timed: Vec<(&ScenarioRecord, Vec<StepTimes>)> =
        plain.map(|scenario| (scenario, step_times(scenario))).filter(|(_, steps)| !steps.is_empty()).collect();
    let left_out = timed.len().saturating_sub(MAX_SCENARIOS) as u64;
    timed.sort_by_key(|(_, steps)| {
        std::cmp::Reverse(steps.iter().map(StepTimes::slowest_us).fold(0, u64::saturating_add))
    });
    timed.truncate(MAX_SCENARIOS);
    if timed.is_empty() {
        return String::new();
    }
    let rows = timed.iter().flat_map(|(scenario, steps)| of_scenario(record, scenario, steps));
    let heads = ["scenario", "step", "does", "times run", "median", "slowest", "budget"];
    let caption = "Time of each step, uninjured, through our proxy and beside other cases";
    let rest = if left_out > 0 { format!("<p>and {} quicker scenarios</p>\n", count(left_out)) } else { String::new() };
    format!("<h2 id=\"steps\">Steps and their budgets</h2>\n{}{rest}", table(caption, &heads, rows))
}

fn of_scenario(record: &RunRecord, scenario: &ScenarioRecord, steps: &[StepTimes]) -> Vec<Vec<String>> {
    let row = |times: &StepTimes| {
        let (median, slowest) = (times.median_us(), times.slowest_us());
        let runs = count(times.times_us.len() as u64);
        let budget = budget(record, scenario, &times.step);
        line(scenario, &times.step, &times.role.to_string(), &runs, [median, slowest], budget)
    };
    let all = |part: fn(&StepTimes) -> u64| {
        let downtime = steps.iter().filter(|times| brings_down(times.role));
        downtime.map(part).fold(0, u64::saturating_add)
    };
    let window = [all(StepTimes::median_us), all(StepTimes::slowest_us)];
    let total =
        line(scenario, "the window", "apply, verify and cutover, one after the other", "", window, String::new());
    steps.iter().map(row).chain([total]).collect()
}

/// Steps during which nobody else writes. A rollback is no part of a migration that goes well.
fn brings_down(role: Role) -> bool {
    matches!(role, Role::Apply | Role::Verify | Role::Cutover)
}

fn line(
    scenario: &ScenarioRecord,
    step: &str,
    does: &str,
    runs: &str,
    [median, slowest]: [u64; 2],
    budget: String,
) -> Vec<String> {
    let [scenario, step, does] = [&scenario.scenario, step, does].map(escape);
    vec![scenario, step, does, runs.to_owned(), duration(median), duration(slowest), budget]
}

/// The criterion that bounds the time of a step, with its answer.
fn budget(record: &RunRecord, scenario: &ScenarioRecord, step: &str) -> String {
    let what = format!("time_ms {step}");
    let rules = checklist(record).into_iter().filter(|ruled| scenario.criteria.contains(&ruled.rule));
    let of_step = rules.filter(|ruled| ruled.rule.observed.as_ref().is_some_and(|observed| observed.what == what));
    let cell = of_step.map(|ruled| {
        let most = ruled.rule.observed.iter().filter_map(|observed| observed.value.parse::<u64>().ok());
        let most: String = most.map(|ms| format!(" {}", duration(ms.saturating_mul(1_000)))).collect();
        badge(ruled.verdict(), &ruled.rule.id) + &most
    });
    cell.collect::<Vec<_>>().join("<br>")
}
