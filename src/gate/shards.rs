//! The parts of a merged run: each is a bundle that verifies, all are of one plan, and together they have every case once.

use crate::Result;
use crate::evidence::{EVENTS, outcome};
use crate::gate::merged::merged;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint, Expected, Verification, verify};
use crate::model::{
    Body, Checkout, EnvironmentFile, Event, PlanFile, RunRecord, ScenarioRecord, Shard, States, Verdict,
};
use crate::registry::Registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One part.
pub(super) struct Part {
    /// Where it is, with a `/` at the end: in the merged bundle, or as it was named.
    pub(super) folder: String,
    /// What verifying it said.
    pub(super) verification: Verification,
}

impl Part {
    /// Verifies the part in `root`; what is wrong with it is complained about under `folder`.
    pub(super) fn read(
        registry: &Registry,
        root: &Path,
        folder: String,
        expected: &Expected,
        complaints: &mut Vec<Complaint>,
    ) -> Result<Part> {
        // People sign, and release, the merged bundle.
        let verification = verify(registry, root, &expected.clone().without_people())?;
        let of_part =
            |complaint: &Complaint| Complaint { file: format!("{folder}{}", complaint.file), ..complaint.clone() };
        complaints.extend(verification.complaints.iter().map(of_part));
        Ok(Part { folder, verification })
    }

    /// Whether it lies where a merged bundle has it.
    fn is_in_place(&self) -> bool {
        self.shard().map(folder).as_ref() == Some(&self.folder)
    }

    /// Which part of the run it says it is.
    pub(super) fn shard(&self) -> Option<Shard> {
        self.verification.plan.as_ref().and_then(|plan| plan.shard)
    }
}

/// The folder of a part in a merged bundle.
pub(super) fn folder(shard: Shard) -> String {
    format!("shards/{}/", shard.folder())
}

/// The parts that lie in a bundle; none where it is not merged. `paths`: all of its files.
pub(super) fn read<'a>(
    registry: &Registry,
    root: &Path,
    paths: impl Iterator<Item = &'a String>,
    events: &[Event],
    expected: &Expected,
    complaints: &mut Vec<Complaint>,
) -> Result<Vec<Part>> {
    let name = |path: &'a String| path.strip_prefix("shards/")?.split_once('/').map(|(name, _)| name);
    let names: BTreeSet<&str> = paths.filter_map(name).collect();
    let mut parts = Vec::new();
    for name in names {
        let folder = format!("shards/{name}/");
        let part = Part::read(registry, &root.join("shards").join(name), folder.clone(), expected, complaints)?;
        parts.push(part);
    }
    // Those in their own places first, so that it is the other one that is too many.
    parts.sort_by_key(|part| (part.shard(), !part.is_in_place()));
    if !parts.is_empty() {
        check(&parts, complaints);
    }
    parts.dedup_by(|double, first| double.shard().is_some() && double.shard() == first.shard());
    for part in parts.iter().filter(|part| !part.is_in_place()) {
        let says = part.shard().map_or("no part of a run".to_owned(), |shard| shard.to_string());
        complaints.push(Complaint::new(Code::ShardConflict, &part.folder, "the part of that name", says));
    }
    named(events, &parts, complaints);
    Ok(parts)
}

/// What the journal says was merged is what lies there.
fn named(events: &[Event], parts: &[Part], complaints: &mut Vec<Complaint>) {
    let merged = events.iter().filter_map(|event| match &event.body {
        Body::ShardMerged(merged) => Some((folder(merged.shard), Some(&merged.root_sha256))),
        _ => None,
    });
    let merged: BTreeMap<String, Option<&String>> = merged.collect();
    let there: BTreeMap<String, Option<&String>> =
        parts.iter().map(|part| (part.folder.clone(), part.verification.root_sha256.as_ref())).collect();
    let text = |root: Option<&Option<&String>>| root.copied().flatten().map_or("none".to_owned(), String::clone);
    for folder in merged.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
        let (expected, found) = (merged.get(folder), there.get(folder));
        let code = if found.is_none() { Code::ShardMissing } else { Code::ShardConflict };
        if expected != found {
            complaints.push(Complaint::new(code, folder, format!("root {}", text(expected)), text(found)));
        }
    }
}

