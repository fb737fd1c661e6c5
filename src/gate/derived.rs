//! What follows from the journal, derived again and compared: reports byte for byte, verdicts, digests.

use crate::check;
use crate::evidence::attest::Slot;
use crate::evidence::{EVENTS, README, SUMS_PART, outcome_sha256};
use crate::gate::sealed::Sealed;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::canonical::sha256_hex;
use crate::model::{Body, CaseRecord, Verdict};
use crate::registry::Registry;
use std::collections::BTreeSet;

/// Files at the top that are not reports.
const OTHERS: [&str; 5] = ["README.txt", "plan.json", "scenarios.json", "environment.json", EVENTS];

/// Complains about files that no bundle has or that were changed; about what does not follow from the journal, by this
/// build, in `follows`.
pub(super) fn check(
    registry: &Registry,
    sealed: &Sealed,
    told: &Told,
    complaints: &mut Vec<Complaint>,
    follows: &mut Vec<Complaint>,
) {
    named_files(sealed, told, complaints);
    if !told.is_whole {
        return; // reports are written after the last event
    }
    let mut expected: Vec<(&str, Vec<u8>)> =
        registry.reports.iter().map(|report| (report.file(), report.render(&told.record, &told.states))).collect();
    expected.push(("README.txt", README.as_bytes().to_vec()));
    for (path, bytes) in &expected {
        match sealed.sha256.get(*path) {
            None => follows.push(Complaint::new(Code::FileMissing, path, "a file of every bundle", "nothing")),
            Some(found) if *found != sha256_hex(bytes) => follows.push(other(path, sealed, bytes)),
            Some(_) => {}
        }
    }
    verdicts(told, follows);
    let known: BTreeSet<&str> = OTHERS.into_iter().chain(expected.iter().map(|(path, _)| *path)).collect();
    let is_known = |path: &str| match path.split_once('/') {
        None => known.contains(path) || path == SUMS_PART && sealed.sums.is_none(),
        Some(("cases", rest)) => told.record.cases().any(|(_, case)| is_of(rest, case)),
        Some(("states", name)) => name.len() == 64 + ".json".len() && name.ends_with(".json"),
        // One that was killed while it signed leaves a part.
        Some(("attest", _)) => Slot::ALL.iter().any(|slot| path.trim_end_matches(".part") == slot.file()),
        Some(("shards", rest)) => rest.contains('/'),
        Some((folder, _)) => folder == "signoffs",
    };
    let extra = sealed.sha256.keys().filter(|path| !is_known(path));
    complaints.extend(extra.map(|path| Complaint::new(Code::FileExtra, path, "no such file in a bundle", "one")));
}

/// `path` is a log in the folder of `case`, not in a deeper one, or the differences that its journal names.
fn is_of(path: &str, case: &CaseRecord) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let is_log = name.ends_with(".stdout.log") || name.ends_with(".stderr.log");
    let has_differences = || case.events.iter().any(|event| matches!(event, Body::Differences { .. }));
    folder == case.case && (is_log || name == "diff.jsonl" && has_differences())
}

/// Where a derived file differs first.
fn other(path: &str, sealed: &Sealed, expected: &[u8]) -> Complaint {
    let found = sealed.bytes(path).unwrap_or_default();
    let same = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let expected = format!("what {EVENTS} and states/ give, {}", sha256_hex(expected));
    Complaint::new(Code::DerivedMismatch, path, expected, format!("other bytes from byte {same} on"))
}

/// A verdict may be worse than what follows, where a run was cut off, and never better.
fn verdicts(told: &Told, complaints: &mut Vec<Complaint>) {
    let mut wrong = |what: String, expected: Verdict, found: Option<Verdict>| {
        if found.is_some_and(|found| found < expected) {
            let found = format!("{what} says {}", found.map_or("nothing".to_owned(), |found| found.to_string()));
            complaints.push(Complaint::new(Code::DerivedMismatch, EVENTS, expected.to_string(), found));
        }
    };
    for scenario in &told.record.scenarios {
        if !scenario.cases.is_empty() {
            let what = format!("scenario.finished of {}", scenario.scenario);
            wrong(what, check::scenario_verdict(scenario).0, scenario.verdict);
        }
    }
    let is_empty_part = told.plan.as_ref().is_some_and(|plan| plan.shard.is_some() && plan.own_scenarios().is_empty());
    let empty = is_empty_part.then_some(Verdict::Pass);
    let worst =
        Verdict::worst(told.record.scenarios.iter().map(|s| s.verdict.unwrap_or(Verdict::Unknown)).chain(empty));
    wrong("run.finished".to_owned(), worst, told.record.verdict);
    let outcome = outcome_sha256(&told.record, &told.states);
    if outcome != told.record.outcome_sha256 {
        let found = format!("run.finished says outcome {}", told.record.outcome_sha256);
        complaints.push(Complaint::new(Code::DerivedMismatch, EVENTS, outcome, found));
    }
}

/// The files that events name by their digests.
fn named_files(sealed: &Sealed, told: &Told, complaints: &mut Vec<Complaint>) {
    let mut seen = BTreeSet::new();
    for event in &told.events {
        let (path, sha256) = match &event.body {
            Body::Probe { state, .. } => (format!("states/{state}.json"), state),
            Body::Differences { case, diff_sha256, .. } => (format!("cases/{case}/diff.jsonl"), diff_sha256),
            _ => continue,
        };
        if !seen.insert(path.clone()) {
            continue;
        }
        match sealed.sha256.get(&path) {
            None => complaints.push(Complaint::new(Code::FileMissing, &path, sha256, "nothing")),
            Some(found) if found != sha256 && path.ends_with(".jsonl") => {
                complaints.push(Complaint::new(Code::DerivedMismatch, &path, sha256, found));
            }
            Some(_) => {}
        }
    }
}
