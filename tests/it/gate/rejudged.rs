//! Checks are asked again of what is on record: whoever writes other answers must write another history.

use super::forged::{Forged, KILLED, copying};
use crate::cli::Scratch;
use crate::shared::goes_with_us;
use rehearsal::check;
use rehearsal::gate::{Expected, Status};
use rehearsal::model::{Body, Outcome, RunRecord, Verdict};
use std::path::PathBuf;
use std::sync::LazyLock;

/// A tool that takes half a copy for a whole one: NO-GO.
static RED: LazyLock<(Scratch, PathBuf)> = LazyLock::new(|| {
    let text = include_str!("../../../scenarios/canary/non-empty-means-done.toml");
    let scratch = Scratch::with("half", text.split("[expect]").next().unwrap());
    goes_with_us(scratch.dir.path());
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let bundle = scratch.bundle();
    (scratch, bundle)
});

/// A copy of it.
pub(super) fn red() -> Forged {
    Forged::of(&RED.1)
}

#[test]
fn a_red_run_judged_anew_is_the_same_red_run() {
    let forged = Forged::of(&RED.1);
    let verification = forged.verify(&Expected { strict: true, ..Expected::default() });
    assert_eq!(verification.complaints, []);
    assert_eq!((verification.status(), verification.verdict()), (Status::Verified, Verdict::Fail));
}

/// Writes every answer green, and derives all that follows.
pub(super) fn whitewash(forged: &Forged) {
    forged.events(|events| {
        for event in &mut *events {
            match &mut event.body {
                Body::CaseFinished { outcome, checks, .. } => {
                    *outcome = Outcome::Pass;
                    for check in checks {
                        (check.verdict, check.findings_total) = (Verdict::Pass, 0);
                        check.findings.clear();
                    }
                }
                Body::ScenarioFinished { verdict, why, .. } => (*verdict, *why) = (Verdict::Pass, String::new()),
                Body::RunFinished { verdict, .. } => *verdict = Verdict::Pass,
                _ => {}
            }
        }
        let record = RunRecord::from_events(&*events);
        assert_eq!(check::scenario_verdict(&record.scenarios[0]).0, Verdict::Pass, "it is not green all the way");
    });
    forged.derive();
}

#[test]
fn a_run_that_was_written_green_is_caught_though_nothing_is_signed() {
    let forged = Forged::of(&RED.1);
    whitewash(&forged);
    assert_eq!(forged.codes(&Expected::default()), ["DERIVED_MISMATCH"]);
    let text = forged.verify(&Expected::default()).text();
    for part in ["golden-state of half/", "asked again: fail with", "found     pass"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn who_asks_less_of_a_scenario_is_caught_by_the_answers() {
    let forged = Forged::of(&RED.1);
    whitewash(&forged);
    forged.edit("scenarios.json", |text| text.replace("\"same_names\":true", "\"same_names\":false")).sum();
    assert_eq!(forged.codes(&Expected::default()), ["DERIVED_MISMATCH"]);
    let forged = Forged::of(&RED.1);
    forged.edit("scenarios.json", |text| text.replace("\"half\"", "\"whole\"")).sum();
    assert_eq!(forged.codes(&Expected::default()), ["PLAN_INCOMPLETE"]);
}

/// Two scenarios that differ in what strikes: the golden runs of one stand for both.
#[test]
fn golden_runs_of_a_scenario_that_asks_less_prove_nothing_for_one_that_asks_more() {
    let scratch = Scratch::with("calm", &copying("")).and("survives", &copying(KILLED));
    scratch.rehearse(&["run"]).has(0, "GO");
    let forged = Forged::of(&scratch.bundle());
    let events = std::fs::read_to_string(forged.path("events.jsonl")).unwrap();
    assert_eq!(events.matches("\"type\":\"golden.shared\"").count(), 1);
    assert_eq!(forged.codes(&Expected::default()), [""; 0]);
    let guard =
        "{\"before\":\"copy\",\"command\":{\"claims\":\"none\",\"exit\":[1],\"name\":\"no\",\"role\":\"verify\"}}";
    forged.edit("scenarios.json", |text| {
        let (calm, survives) = text.split_once("\"survives\"").unwrap();
        format!("{calm}\"survives\"{}", survives.replacen("\"guards\":[]", &format!("\"guards\":[{guard}]"), 1))
    });
    forged.sum();
    assert_eq!(forged.codes(&Expected::default()), ["DERIVED_MISMATCH"]);
    let text = forged.verify(&Expected::default()).text();
    assert!(text.contains("guard-refuses of calm/golden-1, asked again: unknown"), "{text}");
}

#[test]
fn another_word_for_the_same_answers_is_caught() {
    let forged = Forged::of(&RED.1);
    forged.events(|events| {
        for event in events {
            if let Body::CaseFinished { outcome, .. } = &mut event.body
                && *outcome == Outcome::Lied
            {
                *outcome = Outcome::Stuck;
            }
        }
    });
    forged.derive();
    assert_eq!(forged.codes(&Expected::default()), ["DERIVED_MISMATCH"]);
}
