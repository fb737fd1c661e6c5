//! The evidence: journal, bundle, canonical JSON, captured output, redaction, outcome.
#![allow(clippy::unwrap_used)] // the helpers of tests are tests

use proptest::collection::vec;
use proptest::prelude::*;
use rehearsal::ErrorKind;
use rehearsal::evidence::{self, Bundle, Capture, Journal};
use rehearsal::model::{
    Body, CheckResult, DatabaseState, Event, Moment, Outcome, RunRecord, ScenarioStart, States, TableDigest, Verdict,
    canonical,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

// ---- canonical JSON

#[rstest]
#[case(json!({"b": 1, "a": [true, null, "x"]}), r#"{"a":[true,null,"x"],"b":1}"#)]
#[case(json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7}),
    "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}")]
#[case(json!("\u{20ac}$\u{f}\u{a}A'B\"\\\\\"/\u{7f}"), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"")]
#[case(json!([-1, u64::MAX, {}, []]), "[-1,18446744073709551615,{},[]]")]
fn canonical_json_is_that_of_rfc_8785(#[case] value: Value, #[case] expected: &str) {
    assert_eq!(String::from_utf8(canonical::to_vec(&value).unwrap()).unwrap(), expected);
}

#[test]
fn a_float_is_no_canonical_json() {
    let error = canonical::to_vec(&json!({"rate": 0.5})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
    assert_eq!(error.to_string(), "0.5 is a float; canonical JSON holds integers only");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((any::<String>(), inner), 0..5).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_json_is_read_as_what_it_was_and_is_stable(value in any_json()) {
        let bytes = canonical::to_vec(&value).unwrap();
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(canonical::to_vec(&read).unwrap(), bytes);
    }
}

// ---- the bundle

/// Other people's programs judge what we seal, so they are called as other people would.
#[allow(clippy::disallowed_methods)] // children of this test alone: they read files and end
fn shell(dir: &Path, script: &str) -> Output {
    std::process::Command::new("sh").arg("-c").arg(script).current_dir(dir).output().unwrap()
}

fn state() -> DatabaseState {
    let mut state = DatabaseState::default();
    let mut table = TableDigest::default();
    table.add(b"1");
    state.tables.insert("app.users".to_owned(), table);
    state
}

#[test]
fn a_sealed_bundle_is_verified_by_coreutils_and_by_its_own_readme() {
    let out = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(out.path()).unwrap();
    let journal = Journal::create(&bundle.events(), None).unwrap();
    let text = "a \\ backslash, a \"quote\" and $HOME".to_owned();
    journal.append(Body::Note { case: None, text }).unwrap();
    journal.append(Body::RunFinished { verdict: Verdict::Pass, outcome_sha256: "0".repeat(64) }).unwrap();
    let digest = canonical::sha256(&state()).unwrap();
    bundle.write_state(&digest, &state()).unwrap();
    bundle.write_state(&digest, &state()).unwrap();
    bundle.write_json("plan.json", &json!({"b": 1, "a": 2})).unwrap();
    let case = bundle.case_dir("one-db/kill-anywhere/0001-9c1e03").unwrap();
    fs::write(case.join("01-run.stderr.log"), "gone").unwrap();
    bundle.write("attest/later.json", b"{}").unwrap();
    let sealed = bundle.seal().unwrap();

    let sums = fs::read_to_string(sealed.root().join("SHA256SUMS")).unwrap();
    let paths: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
    let state_path = format!("states/{digest}.json");
    assert_eq!(
        paths,
        [
            "README.txt",
            "cases/one-db/kill-anywhere/0001-9c1e03/01-run.stderr.log",
            "events.jsonl",
            "plan.json",
            &state_path
        ]
    );
    assert!(shell(sealed.root(), "sha256sum -c --strict SHA256SUMS").status.success());
    let readme = fs::read_to_string(sealed.root().join("README.txt")).unwrap();
    assert!(readme.lines().count() <= 12);
    let chain_loop: String =
        readme.lines().filter(|line| line.starts_with("   ") && !line.contains("-c ")).collect::<Vec<_>>().join("\n");
    assert_eq!(shell(sealed.root(), &chain_loop).stdout, b"", "{chain_loop}");
    let whole = fs::read_to_string(sealed.root().join("events.jsonl")).unwrap();
    fs::write(sealed.root().join("events.jsonl"), whole.replace("HOME", "HOPE")).unwrap();
    assert!(shell(sealed.root(), &chain_loop).stdout.starts_with(b"broken: "));
    assert!(!shell(sealed.root(), "sha256sum -c --strict SHA256SUMS").status.success());
    assert_eq!(fs::read_to_string(sealed.root().join("plan.json")).unwrap(), "{\"a\":2,\"b\":1}\n");
}

#[test]
fn many_threads_may_come_with_one_state() {
    let out = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(out.path()).unwrap();
    let digest = canonical::sha256(&state()).unwrap();
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| bundle.write_state(&digest, &state()).unwrap())));
    });
    assert_eq!(fs::read_dir(bundle.path("states").unwrap()).unwrap().count(), 1);
}