/// What the merged bundle says was asked, and on what, is what its parts say.
pub(super) fn frozen(told: &Told, parts: &[Part], complaints: &mut Vec<Complaint>) {
    let Some(first) = parts.first().map(|part| &part.verification) else { return };
    let plan = first.plan.clone().map(|plan| PlanFile { shard: None, undivided: Vec::new(), ..plan });
    let same = [
        ("plan.json", told.plan == plan),
        ("scenarios.json", told.asked == first.asked),
        ("environment.json", told.environment == environment(parts)),
    ];
    let other = same.iter().filter(|(_, is_same)| !is_same);
    complaints.extend(other.map(|(file, _)| {
        let expected = format!("what {}{file} says, of all parts together", parts[0].folder);
        Complaint::new(Code::ShardConflict, file, expected, "something else")
    }));
}

/// On what the first part ran; clean where all of them were.
pub(super) fn environment(parts: &[Part]) -> Option<EnvironmentFile> {
    let checkout = |part: &Part| part.verification.environment.clone()?.checkout;
    let is_clean = parts.iter().all(|part| checkout(part).is_some_and(|checkout| checkout.clean));
    let first = parts.first()?.verification.environment.clone()?;
    let checkout = first.checkout.clone().map(|checkout| Checkout { clean: is_clean, ..checkout });
    Some(EnvironmentFile { checkout, ..first })
}

/// Complains about parts that are missing, that are there twice, and that do not belong together.
pub(super) fn check(parts: &[Part], complaints: &mut Vec<Complaint>) {
    all_there(parts, complaints);
    let Some((first, others)) = parts.split_first() else { return };
    for part in others {
        for (what, expected, found) in differences(first, part) {
            let expected = format!("{what} of {}: {expected}", first.folder);
            complaints.push(Complaint::new(Code::ShardConflict, &part.folder, expected, found));
        }
    }
    all_shared(parts, complaints);
    for part in parts {
        for scenario in &part.verification.record.scenarios {
            complaints.extend(part.shard().and_then(|shard| foreign(part, shard, scenario)));
        }
    }
}

/// A green part has its cases of every scenario that is divided.
fn all_shared(parts: &[Part], complaints: &mut Vec<Complaint>) {
    let scenarios = |part: &Part| part.verification.record.scenarios.clone();
    let is_divided = |scenario: &ScenarioRecord| !scenario.shares.is_empty();
    let divided: BTreeSet<String> =
        parts.iter().flat_map(scenarios).filter(is_divided).map(|scenario| scenario.scenario).collect();
    for part in parts.iter().filter(|part| part.verification.record.verdict == Some(Verdict::Pass)) {
        let own: BTreeSet<String> = scenarios(part).into_iter().map(|scenario| scenario.scenario).collect();
        complaints.extend(divided.difference(&own).map(|name| {
            let file = format!("{}{EVENTS}", part.folder);
            Complaint::new(Code::ShardConflict, &file, format!("its cases of {name}"), "nothing")
        }));
    }
}

fn all_there(parts: &[Part], complaints: &mut Vec<Complaint>) {
    let of = parts.iter().filter_map(Part::shard).map(Shard::of).max().unwrap_or(0);
    let mut seen: BTreeMap<u32, &str> = BTreeMap::new();
    for part in parts {
        let Some(shard) = part.shard() else {
            let what = "a part of a run, made with --shard";
            complaints.push(Complaint::new(Code::ShardConflict, &part.folder, what, "a whole run"));
            continue;
        };
        if shard.of() != of {
            complaints.push(Complaint::new(
                Code::ShardConflict,
                &part.folder,
                format!("one of {of} parts"),
                shard.to_string(),
            ));
        } else if let Some(other) = seen.insert(shard.nth(), &part.folder) {
            let found = format!("{shard} is {other} too");
            complaints.push(Complaint::new(Code::ShardDuplicate, &part.folder, "each part once", found));
        }
    }
    let missing = (1..=of).filter(|nth| !seen.contains_key(nth));
    complaints.extend(
        missing.map(|nth| Complaint::new(Code::ShardMissing, "shards/", format!("part {nth}/{of}"), "nothing")),
    );
}

