//! For each code a bundle that was stored with the code that wrote it: verifying it says exactly that.
//!
//! `tests/bundles/good/` holds two small runs, one of them merged; `tests/bundles/bad/<CODE>/` the files in which a bad one
//! differs from a good one, and in `REMOVED` the paths that it has not. They are written anew by
//! `UPDATE=1 cargo test --test it gate::stored`; needed where reports or answers of checks change.

use super::decided::of_another_version;
use super::forged::{Forged, copy, survivor};
use super::signed::{self, key, trusted};
use super::{ATTACKS, at_time};
use crate::cli::run;
use rehearsal::engine::SOURCE_SHA256;
use rehearsal::gate::{Code, Expected, Family, Merged, Status, TrustedKey, merge, verify};
use rehearsal::model::{Body, PlanFile, Verdict};
use rehearsal::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// All stored runs ended then, so that no clock is before them.
const THEN: &str = "2025-01-01T00:00:00.000000Z";
const REMOVED: &str = "REMOVED";

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundles")
}

/// A code, the good bundle that somebody has been at, and what was done.
type Bad = (&'static str, &'static str, fn(&Forged));

/// Those that no other test has, or not as small.
pub(super) const BADS: &[Bad] = &[
    ("SHARD_MISSING", "merged", |forged| {
        forged.events(|events| events.retain(|event| !is_part(&event.body, "2/2")));
        fs::remove_dir_all(forged.path("shards/2-of-2")).unwrap();
        again(forged);
    }),
    ("SHARD_DUPLICATE", "merged", |forged| {
        copy(&forged.path("shards/1-of-2"), &forged.path("shards/one-more"));
        again(forged);
    }),
    ("SHARD_CONFLICT", "merged", |forged| {
        let part = Forged::of(&forged.path("shards/2-of-2"));
        part.events(|events| {
            for event in events {
                if let Body::ScenarioStarted(start) = &mut event.body {
                    start.seed = 7;
                }
            }
        });
        part.derive();
        fs::remove_dir_all(forged.path("shards/2-of-2")).unwrap();
        copy(&part.root(), &forged.path("shards/2-of-2"));
        again(forged);
    }),
    ("COMMIT_MISMATCH", "one", |forged| checkout(forged, &"b".repeat(40), true)),
    ("TREE_DIRTY", "one", |forged| checkout(forged, &"a".repeat(40), false)),
    // Nobody has been at these: it is the verifier who expects something else.
    ("STALE", "one", |_| {}),
    ("TOOL_MISMATCH", "one", |_| {}),
    ("DATASET_MISMATCH", "one", |_| {}),
];

/// What the verifier expects, by code; it is never read from the bundle.
fn expected(code: &str) -> Expected {
    let by = |trusted: TrustedKey| Expected { trusted: vec![trusted], ..Expected::default() };
    let of_family = |code: &str| signed::ATTACKS.iter().any(|(_, codes, _)| *codes == [code]);
    match code {
        "STALE" => Expected { max_age_s: Some(24 * 60 * 60), ..Expected::default() },
        "COMMIT_MISMATCH" => Expected { commit: Some("a".repeat(40)), ..Expected::default() },
        "TREE_DIRTY" => Expected { clean_tree: true, ..Expected::default() },
        "TOOL_MISMATCH" => Expected { tools: vec!["a".repeat(64)], ..Expected::default() },
        "DATASET_MISMATCH" => Expected { datasets: vec!["a".repeat(64)], ..Expected::default() },
        "KEY_EXPIRED" => by(TrustedKey { until: Some("2024-12-31T23:59:59Z".to_owned()), ..trusted(&key(1)) }),
        "KEY_REVOKED" => by(TrustedKey { revoked: true, ..trusted(&key(1)) }),
        code if of_family(code) && code != "DERIVED_MISMATCH" => by(trusted(&key(1))),
        _ => Expected::default(),
    }
}

fn is_part(body: &Body, shard: &str) -> bool {
    matches!(body, Body::ShardMerged(merged) if merged.shard.to_string() == shard)
}

fn checkout(forged: &Forged, commit: &str, clean: bool) {
    let checkout = format!("\"checkout\":{{\"clean\":{clean},\"commit\":\"{commit}\"}}");
    forged.edit("environment.json", |text| text.replace("\"checkout\":null", &checkout)).derive();
}

