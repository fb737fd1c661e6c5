//! What was asked, held against the scenario files of the verifier's own checkout: a run that asked less is not enough,
//! whoever has signed it.

use crate::engine;
use crate::gate::Verification;
use crate::gate::decide::Ruling;
use crate::gate::rules::ruling;
use crate::model::{FaultSpec, ScenarioRecord, Verdict};
use crate::registry::Registry;
use serde_json::json;
use std::path::Path;

/// The rule.
pub(super) fn rule(registry: &Registry, here: &Path, verification: &Verification) -> Ruling {
    let asks = "what was asked is what the scenario files here ask";
    let names = verification.plan.as_ref().map(|plan| plan.scenarios.clone()).unwrap_or_default();
    let (scenarios, here) = match engine::asked_here(registry, here, &names) {
        Ok(found) => found,
        Err(error) => return ruling("GEN-21", asks, Verdict::Unknown, error.to_string()),
    };
    // As it is written down: what a file leaves out is nobody's question.
    let (then, here) = (json!(verification.asked), json!(here));
    let is_other = |name: &&String| then["scenarios"][name.as_str()] != here["scenarios"][name.as_str()];
    let mut against: Vec<String> =
        names.iter().filter(is_other).map(|name| format!("{name} was asked something else")).collect();
    for record in &verification.record.scenarios {
        let faults = scenarios.iter().filter(|scenario| scenario.name == record.scenario).flat_map(|s| &s.faults);
        against.extend(
            faults.filter(|fault| !was_planned(record, fault)).map(|fault| {
                format!("{} was not injured with {} during {}", record.scenario, fault.kind, fault.during)
            }),
        );
    }
    let verdict = if against.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let found = if against.is_empty() { format!("{} scenarios", names.len()) } else { against.join("; ") };
    ruling("GEN-21", asks, verdict, found)
}

fn was_planned(record: &ScenarioRecord, fault: &FaultSpec) -> bool {
    let first = |kinds: &str| kinds.split([',', '=']).next().unwrap_or_default().to_owned();
    record.faults.iter().any(|(kinds, during, _)| first(kinds) == fault.kind && *during == fault.during)
}
