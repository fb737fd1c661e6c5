//! Whether what was rehearsed is what the verifier expects: commit, tool, data. Nothing expected: nothing is asked.

use crate::evidence::EVENTS;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint, Expected};
use crate::model::ScenarioRecord;

/// Complains about everything that is of another origin.
pub(super) fn check(told: &Told, expected: &Expected, complaints: &mut Vec<Complaint>) {
    commit(told, expected, complaints);
    let begun = || told.record.scenarios.iter().filter(|scenario| !scenario.dataset_sha256.is_empty());
    let mut of = |code, allowed: &[String], found: fn(&ScenarioRecord) -> &String| {
        let is_other = |scenario: &&ScenarioRecord| !allowed.is_empty() && !allowed.contains(found(scenario));
        complaints.extend(begun().filter(is_other).map(|scenario| {
            let found = format!("{} of {}", found(scenario), scenario.scenario);
            Complaint::new(code, EVENTS, format!("one of {}", allowed.join(", ")), found)
        }));
    };
    of(Code::ToolMismatch, &expected.tools, |scenario| &scenario.tool_sha256);
    of(Code::DatasetMismatch, &expected.datasets, |scenario| &scenario.dataset_sha256);
}

fn commit(told: &Told, expected: &Expected, complaints: &mut Vec<Complaint>) {
    const FILE: &str = "environment.json";
    let checkout = told.environment.as_ref().and_then(|file| file.checkout.as_ref());
    let found = checkout.map_or("no git repository", |checkout| &checkout.commit);
    if let Some(commit) = expected.commit.as_ref().filter(|commit| *commit != found) {
        complaints.push(Complaint::new(Code::CommitMismatch, FILE, commit, found));
    }
    if expected.clean_tree && !checkout.is_some_and(|checkout| checkout.clean) {
        let found = checkout.map_or("no git repository", |_| "files differed, or were not in it");
        complaints.push(Complaint::new(Code::TreeDirty, FILE, "nothing but the commit", found));
    }
}