/// In what two parts differ, of all that they must have in common.
fn differences(one: &Part, other: &Part) -> Vec<(String, String, String)> {
    let (one, other) = (common(&one.verification), common(&other.verification));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = names.into_iter().filter_map(|name| {
        // A scenario that only one part has is missed there, or is a whole one.
        let (expected, found) = (one.get(name)?, other.get(name)?);
        (expected != found).then(|| (name.clone(), head(expected), head(found)))
    });
    differ.collect()
}

fn head(value: &Value) -> String {
    let text = value.to_string();
    text.char_indices().nth(120).map_or(text.clone(), |(end, _)| format!("{}...", &text[..end]))
}

/// Plan, build, commit, signature; of each scenario its data, its tool, its cases, and what its golden runs came to.
fn common(verification: &Verification) -> BTreeMap<String, Value> {
    let plan = verification.plan.clone().map(|plan| PlanFile { shard: None, ..plan });
    let environment = verification.environment.as_ref();
    let commit = environment.and_then(|file| file.checkout.as_ref()).map(|checkout| checkout.commit.clone());
    let mut common = BTreeMap::from([
        ("plan.json".to_owned(), serde_json::json!(plan)),
        ("scenarios.json".to_owned(), serde_json::json!(verification.asked)),
        ("the build".to_owned(), serde_json::json!(environment.map(|file| &file.source_sha256))),
        ("the commit".to_owned(), serde_json::json!(commit)),
        ("whether it is signed".to_owned(), serde_json::json!(verification.is_signed)),
    ]);
    let outcome = outcome(&verification.record, &verification.states);
    for scenario in outcome["scenarios"].as_array().into_iter().flatten() {
        let name = scenario["scenario"].as_str().unwrap_or_default();
        let golden: Vec<&Value> =
            scenario["cases"].as_array().into_iter().flatten().filter(|case| case["address"].is_null()).collect();
        common.insert(format!("the golden runs of {name}"), serde_json::json!(golden));
        for what in ["seed", "dataset_sha256", "tool_sha256"] {
            common.insert(format!("{what} of {name}"), scenario[what].clone());
        }
    }
    for scenario in &verification.record.scenarios {
        common.insert(format!("the planned cases of {}", scenario.scenario), serde_json::json!(scenario.shares));
    }
    common
}

/// A case that the plan gives to another part.
fn foreign(part: &Part, shard: Shard, scenario: &ScenarioRecord) -> Option<Complaint> {
    if scenario.shares.is_empty() {
        return None;
    }
    let mut own: Vec<&String> = Vec::new();
    for share in &scenario.shares {
        own.extend(share.cases.iter().zip(share.own(shard)).filter(|(_, own)| *own).map(|(case, _)| case));
    }
    let mut is_own = |address: &String| {
        let at = own.iter().position(|own| *own == address);
        at.map(|at| own.swap_remove(at)).is_some()
    };
    let addresses = scenario.injured().filter_map(|case| case.address.as_ref()).map(ToString::to_string);
    let other = addresses.into_iter().find(|address| !is_own(address))?;
    let expected = format!("cases of part {shard} of {} only, each once", scenario.scenario);
    Some(Complaint::new(Code::ShardConflict, &format!("{}{EVENTS}", part.folder), expected, other))
}

/// What the parts saw together, and all states.
pub(super) fn together(own: RunRecord, plan: Option<&PlanFile>, parts: &[Part]) -> (RunRecord, States) {
    let order = plan.map_or(&[][..], |plan| &plan.scenarios);
    let records: Vec<(String, &RunRecord)> = parts
        .iter()
        .map(|part| (part.shard().map_or(part.folder.clone(), folder), &part.verification.record))
        .collect();
    let states = parts.iter().flat_map(|part| part.verification.states.clone()).collect();
    (merged(own, order, &records), states)
}

/// The worst of all parts: a run is never better than any of them.
pub(super) fn worst(parts: &[Part]) -> Verdict {
    Verdict::worst(parts.iter().map(|part| part.verification.record.verdict.unwrap_or(Verdict::Unknown)))
}
