//! The part of a run on which two people with the same seed, dataset and tool must agree, to the byte.
//!
//! Absent on purpose: times, ids of processes and runs, ports, paths, hosts, names with ordinals, how many points
//! there were, the server's version and catalog.

use crate::model::canonical;
use crate::model::{Body, CaseRecord, RunRecord, ScenarioRecord, States};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The deterministic part: scenarios by name, their cases by address (golden cases first), the checks by name, and
/// the tables of each target as they were when it was last probed.
pub fn outcome(record: &RunRecord, states: &States) -> Value {
    let mut scenarios: Vec<&ScenarioRecord> = record.scenarios.iter().collect();
    scenarios.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    let scenarios: Vec<Value> = scenarios.into_iter().map(|scenario| of_scenario(scenario, states)).collect();
    json!({ "format": 1, "scenarios": scenarios })
}

/// SHA-256 of [`outcome`] as a file of canonical JSON, 64 hexadecimal digits.
pub fn outcome_sha256(record: &RunRecord, states: &States) -> String {
    canonical::sha256(&outcome(record, states)).expect("an outcome holds texts, integers and lists only")
}

fn of_scenario(scenario: &ScenarioRecord, states: &States) -> Value {
    let mut cases: Vec<(String, Value)> = scenario.cases.values().map(|case| of_case(scenario, case, states)).collect();
    // Cases of one address differ in their content only, so that orders them, never their names.
    cases.sort_by_cached_key(|(address, case)| (address.clone(), case.to_string()));
    json!({
        "scenario": scenario.scenario,
        "seed": scenario.seed,
        "dataset_sha256": scenario.dataset_sha256,
        "tool_sha256": scenario.tool_sha256,
        "cases": cases.into_iter().map(|(_, case)| case).collect::<Vec<_>>(),
    })
}

fn of_case(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> (String, Value) {
    let address = case.address.as_ref().map(ToString::to_string);
    let checks: BTreeMap<&str, String> =
        case.checks.iter().map(|check| (check.check.as_str(), check.verdict.to_string())).collect();
    let value = json!({
        "address": address,
        "outcome": case.outcome.map(|outcome| outcome.word()),
        "checks": checks,
        "targets": last_targets(scenario, case, states),
    });
    (address.unwrap_or_default(), value)
}

/// Per endpoint the tables of its last probe; nothing where its state is not known.
fn last_targets(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Map<String, Value> {
    let mut targets = Map::new();
    for event in &case.events {
        let Body::Probe { endpoint, state, .. } = event else { continue };
        if !scenario.sources.contains(endpoint) {
            targets.insert(endpoint.clone(), json!(states.get(state).map(|state| &state.tables)));
        }
    }
    targets
}
