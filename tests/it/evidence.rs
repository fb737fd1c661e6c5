//! The evidence: journal, bundle, canonical JSON, captured output, redaction, outcome.
#![allow(clippy::unwrap_used)] // the helpers of tests are tests

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rehearsal::ErrorKind;
use rehearsal::evidence::{self, Bundle, Capture, Journal, Redactor};
use rehearsal::model::{
    Address, Body, CheckResult, Coverage, DatabaseState, Difference, Event, ExpectRecord, Finding, Moment, Outcome,
    Phase, Role, RowSum, RunRecord, States, TableDigest, Verdict, canonical,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

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

// ---- the journal

fn text() -> BoxedStrategy<String> {
    any::<String>().boxed()
}

fn address() -> impl Strategy<Value = Address> {
    (1u32..99, any::<bool>()).prop_map(|(nth, forever)| {
        format!("sql.error=53100@pg.target:stmt-9c1e03.{nth}{}", if forever { "+" } else { "" }).parse().unwrap()
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Verdict::Pass), Just(Verdict::Unknown), Just(Verdict::Fail)]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(Outcome::ALL.to_vec())
}

fn phase() -> impl Strategy<Value = Phase> {
    proptest::sample::select(vec![Phase::Plan, Phase::Injured, Phase::Recovery, Phase::Rerun])
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        Just(Moment::Start),
        Just(Moment::End),
        (phase(), text()).prop_map(|(phase, step)| Moment::After { phase, step })
    ]
}

fn table_digest() -> impl Strategy<Value = TableDigest> {
    (any::<u64>(), any::<u64>(), any::<u128>()).prop_map(|(rows, bytes, sum)| TableDigest {
        rows,
        bytes,
        sum: RowSum(sum),
    })
}

fn check_result() -> impl Strategy<Value = CheckResult> {
    let finding = (text(), text(), text(), text()).prop_map(|(place, object, expected, found)| Finding {
        place,
        difference: Difference { object, expected, found },
    });
    (text(), verdict(), vec(finding, 0..3), any::<u64>())
        .prop_map(|(check, verdict, findings, findings_total)| CheckResult { check, verdict, findings, findings_total })
}

fn body() -> impl Strategy<Value = Body> {
    let expect = (vec(text(), 0..3), option::of(outcome())).prop_map(|(red, outcome)| ExpectRecord { red, outcome });
    let coverage =
        any::<(u64, u64, u64)>().prop_map(|(points, classes, visited)| Coverage { points, classes, visited });
    prop_oneof![
        (text(), any::<u32>(), text(), text()).prop_map(|(run, format, version, tier)| Body::RunStarted {
            run,
            format,
            version,
            tier
        }),
        (text(), text(), option::of(text()), text(), any::<u64>(), text(), text(), option::of(expect)).prop_map(
            |(scenario, about, flow, dataset, seed, dataset_sha256, tool_sha256, expect)| Body::ScenarioStarted {
                scenario,
                about,
                flow,
                dataset,
                seed,
                dataset_sha256,
                tool_sha256,
                expect
            }
        ),
        (text(), text(), text(), coverage).prop_map(|(scenario, kind, during, coverage)| Body::ScenarioPlanned {
            scenario,
            kind,
            during,
            coverage
        }),
        (text(), verdict(), text()).prop_map(|(scenario, verdict, why)| Body::ScenarioFinished {
            scenario,
            verdict,
            why
        }),
        (text(), text(), option::of(address()), option::of(text()), option::of(text())).prop_map(
            |(case, scenario, address, label, token)| Body::CaseStarted { case, scenario, address, label, token }
        ),
        (text(), text(), proptest::sample::select(Role::ALL.to_vec()), phase(), vec(text(), 0..4))
            .prop_map(|(case, step, role, phase, argv)| Body::StepStarted { case, step, role, phase, argv }),
        (
            text(),
            text(),
            phase(),
            option::of(any::<i32>()),
            option::of(any::<i32>()),
            any::<(bool, bool)>(),
            any::<u64>()
        )
            .prop_map(|(case, step, phase, exit, signal, (success, timed_out), duration_us)| {
                Body::StepFinished { case, step, phase, exit, signal, success, timed_out, duration_us }
            }),
        (text(), address()).prop_map(|(case, address)| Body::FaultArmed { case, address }),
        (text(), address(), text()).prop_map(|(case, address, what)| Body::FaultFired { case, address, what }),
        (text(), any::<u64>()).prop_map(|(case, waited_us)| Body::FaultCleared { case, waited_us }),
        (text(), moment(), text(), text()).prop_map(|(case, moment, endpoint, state)| Body::Probe {
            case,
            moment,
            endpoint,
            state
        }),
        (text(), moment(), any::<u32>(), table_digest(), table_digest())
            .prop_map(|(case, moment, map, source, target)| Body::Mapped { case, moment, map, source, target }),
        (text(), text(), phase(), option::of(any::<bool>()), text())
            .prop_map(|(case, step, phase, ok, note)| Body::Claim { case, step, phase, ok, note }),
        (text(), vec(text(), 0..3)).prop_map(|(case, found)| Body::Leftovers { case, found }),
        (option::of(text()), text()).prop_map(|(case, text)| Body::Note { case, text }),
        (text(), outcome(), vec(check_result(), 0..3), option::of(text()))
            .prop_map(|(case, outcome, checks, error)| Body::CaseFinished { case, outcome, checks, error }),
    ]
}