/// Writes what follows from the parts of a merged run, as far as it verifies, and the sums.
fn again(forged: &Forged) {
    let roots: BTreeMap<String, String> = fs::read_dir(forged.path("shards"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, rehearsal::model::canonical::sha256_hex(&fs::read(path.join("SHA256SUMS")).unwrap()))
        })
        .collect();
    forged.events(|events| {
        for event in events {
            if let Body::ShardMerged(merged) = &mut event.body {
                merged.root_sha256 = roots[&merged.shard.folder()].clone();
            }
        }
    });
    for _ in 0..2 {
        let verification = forged.verify(&Expected::default());
        let (record, states) = (&verification.record, &verification.states);
        let outcome = rehearsal::evidence::outcome_sha256(record, states);
        for report in Registry::builtin().reports {
            fs::write(forged.path(report.file()), report.render(record, states)).unwrap();
        }
        forged.events(|events| {
            if let Some(Body::RunFinished { outcome_sha256, verdict }) = events.last_mut().map(|last| &mut last.body) {
                *outcome_sha256 = outcome.clone();
                *verdict = Verdict::worst(record.scenarios.iter().filter_map(|scenario| scenario.verdict));
            }
        });
    }
    forged.sum();
}

// ---- storing

/// All codes but those about people, which `kept` has.
fn codes() -> BTreeSet<String> {
    let is_of_people = |code: &Code| matches!(code.family(), Family::Signoffs | Family::Waivers);
    Code::ALL.into_iter().filter(|code| !is_of_people(code)).map(Code::word).collect()
}

/// All files below, by path.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                files.insert(below, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

fn update() {
    for stale in ["good", "bad"] {
        let _ = fs::remove_dir_all(folder().join(stale)); // there may be none
    }
    let one = Forged::new();
    at_time(&one, THEN);
    copy(&one.root(), &folder().join("good/one"));
    let scratch = survivor();
    let parts: Vec<PathBuf> = ["1/2", "2/2"]
        .iter()
        .map(|shard| {
            scratch.rehearse(&["run", "--shard", shard]).has(0, "GO");
            let part = Forged::of(&scratch.bundle());
            at_time(&part, THEN);
            let kept = scratch.dir.path().join(shard.replace('/', "-"));
            copy(&part.root(), &kept);
            kept
        })
        .collect();
    let out = scratch.dir.path().join("merged");
    let Merged::Done(done) = merge(&Registry::builtin(), &parts, &out, &Expected::default(), None).unwrap() else {
        panic!("the parts do not make a run")
    };
    let merged = Forged::of(&done.bundle);
    merged.events(|events| events.iter_mut().for_each(|event| event.t = THEN.to_owned())).sum();
    copy(&merged.root(), &folder().join("good/merged"));
    codes().iter().for_each(|code| store(code));
}

/// Writes in what the bad bundle of a code differs from the good one.
fn store(code: &str) {
    let (base, forged) = made(code);
    let (good, bad) = (files(&folder().join("good").join(base)), files(&forged.root()));
    let to = folder().join("bad").join(code);
    bad.iter().filter(|(path, bytes)| good.get(*path) != Some(bytes)).for_each(|(path, bytes)| write(&to, path, bytes));
    let removed: Vec<&str> = good.keys().filter(|path| !bad.contains_key(*path)).map(String::as_str).collect();
    write(&to, REMOVED, format!("{base}\n{}\n", removed.join("\n")).as_bytes());
}

/// The bad bundle of a code: the first attack that is found out by it alone.
fn made(code: &str) -> (&'static str, Forged) {
    let good = |base: &str| Forged::of(&folder().join("good").join(base));
    if let Some((_, base, work)) = BADS.iter().find(|(of, _, _)| *of == code) {
        let forged = good(base);
        work(&forged);
        return (base, forged);
    }
    let forged = good("one");
    let is_of = |codes: &[&str]| codes == [code];
    if let Some(attack) =
        ATTACKS.iter().find(|attack| is_of(attack.codes) && attack.what != "puts a link in place of a file")
    {
        (attack.work)(&forged);
    } else if let Some((_, _, work)) = signed::ATTACKS.iter().find(|(_, codes, _)| is_of(codes)) {
        work(&forged);
    } else {
        panic!("no attack is found out by {code} alone");
    }
    ("one", forged)
}

// ---- tests

/// What was known when the bundles were stored: a fault or a check that came later is no reason to write them anew.
pub(super) fn registry(good: &Path) -> Registry {
    let plan = fs::read(good.join("plan.json")).unwrap();
    let plan: PlanFile = serde_json::from_slice(&plan).unwrap();
    let mut registry = Registry::builtin();
    registry.faults.retain(|fault| plan.faults.iter().any(|name| name == fault.name()));
    registry.checks.retain(|check| plan.checks.iter().any(|name| name == check.name()));
    registry
}

