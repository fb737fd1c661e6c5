//! Golden runs that one scenario has from another.

use crate::model::{RunRecord, ScenarioRecord};
use serde::{Deserialize, Serialize};

/// The golden runs of a scenario are those of another one of the same run, which differs from it only in what strikes,
/// in the way out, and in its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldenShare {
    /// The scenario that has them.
    pub scenario: String,
    /// The one that made them.
    pub with: String,
}

impl GoldenShare {
    /// Each scenario stands on its own: its record holds what it shares, under its own name, and the cases tell where
    /// they ran. Golden runs on other data or of another tool would prove nothing, and are not taken.
    pub(super) fn add_to(&self, run: &mut RunRecord) {
        let GoldenShare { scenario, with } = self;
        for name in ["golden-1", "golden-2"] {
            let Some(from) = run.scenario(with) else { return };
            let (Some(case), from) = (from.cases.get(&format!("{with}/{name}")).cloned(), of(from)) else { return };
            let record = run.scenario(scenario).filter(|record| of(record) == from);
            record.map(|record| record.cases.insert(format!("{scenario}/{name}"), case));
        }
    }
}

/// What two scenarios must have in common.
fn of(record: &ScenarioRecord) -> (String, String, u64, Vec<String>) {
    (record.dataset_sha256.clone(), record.tool_sha256.clone(), record.seed, record.sources.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, ScenarioStart};

    fn started(scenario: &str, seed: u64) -> Vec<Body> {
        let case = format!("{scenario}/golden-1");
        vec![
            Body::ScenarioStarted(ScenarioStart {
                scenario: scenario.into(),
                seed,
                dataset_sha256: "1".into(),
                tool_sha256: "2".into(),
                ..ScenarioStart::default()
            }),
            Body::CaseStarted { case, scenario: scenario.into(), address: None, label: None, token: None },
        ]
    }

    fn golden_of_b(seed: u64) -> Vec<String> {
        let share = Body::GoldenShared(GoldenShare { scenario: "b".into(), with: "a".into() });
        let mut bodies = started("a", 1);
        bodies.extend(started("b", seed).into_iter().take(1).chain([share]));
        let mut record = RunRecord::default();
        bodies.iter().for_each(|body| record.add_body(body, 0));
        record.scenarios[1].golden().map(|case| case.case.clone()).collect()
    }

    #[test]
    fn a_scenario_holds_what_it_shares_and_the_case_tells_where_it_ran() {
        assert_eq!(golden_of_b(1), ["a/golden-1"]);
    }

    #[test]
    fn golden_runs_on_other_data_are_not_taken() {
        assert_eq!(golden_of_b(2), [""; 0]);
    }
}