fn finished() -> Body {
    Body::RunFinished { verdict: Verdict::Pass, outcome_sha256: "0".repeat(64) }
}

fn note(text: &str) -> Body {
    Body::Note { case: None, text: text.to_owned() }
}

/// A journal of `bodies` and the end of the run.
fn written(dir: &Path, bodies: &[Body]) -> (std::path::PathBuf, Vec<Event>) {
    let path = dir.join("events.jsonl");
    let journal = Journal::create(&path, None).unwrap();
    bodies.iter().cloned().chain([finished()]).for_each(|body| journal.append(body).unwrap());
    (path, journal.events())
}

fn six_notes() -> Vec<Body> {
    (1..=5).map(|n| note(&format!("note {n}"))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_written_to_a_journal_is_read_from_it(bodies in vec(body(), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        let (path, events) = written(dir.path(), &bodies);
        let read = evidence::read(&path).unwrap();
        prop_assert_eq!(&read, &events);
        prop_assert_eq!(read.iter().map(|event| &event.body).take(bodies.len()).collect::<Vec<_>>(),
            bodies.iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_flipped_bit_before_the_last_line_is_always_found() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = written(dir.path(), &six_notes());
    let whole = fs::read(&path).unwrap();
    let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for at in 0..last_line {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 7);
        fs::write(&path, &bytes).unwrap();
        let error = evidence::read(&path).expect_err(&format!("byte {at}"));
        assert_eq!(error.kind(), ErrorKind::Evidence);
    }
}

/// Lines by number from 0; `""` tears the last one.
#[rstest]
#[case::deleted(&[0, 2, 3, 4, 5], "line 2 has number 3: a line is missing or moved")]
#[case::first_deleted(&[1, 2, 3, 4, 5], "line 1 has number 2: a line is missing or moved")]
#[case::swapped(&[0, 1, 3, 2, 4, 5], "line 3 has number 4: a line is missing or moved")]
#[case::twice(&[0, 1, 1, 2, 3, 4, 5], "line 3 has number 2: a line is missing or moved")]
#[case::cut(&[0, 1, 2], "line 4 is missing: the journal ends before `run.finished`, so the run is incomplete")]
#[case::empty(&[], "line 1 is missing: the journal ends before `run.finished`, so the run is incomplete")]
fn lines_that_are_not_where_they_were_are_named(#[case] lines: &[usize], #[case] expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = written(dir.path(), &six_notes());
    let whole = fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = whole.lines().collect();
    fs::write(&path, lines.iter().map(|line| format!("{}\n", all[*line])).collect::<String>()).unwrap();

    let error = evidence::read(&path).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Evidence, format!("{}: {expected}", path.display())));
}

#[test]
fn a_torn_last_line_is_named_and_the_rest_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let (path, events) = written(dir.path(), &six_notes());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();

    let (read, problem) = evidence::read_intact(&path).unwrap();
    assert_eq!(read, events[..5]);
    assert!(problem.unwrap().to_string().ends_with("line 6 is torn: it has no end"));
    assert_eq!(RunRecord::from_events(&read).verdict, None, "what is not finished is not green");
}

