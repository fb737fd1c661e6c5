//! What a run would do: points, classes and an estimate, from the golden runs alone.

use super::words::{count, duration};
use crate::model::{RunRecord, ScenarioRecord};

/// A line per fault, and one that sums up; `jobs` cases run at a time.
pub fn plan(record: &RunRecord, jobs: usize) -> String {
    let mut lines: Vec<String> = record.scenarios.iter().flat_map(lines).collect();
    let total_us: u64 =
        record.scenarios.iter().map(|scenario| estimate_us(scenario, jobs)).fold(0, u64::saturating_add);
    let planned = count(record.planned());
    lines.push(format!("{planned} cases, about {} with {jobs} at a time", duration(total_us)));
    lines.join("\n")
}

fn lines(scenario: &ScenarioRecord) -> Vec<String> {
    let name = &scenario.scenario;
    if scenario.faults.is_empty() {
        let why = if scenario.why.is_empty() { "the golden run alone" } else { scenario.why.as_str() };
        return vec![format!("{name}: {why}")];
    }
    let line = |(kind, during, coverage): &(String, String, crate::model::Coverage)| {
        let (points, classes, visited) = (count(coverage.points), count(coverage.classes), count(coverage.visited));
        format!("{name}: {kind} during {during}: {points} points, {classes} classes, {visited} cases")
    };
    scenario.faults.iter().map(line).collect()
}

/// A case takes about as long as a golden run: it leaves out a dry run and looks less often, and recovers once.
fn estimate_us(scenario: &ScenarioRecord, jobs: usize) -> u64 {
    let golden = scenario.golden().map(|case| case.duration_us).max().unwrap_or(0);
    golden.saturating_mul(scenario.planned()) / jobs.max(1) as u64
}