#[test]
fn runs_lie_side_by_side_sorted_by_time_and_latest_is_the_last_one() {
    let out = tempfile::tempdir().unwrap();
    let runs: Vec<String> = (0..5).map(|_| Bundle::create(out.path()).unwrap().run().to_owned()).collect();
    let mut sorted = runs.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, runs);
    let latest = fs::read_link(out.path().join("latest")).unwrap();
    assert_eq!(latest, Path::new(&format!("run-{}", runs[4])));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 6, "five runs, one link, nothing else");
}

#[test]
fn a_sealed_bundle_opens_through_latest_and_an_open_one_does_not() {
    let out = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(out.path()).unwrap();
    let error = Bundle::open(&out.path().join("latest")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Evidence);
    assert!(error.to_string().ends_with("is not sealed: it has no SHA256SUMS; run it again"), "{error}");

    let sealed = bundle.seal().unwrap();
    let opened = Bundle::open(&out.path().join("latest")).unwrap();
    assert_eq!((opened.run(), opened.root_sha256().unwrap()), (sealed.run(), sealed.root_sha256().unwrap()));
}

#[rstest]
#[case("", "has a part that is empty, `.` or `..`")]
#[case("../out", "has a part that is empty, `.` or `..`")]
#[case("/etc/passwd", "has a part that is empty, `.` or `..`")]
#[case("a//b", "has a part that is empty, `.` or `..`")]
#[case("a b", "has characters other than A-Z a-z 0-9 . _ / -")]
#[case("a\nb", "has characters other than A-Z a-z 0-9 . _ / -")]
#[case(&"a".repeat(181), "is longer than 180 bytes")]
fn a_path_that_is_not_a_bundles_is_refused(#[case] path: &str, #[case] why: &str) {
    let out = tempfile::tempdir().unwrap();
    let error = Bundle::create(out.path()).unwrap().write(path, b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Evidence);
    assert!(error.to_string().ends_with(why), "{error}");
}

#[test]
fn evidence_is_not_overwritten_and_no_link_is_sealed() {
    let out = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(out.path()).unwrap();
    bundle.write("plan.json", b"{}\n").unwrap();
    assert!(bundle.write("plan.json", b"[]\n").is_err());
    assert_eq!(fs::read(bundle.path("plan.json").unwrap()).unwrap(), b"{}\n");
    assert_eq!(bundle.write_state(&"0".repeat(64), &state()).unwrap_err().kind(), ErrorKind::Bug);

    std::os::unix::fs::symlink("/etc/hostname", bundle.path("link").unwrap()).unwrap();
    let error = bundle.seal().unwrap_err();
    assert_eq!(error.to_string(), "\"link\" cannot be part of a bundle: it is neither a regular file nor a directory");
}

// ---- captured output

#[rstest]
#[case("abcdefgh", 8, "abcdefgh")]
#[case("abcdefghi", 8, "abcd\n... 1 bytes left out ...\nfghi")]
#[case("", 8, "")]
fn a_long_stream_keeps_its_head_and_its_tail(#[case] stream: &str, #[case] limit: usize, #[case] kept: &str) {
    let mut capture = Capture::new(limit);
    capture.push(stream.as_bytes());
    assert_eq!(String::from_utf8(capture.finish().bytes).unwrap(), kept);
}