#[test]
fn a_changed_line_with_its_number_intact_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = written(dir.path(), &six_notes());
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("note 2", "note 7")).unwrap();
    let error = evidence::read(&path).unwrap_err().to_string();
    assert!(error.ends_with("line 3 does not follow the line before: one of the two was changed"), "{error}");
}

#[test]
fn many_threads_write_one_chain_and_the_observer_sees_it_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let journal = Journal::create(&path, Some(Box::new(move |event| sink.lock().unwrap().push(event.seq)))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|n| journal.append(note(&n.to_string())).unwrap()));
        }
    });
    journal.append(finished()).unwrap();
    assert_eq!(evidence::read(&path).unwrap(), journal.events());
    assert_eq!(*seen.lock().unwrap(), (1..=101).collect::<Vec<u64>>());
}

#[test]
fn a_journal_never_replaces_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = written(dir.path(), &[]);
    let error = Journal::create(&path, None).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
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
    journal.append(note("a \\ backslash, a \"quote\" and $HOME")).unwrap();
    journal.append(finished()).unwrap();
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

// ---- redaction

const SECRET: &str = "p\"/s&s <w>'\u{e9}";

#[rstest]
#[case::raw("x p\"/s&s <w>'\u{e9} y", "x *** y")]
#[case::percent_upper("p%22%2Fs%26s%20%3Cw%3E%27%C3%A9!", "***!")]
#[case::percent_lower_and_plus("p%22%2fs%26s+%3cw%3e'%c3%a9!", "***!")]
#[case::percent_of_everything("%70%22%2f%73%26%73%20%3c%77%3e%27%c3%a9", "***")]
#[case::json(r#"{"k":"p\"/s&s <w>'é"}"#, r#"{"k":"***"}"#)]
#[case::json_ascii(r#"{"k":"p\"\/s\u0026s \u003cw\u003e'\u00E9"}"#, r#"{"k":"***"}"#)]
#[case::xml("<a b=\"p&quot;/s&amp;s &lt;w&gt;&apos;\u{e9}\"/>", "<a b=\"***\"/>")]
#[case::xml_numbers("p&#34;/s&#38;s &#x3c;w&#x3E;&#39;&#233;", "***")]
#[case::sql("'p\"/s&s <w>''\u{e9}'", "'***'")]
#[case::hex("\\x70222f73267320 70222f732673203c773e27c3a9", "\\x70222f73267320 ***")]
#[case::hex_upper("70222F732673203C773E27C3A9", "***")]
fn a_known_secret_is_found_in_every_encoding(#[case] text: &str, #[case] masked: &str) {
    let redactor = Redactor::new([SECRET]);
    assert_eq!(String::from_utf8(redactor.mask(text.as_bytes())).unwrap(), masked);
    assert_eq!(redactor.find(text.as_bytes()).len(), 1);
    assert_eq!(redactor.find(masked.as_bytes()), [0usize; 0]);
}

/// `printf '%s' <prefix>hunter2hunter<suffix> | base64`, and with `tr '+/' '-_'`.
#[rstest]
#[case("aHVudGVyMmh1bnRlcg==")]
#[case("Omh1bnRlcjJodW50ZXI6")]
#[case("dTpodW50ZXIyaHVudGVyOjo=")]
fn a_known_secret_is_found_in_base64_whatever_stands_around_it(#[case] encoded: &str) {
    let masked = String::from_utf8(Redactor::new(["hunter2hunter"]).mask(encoded.as_bytes())).unwrap();
    assert!(masked.contains("***") && masked.len() <= 10, "{masked}");
}

