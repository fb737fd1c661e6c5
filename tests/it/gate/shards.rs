//! A run on several machines: its parts have every case once, and together they are the run of one machine.

use super::forged::{Forged, copy, copying};
use crate::cli::{GREEN, Said, Scratch};
use crate::shared::goes_with_us;
use proptest::prelude::*;
use rehearsal::gate::{Expected, Status};
use rehearsal::model::{Shard, Verdict};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Twelve cases of two faults.
const SWEEPS: &str = r#"[[fault]]
kind = "proc.kill"
during = "copy"
at = "sweep"
[[fault]]
kind = "net.reset"
during = "copy"
at = "sweep"
"#;

const NAMES: [&str; 3] = ["sweeps", "looks", "half"];
/// A canary, which must be seen as a whole.
const HALF: &str = include_str!("../../../scenarios/canary/non-empty-means-done.toml");
const PARTS: u32 = 3;

/// A run of one machine, and one of three.
struct Runs {
    scratch: Scratch,
    whole: PathBuf,
    parts: Vec<PathBuf>,
    merged: PathBuf,
}

static RUNS: LazyLock<Runs> = LazyLock::new(|| {
    let scratch = Scratch::with("sweeps", &copying(SWEEPS)).and("looks", GREEN).and("half", HALF);
    goes_with_us(scratch.dir.path());
    run(&scratch, &["--out", "whole"]).has(0, "GO");
    let part = |nth: u32| {
        let (shard, out) = (format!("{nth}/{PARTS}"), format!("part-{nth}"));
        run(&scratch, &["--shard", &shard, "--out", &out]).has(0, "GO");
        latest(&scratch, &out)
    };
    let parts: Vec<PathBuf> = (1..=PARTS).map(part).collect();
    merge(&scratch, &parts, "merged").has(0, "GO");
    let (whole, merged) = (latest(&scratch, "whole"), latest(&scratch, "merged"));
    Runs { scratch, whole, parts, merged }
});

fn run(scratch: &Scratch, args: &[&str]) -> Said {
    let words: Vec<&str> = ["run"].iter().chain(&NAMES).chain(args).copied().collect();
    scratch.rehearse(&words)
}

fn merge(scratch: &Scratch, parts: &[PathBuf], out: &str) -> Said {
    let parts: Vec<String> = parts.iter().map(|part| part.display().to_string()).collect();
    let words: Vec<&str> =
        ["merge"].into_iter().chain(parts.iter().map(String::as_str)).chain(["--out", out]).collect();
    scratch.rehearse(&words)
}

fn latest(scratch: &Scratch, out: &str) -> PathBuf {
    scratch.dir.path().join(out).join("latest").canonicalize().unwrap()
}

fn report(bundle: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(bundle.join("report.json")).unwrap()).unwrap()
}

/// Addresses of the injured cases, sorted.
fn addresses(bundle: &Path) -> Vec<String> {
    let events = rehearsal::evidence::read(&bundle.join("events.jsonl")).unwrap();
    let record = rehearsal::model::RunRecord::from_events(&events);
    let of_sweeps = record.cases().filter(|(scenario, _)| scenario.scenario == "sweeps");
    let mut addresses: Vec<String> =
        of_sweeps.filter_map(|(_, case)| case.address.as_ref()).map(ToString::to_string).collect();
    addresses.sort();
    addresses
}