proptest! {
    #[test]
    fn captured_output_does_not_depend_on_the_chunks(chunks in vec(vec(any::<u8>(), 0..40), 0..12), limit in 0usize..60) {
        let (mut whole, mut parts) = (Capture::new(limit), Capture::new(limit));
        whole.push(&chunks.concat());
        chunks.iter().for_each(|chunk| parts.push(chunk));
        let whole = whole.finish();
        prop_assert_eq!(&parts.finish(), &whole);
        prop_assert_eq!(whole.total_bytes, chunks.concat().len() as u64);
        prop_assert_eq!(whole.sha256, canonical::sha256_hex(&chunks.concat()));
        prop_assert!(whole.bytes.len() <= limit + 50);
    }
}

// ---- the outcome

/// A run of two injured cases whose names, times, sources and order are free, and whose result is not.
fn run(order: [(&str, &str); 2], run: &str, target: &str, source: &str) -> RunRecord {
    let mut bodies = vec![
        Body::RunStarted { run: run.to_owned(), format: 1, version: "0.1.0".to_owned(), tier: "quick".to_owned() },
        Body::ScenarioStarted(ScenarioStart {
            scenario: "one-db/kill".to_owned(),
            dataset: "d".to_owned(),
            seed: 7,
            dataset_sha256: "d".repeat(64),
            tool_sha256: "e".repeat(64),
            sources: vec!["pg.source.general".to_owned()],
            ..ScenarioStart::default()
        }),
    ];
    for (case, address) in order {
        let case = format!("one-db/kill/{case}");
        let probe = |endpoint: &str, state: &str| Body::Probe {
            case: case.clone(),
            moment: Moment::End,
            endpoint: endpoint.to_owned(),
            state: state.to_owned(),
        };
        bodies.extend([
            Body::CaseStarted {
                case: case.clone(),
                scenario: "one-db/kill".to_owned(),
                address: Some(address.parse().unwrap()),
                label: None,
                token: None,
            },
            probe("pg.target", "before"),
            probe("pg.source.general", source),
            probe("pg.target", target),
            Body::CaseFinished {
                case: case.clone(),
                outcome: Outcome::Pass,
                checks: vec![CheckResult {
                    check: "parity".to_owned(),
                    verdict: Verdict::Pass,
                    findings: Vec::new(),
                    findings_total: 0,
                }],
                error: None,
            },
        ]);
    }
    let events: Vec<Event> = bodies
        .into_iter()
        .zip(1..)
        .map(|(body, seq)| Event { seq, prev: String::new(), t: format!("{run} {seq}"), mono_us: seq * 7, body })
        .collect();
    RunRecord::from_events(&events)
}

const FIRST: &str = "proc.kill@pg.target:commit.1";
const SECOND: &str = "proc.kill@pg.target:commit.2";

fn states() -> States {
    let with_server = |version: &str| {
        let mut state = state();
        state.catalog.insert("server".to_owned(), version.to_owned());
        Arc::new(state)
    };
    States::from([
        ("before".to_owned(), Arc::default()),
        ("after".to_owned(), with_server("15.1")),
        ("after on another server".to_owned(), with_server("17.2")),
    ])
}

#[test]
fn the_outcome_is_the_same_whatever_the_names_times_order_and_server() {
    let one = run([("0001-aa", FIRST), ("0002-bb", SECOND)], "a", "after", "s1");
    let other = run([("0001-bb", SECOND), ("0009-aa", FIRST)], "b", "after on another server", "s2");
    assert_eq!(evidence::outcome_sha256(&one, &states()), evidence::outcome_sha256(&other, &states()));
    assert_eq!(
        evidence::outcome(&one, &states())["scenarios"][0]["cases"][0],
        json!({
            "address": FIRST,
            "outcome": "PASS",
            "checks": {"parity": "pass"},
            "targets": {"pg.target": {"app.users": state().tables["app.users"]}},
        })
    );
}

#[test]
fn the_outcome_differs_when_the_data_does() {
    let cases = [("0001-aa", FIRST), ("0002-bb", SECOND)];
    let (good, bad) = (run(cases, "a", "after", "s"), run(cases, "a", "before", "s"));
    assert_ne!(evidence::outcome_sha256(&good, &states()), evidence::outcome_sha256(&bad, &states()));
}