/// A bundle in which something does not follow was stored by an earlier build: as if this one had written it.
fn adopt(forged: &Forged) {
    let environment = fs::read_to_string(forged.path("environment.json")).unwrap();
    let (_, rest) = environment.split_once("\"source_sha256\":\"").unwrap();
    let (before, after) = (&rest[..64], SOURCE_SHA256);
    forged.edit("environment.json", |text| text.replace(before, after)).sum();
}

/// The codes of what is wrong with a bundle, each once, and what is said of it.
pub(super) fn found(registry: &Registry, forged: &Forged, expected: &Expected) -> (Vec<String>, String) {
    let verification = verify(registry, &forged.root(), expected).unwrap();
    let mut codes: Vec<String> = verification.complaints.iter().map(|complaint| complaint.code.word()).collect();
    codes.dedup();
    (codes, verification.text())
}

/// `tests/bundles/versions/<version>/` are the good bundles as each version has written them. They are never written anew:
/// a later version may be unable to judge them, and must never accuse anybody.
#[test]
fn what_earlier_versions_have_written_is_never_called_a_forgery() {
    let folder = folder().join("versions");
    let versions: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!versions.is_empty());
    for bundle in versions.iter().flat_map(|version| ["one", "merged"].map(|name| version.join(name))) {
        let verification = Forged::of(&bundle).verify(&Expected::default());
        let (status, text) = (verification.status(), verification.text());
        assert!(matches!(status, Status::Verified | Status::OtherVersion), "{}: {text}", bundle.display());
        assert_eq!(verification.verdict() == Verdict::Pass, status == Status::Verified, "{text}");
    }
}

#[test]
fn what_another_version_would_write_otherwise_is_said_to_be_its_and_is_never_green() {
    let forged = Forged::new();
    of_another_version(&forged);
    let root = forged.root().display().to_string();
    let rehearse = |args: &[&str]| {
        let argv = [&[env!("CARGO_BIN_EXE_rehearse")], args].concat();
        run(&forged.root(), &std::env::vars_os().collect(), &argv)
    };
    let verified = rehearse(&["verify", &root]);
    verified.has(2, "OTHER_VERSION summary.md expected what version 0.1.0 (build 000000000000) makes of the journal");
    verified.has(2, "evidence written by another version, and not judged by this one");
    rehearse(&["verify", &root, "--format", "json"]).has(2, "\"status\":\"other-version\"");
    rehearse(&["gate", &root]).has(1, "unknown GEN-00");
    // What needs no rendering is found out whoever has written it.
    forged.edit("events.jsonl", |text| text.replace("one transaction", "a transaction")).sum();
    rehearse(&["verify", &root]).has(3, "CHAIN_BROKEN");
}

#[test]
fn each_code_has_a_stored_bundle_that_says_exactly_that() {
    if std::env::var_os("UPDATE").is_some() {
        update();
    }
    let registry = registry(&folder().join("good/one"));
    for base in ["one", "merged"] {
        let good = Forged::of(&folder().join("good").join(base));
        let (codes, text) = found(&registry, &good, &Expected::default());
        assert_eq!(codes, [""; 0], "{base}: {text}\nif you changed reports or checks, run this with UPDATE=1");
    }
    let stored: BTreeSet<String> = fs::read_dir(folder().join("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(stored, codes());
    let mut wrong = String::new();
    for code in stored {
        let bad = folder().join("bad").join(&code);
        let removed = fs::read_to_string(bad.join(REMOVED)).unwrap();
        let mut removed = removed.lines().filter(|line| !line.is_empty());
        let forged = Forged::of(&folder().join("good").join(removed.next().unwrap()));
        removed.for_each(|path| {
            forged.remove(path);
        });
        copy(&bad, &forged.root());
        forged.remove(REMOVED);
        if ["DERIVED_MISMATCH", "FAULT_NOT_FIRED", "CLAIM_MISMATCH", "CLAIM_STALE"].contains(&code.as_str()) {
            adopt(&forged);
        }
        let (codes, text) = found(&registry, &forged, &expected(&code));
        if codes != [code.as_str()] || !text.starts_with(&format!("{code}  ")) {
            wrong += &format!("{code}: {text}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let bytes: usize = files(&folder()).values().map(Vec::len).sum();
    assert!(bytes < 2_000_000, "{bytes} bytes are not small");
}