#[test]
fn a_merged_run_is_the_run_of_one_machine() {
    let runs = &*RUNS;
    let mut of_parts: Vec<Vec<String>> = runs.parts.iter().map(|part| addresses(part)).collect();
    assert!(of_parts.iter().all(|part| part.len() == 4), "not even: {of_parts:?}");
    let mut together = of_parts.concat();
    together.sort();
    assert_eq!(together, addresses(&runs.whole));
    of_parts.dedup();
    assert_eq!(of_parts.len(), 3);
    assert_eq!(report(&runs.merged)["outcome_sha256"], report(&runs.whole)["outcome_sha256"]);
    let cases = |bundle: &Path| {
        let text = fs::read_to_string(bundle.join("junit.xml")).unwrap();
        let mut names: Vec<String> =
            text.split("<testcase ").skip(1).map(|case| case.split(" time").next().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(cases(&runs.merged), cases(&runs.whole));
}

#[test]
fn a_merged_run_verifies_and_passes_where_a_part_of_it_does_not() {
    let forged = Forged::of(&RUNS.merged);
    let verification = forged.verify(&Expected { strict: true, ..Expected::default() });
    assert_eq!(verification.complaints, []);
    assert_eq!((verification.status(), verification.verdict()), (Status::Verified, Verdict::Pass));
    let gate =
        |bundle: &Path| RUNS.scratch.rehearse(&["gate", &bundle.display().to_string(), "--policy", "whole.toml"]);
    let policy = "format = 1\nname = \"whole\"\nwhole_plan = true\n";
    fs::write(RUNS.scratch.dir.path().join("whole.toml"), policy).unwrap();
    gate(&RUNS.merged).has(0, "PASSED");
    let part = gate(&RUNS.parts[0]);
    part.has(1, "it is one part of a run: `rehearse merge` joins them");
    assert_eq!(Forged::of(&RUNS.parts[0]).verify(&Expected::default()).complaints, []);
}

#[test]
fn parts_that_do_not_make_a_run_are_not_merged() {
    let runs = &*RUNS;
    let other = Scratch::with("sweeps", &copying(SWEEPS).replace("one transaction", "a transaction"))
        .and("looks", GREEN)
        .and("half", HALF);
    run(&other, &["--shard", "3/3", "--seed", "7"]).has(0, "GO");
    let stranger = other.bundle();
    let [one, two, three] = &runs.parts[..] else { panic!() };
    let refused = |parts: &[&PathBuf], code: &str| {
        let parts: Vec<PathBuf> = parts.iter().map(|part| (*part).clone()).collect();
        merge(&runs.scratch, &parts, "refused").has(3, code);
        assert!(!runs.scratch.dir.path().join("refused").exists(), "{code}: something was written");
    };
    refused(&[one, three], "SHARD_MISSING");
    refused(&[one, two, two, three], "SHARD_DUPLICATE");
    refused(&[one, two, &stranger], "SHARD_CONFLICT");
    refused(&[one, two, &runs.whole], "SHARD_CONFLICT");
    let torn = Forged::of(three);
    torn.edit("events.jsonl", |text| text.replace("one transaction", "a transaction"));
    refused(&[one, two, &torn.root()], "CHAIN_BROKEN");
}

#[test]
fn a_part_that_is_taken_out_of_a_merged_run_or_put_in_again_is_missed() {
    let codes = |work: &dyn Fn(&Forged)| {
        let forged = Forged::of(&RUNS.merged);
        work(&forged);
        forged.sum();
        let codes = forged.codes(&Expected::default());
        assert_ne!(forged.verify(&Expected::default()).status(), Status::Verified);
        codes
    };
    let has = |found: Vec<String>, code: &str| assert!(found.iter().any(|found| found == code), "{code}: {found:?}");
    has(codes(&|forged| fs::remove_dir_all(forged.path("shards/2-of-3")).unwrap()), "SHARD_MISSING");
    has(codes(&|forged| copy(&forged.path("shards/2-of-3"), &forged.path("shards/4-of-3"))), "SHARD_DUPLICATE");
    let swapped = codes(&|forged| {
        fs::rename(forged.path("shards/1-of-3"), forged.path("shards/x")).unwrap();
        fs::rename(forged.path("shards/2-of-3"), forged.path("shards/1-of-3")).unwrap();
        fs::rename(forged.path("shards/x"), forged.path("shards/2-of-3")).unwrap();
    });
    has(swapped, "SHARD_CONFLICT");
    let edited = codes(&|forged| {
        forged.edit("shards/1-of-3/plan.json", |text| text + " ");
    });
    has(edited, "SUM_MISMATCH");
}

#[test]
fn whoever_says_something_else_of_all_parts_than_they_do_is_caught() {
    let found = |file: &str, from: &str, to: &str| {
        let forged = Forged::of(&RUNS.merged);
        let text = fs::read_to_string(forged.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}: {text}");
        forged.edit(file, |text| text.replace(from, to)).sum();
        forged.codes(&Expected::default())
    };
    assert_eq!(found("plan.json", "\"budget_ms\":null", "\"budget_ms\":9"), ["SHARD_CONFLICT"]);
    assert_eq!(found("scenarios.json", "\"may_change\":[]", "\"may_change\":[\"*\"]"), ["SHARD_CONFLICT"]);
    assert_eq!(found("environment.json", "\"os\":\"linux\"", "\"os\":\"plan9\""), ["SHARD_CONFLICT"]);
}

#[test]
fn a_part_does_not_pass_for_the_whole() {
    let forged = Forged::of(&RUNS.parts[0]);
    let mut plan: serde_json::Value = serde_json::from_slice(&fs::read(forged.path("plan.json")).unwrap()).unwrap();
    let own = Forged::of(&RUNS.parts[0]).verify(&Expected::default()).plan.unwrap();
    plan["scenarios"] = serde_json::json!(own.own_scenarios());
    plan["shard"] = serde_json::Value::Null;
    forged.write("plan.json", &format!("{plan}\n")).sum();
    assert_eq!(forged.codes(&Expected::default()), ["PLAN_INCOMPLETE"]);
    assert!(forged.verify(&Expected::default()).text().contains("its journal plans for several machines"));
}

#[test]
fn what_was_red_in_a_merged_run_is_run_again() {
    let said = RUNS.scratch.rehearse(&["run", &format!("--failed={}", RUNS.merged.display())]);
    said.has(0, "nothing to do");
}

#[test]
fn pairs_cannot_be_divided() {
    let then = "at = \"sweep\"\nthen = { kind = \"net.reset\", at = \"sweep\" }\n";
    let scratch = Scratch::with("pairs", &copying(SWEEPS).replacen("at = \"sweep\"\n", then, 1));
    let said = scratch.rehearse(&["run", "--shard", "1/2", "--tier", "nightly"]);
    said.has(64, "pairs cannot be divided at the tier nightly");
    assert!(!scratch.out().exists());
    for wrong in ["0/2", "3/2", "1", "1/1001", "a/b"] {
        scratch.rehearse(&["run", "--shard", wrong]).has(64, "write it as in 1/3");
    }
}

proptest! {
    #[test]
    fn parts_are_disjoint_complete_and_even_whatever_the_order(
        list in proptest::collection::btree_set("[a-z]{1,6}", 0..40), of in 1u32..12, whose in "[a-z]{0,4}", turn in 0usize..40,
    ) {
        let list: Vec<String> = list.into_iter().collect();
        let own: Vec<Vec<bool>> = (1..=of).map(|nth| Shard::new(nth, of).unwrap().own(&whose, &list)).collect();
        for index in 0..list.len() {
            prop_assert_eq!(own.iter().filter(|own| own[index]).count(), 1, "{}", &list[index]);
        }
        let sizes: Vec<usize> = own.iter().map(|own| own.iter().filter(|own| **own).count()).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{:?}", sizes);
        let mut turned = list.clone();
        turned.rotate_left(turn % list.len().max(1));
        let first = Shard::new(1, of).unwrap();
        let taken = |list: &[String]| {
            let own = first.own(&whose, list);
            let mut taken: Vec<String> = list.iter().zip(own).filter(|(_, own)| *own).map(|(name, _)| name.clone()).collect();
            taken.sort();
            taken
        };
        prop_assert_eq!(taken(&turned), taken(&list));
    }
}