#[rstest]
#[case("postgres://u:pa:ss@w@host:5432/db?x=1", "postgres://u:***@host:5432/db?x=1")]
#[case("postgres://u@host:5432/db and http://host:80/a@b", "postgres://u@host:5432/db and http://host:80/a@b")]
#[case("postgres://u:x@h", "postgres://u:***@h")]
#[case("host=h password=abc dbname=d", "host=h password=*** dbname=d")]
#[case("PGPASSWORD=abc psql", "PGPASSWORD=*** psql")]
#[case("password = 'a b' x", "password = '***' x")]
#[case(r#"{"password":"a b","n":1}"#, r#"{"password":"***","n":1}"#)]
#[case(r#"{"argv":"password=\"a b\" x"}"#, r#"{"argv":"password=\"***\" x"}"#)]
#[case(r#"{"log":"{\"password\": \"a b\"}"}"#, r#"{"log":"{\"password\": \"***\"}"}"#)]
#[case("alter role r PASSWORD 'abc';", "alter role r PASSWORD '***';")]
#[case("password must be changed; password: none", "password must be changed; password: none")]
#[case("password=", "password=")]
#[case("password=abc", "password=***")]
#[case(
    "a-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb",
    "a-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nb"
)]
#[case("-----BEGIN PRIVATE KEY-----\nMII", "-----BEGIN PRIVATE KEY-----***")]
#[case("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMII")]
fn what_looks_like_a_secret_is_masked(#[case] text: &str, #[case] masked: &str) {
    let redactor = Redactor::new([] as [&str; 0]);
    assert_eq!(String::from_utf8(redactor.mask(text.as_bytes())).unwrap(), masked);
    assert_eq!(String::from_utf8(redactor.mask(masked.as_bytes())).unwrap(), masked, "masking twice changes nothing");
    assert_eq!(redactor.find(masked.as_bytes()), [0usize; 0], "what is masked is no hit");
}

#[test]
fn overlapping_secrets_leave_nothing_of_either() {
    let redactor = Redactor::new(["abcd", "cdefgh", "abc"]);
    assert_eq!(redactor.mask(b"xabcdefghy"), b"x***y");
    assert_eq!(format!("{redactor:?}"), "Redactor");
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        SECRET,
        "p\"/s&s <w>",
        "p%22%2fs%26s+%3cw%3e'%c3%a9",
        "70222f732673203c773e27c3a9",
        "&",
        "%",
        "\\",
        "\n",
        " ",
        "'",
        "\"",
        "passw",
        "password",
        "=",
        ":",
        "abc",
        "postgres://",
        "u:x",
        "@",
        "/",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "-----END ",
        "--",
    ]);
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn masking_does_not_depend_on_the_chunks(text in pieces(), sizes in vec(1usize..9, 1..6)) {
        let redactor = Redactor::new([SECRET, "abc:"]);
        let (mut filter, mut rest, mut parts) = (redactor.filter(), text.as_bytes(), Vec::new());
        for size in sizes.iter().cycle() {
            let (chunk, later) = rest.split_at((*size).min(rest.len()));
            parts.extend(filter.push(chunk));
            rest = later;
            if rest.is_empty() { break; }
        }
        parts.extend(filter.finish());
        let whole = redactor.mask(text.as_bytes());
        prop_assert_eq!(String::from_utf8_lossy(&parts), String::from_utf8_lossy(&whole));
        prop_assert!(!String::from_utf8_lossy(&whole).contains(SECRET));
    }
}

#[test]
fn a_scan_names_the_file_and_the_offset() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    fs::write(dir.path().join("cases/a.log"), "ok hunter2hunter, hunter2hunter").unwrap();
    fs::write(dir.path().join("b.log"), "postgres://u:***@h, password=***, postgres://u:pw@h").unwrap();
    let hits = evidence::scan(dir.path(), &Redactor::new(["hunter2hunter"])).unwrap();
    let found: Vec<(String, u64)> =
        hits.iter().map(|hit| (hit.file.strip_prefix(dir.path()).unwrap().display().to_string(), hit.offset)).collect();
    assert_eq!(found, [("b.log".to_owned(), 47), ("cases/a.log".to_owned(), 3), ("cases/a.log".to_owned(), 18)]);
}

// ---- the outcome

/// A run of two injured cases whose names, times, sources and order are free, and whose result is not.
fn run(order: [(&str, &str); 2], run: &str, target: &str, source: &str) -> RunRecord {
    let mut bodies = vec![
        Body::RunStarted { run: run.to_owned(), format: 1, version: "0.1.0".to_owned(), tier: "quick".to_owned() },
        Body::ScenarioStarted {
            scenario: "one-db/kill".to_owned(),
            about: String::new(),
            flow: None,
            dataset: "d".to_owned(),
            seed: 7,
            dataset_sha256: "d".repeat(64),
            tool_sha256: "e".repeat(64),
            expect: None,
        },
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
