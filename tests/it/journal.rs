//! The journal: what is written is read, and what was changed is found.
#![allow(clippy::unwrap_used)] // the helpers of tests are tests

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rehearsal::ErrorKind;
use rehearsal::evidence::{self, Journal, Redactor};
use rehearsal::model::{
    Address, Body, CheckResult, Classification, Coverage, Difference, Event, ExpectRecord, Finding, GoldenShare,
    Moment, Outcome, Phase, Role, RowSum, RunRecord, ScenarioStart, TableDigest, Verdict,
};
use rstest::rstest;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

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

fn scenario_start() -> impl Strategy<Value = ScenarioStart> {
    let expect = (vec(text(), 0..3), option::of(outcome())).prop_map(|(red, outcome)| ExpectRecord { red, outcome });
    let classification = proptest::sample::select(vec![
        Classification::Synthetic,
        Classification::Anonymized,
        Classification::Confidential,
    ]);
    let data = (text(), option::of(classification), any::<u64>(), text());
    (text(), text(), option::of(text()), data, text(), vec(text(), 0..3), option::of(expect)).prop_map(
        |(scenario, about, flow, (dataset, classification, seed, dataset_sha256), tool_sha256, sources, expect)| {
            ScenarioStart {
                scenario,
                about,
                flow,
                dataset,
                classification,
                seed,
                dataset_sha256,
                tool_sha256,
                sources,
                expect,
            }
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let coverage = any::<(u64, u64, u64, u64)>().prop_map(|(points, classes, visited, lost)| Coverage {
        points,
        classes,
        visited,
        lost,
    });
    prop_oneof![
        (text(), any::<u32>(), text(), text()).prop_map(|(run, format, version, tier)| Body::RunStarted {
            run,
            format,
            version,
            tier
        }),
        scenario_start().prop_map(Body::ScenarioStarted),
        (text(), text()).prop_map(|(scenario, with)| Body::GoldenShared(GoldenShare { scenario, with })),
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

#[test]
fn a_secret_is_masked_before_it_is_written_or_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let observer = Box::new(move |event: &Event| sink.lock().unwrap().push(event.body.clone()));
    let journal = Journal::create(&path, Some(observer)).unwrap().redacting(Redactor::new(["hunter2\"hunter"]));
    journal.append(note("postgres://u:pw@h and hunter2\"hunter")).unwrap();
    journal.append(finished()).unwrap();

    let masked = note("postgres://u:***@h and ***");
    assert_eq!(seen.lock().unwrap()[0], masked);
    assert_eq!(evidence::read(&path).unwrap()[0].body, masked);
    assert!(!fs::read_to_string(&path).unwrap().contains("hunter"));
}
