//! What there is to say of one case: its word, its first bad event, and the command that repeats it.

use super::words::duration;
use crate::model::{Body, CaseRecord, Outcome, Phase, ScenarioRecord, Verdict};

/// The word of a case and its meaning; `FAIL` and `UNKNOWN` where a check says more than the word does.
pub(super) fn word(case: &CaseRecord) -> (&'static str, &'static str) {
    let outcome = case.outcome.unwrap_or(Outcome::Unfinished);
    match case.verdict() {
        Verdict::Pass if case.address.is_none() => ("PASS", "the uninterrupted run ended as it should"),
        Verdict::Fail if case.address.is_none() && outcome == Outcome::Stuck => {
            (outcome.word(), "a step fails though nobody injured it")
        }
        verdict if outcome.verdict() == verdict => (outcome.word(), outcome.meaning()),
        Verdict::Fail => ("FAIL", "a check speaks against it"),
        _ => ("UNKNOWN", "a check could not be answered, so nothing was proved"),
    }
}

/// The name within its scenario: `0007-9c1e03`, `golden-1`.
pub(super) fn short_name(case: &CaseRecord) -> &str {
    case.case.rsplit_once('/').map_or(&case.case, |(_, name)| name)
}

/// Where it was struck; its name, where it was not.
pub(super) fn place(case: &CaseRecord) -> String {
    case.address.as_ref().map_or_else(|| short_name(case).to_owned(), ToString::to_string)
}

/// Its folder in the bundle, with a `/` at the end.
pub(super) fn folder(case: &CaseRecord) -> String {
    format!("{}cases/{}/", case.within, case.case)
}

/// The command that runs the case again.
pub(super) fn next_command(scenario: &ScenarioRecord, case: &CaseRecord) -> String {
    match &case.token {
        Some(token) => format!("rehearse replay {token}"),
        None => run_again(scenario),
    }
}

/// The command that runs the scenario again; without any case, the one that says what is wrong or missing.
pub(super) fn run_again(scenario: &ScenarioRecord) -> String {
    match scenario.cases.is_empty() {
        true => format!("rehearse list {}", scenario.scenario),
        false => format!("rehearse run {}", scenario.scenario),
    }
}

/// How long it took; nothing while it is not finished.
pub(super) fn took_us(case: &CaseRecord) -> Option<u64> {
    case.outcome.map(|_| case.duration_us)
}

/// The first event that should not have happened, or did not happen.
pub(super) fn first_bad_event(case: &CaseRecord) -> Option<String> {
    let bad = case.events.iter().find_map(|event| bad_event(event, case.outcome));
    let armed = case.events.iter().any(|event| matches!(event, Body::FaultArmed { .. }));
    let fired = case.events.iter().any(|event| matches!(event, Body::FaultFired { .. }));
    let missing = (armed && !fired).then(|| "the fault was armed, and no event says that it struck".to_owned());
    bad.or(missing).or_else(|| case.outcome.is_none().then(|| "the journal ends within this case".to_owned()))
}

fn bad_event(event: &Body, outcome: Option<Outcome>) -> Option<String> {
    match event {
        Body::StepFinished { step, phase, timed_out: true, duration_us, .. } => {
            Some(format!("step `{step}` ({phase}) was ended after {}: it went over its bound", duration(*duration_us)))
        }
        Body::StepFinished { step, phase, success: false, exit, signal, .. } if expected_to_succeed(*phase) => {
            Some(format!("step `{step}` ({phase}) {}", ending(*exit, *signal)))
        }
        Body::StepFinished { step, phase, success: true, exit, .. } if unjustified(*phase, outcome) => {
            Some(format!("step `{step}` ({phase}) {} although the data is wrong", ending(*exit, None)))
        }
        Body::Claim { step, phase, ok: Some(false), note, .. } if expected_to_succeed(*phase) => {
            Some(format!("step `{step}` ({phase}) says of itself: {note}"))
        }
        Body::Leftovers { found, .. } => found.first().map(|left| format!("left behind: {left}")),
        _ => None,
    }
}

/// An injured step may fail, and a rerun may be one that must refuse.
fn expected_to_succeed(phase: Phase) -> bool {
    matches!(phase, Phase::Plan | Phase::Recovery)
}

/// A success that the data does not bear out.
fn unjustified(phase: Phase, outcome: Option<Outcome>) -> bool {
    match outcome {
        Some(Outcome::Silent) => phase == Phase::Injured,
        Some(Outcome::Lied) => matches!(phase, Phase::Recovery | Phase::Relapse),
        _ => false,
    }
}

fn ending(exit: Option<i32>, signal: Option<i32>) -> String {
    match (exit, signal) {
        (Some(exit), _) => format!("exited {exit}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended, nobody knows how".to_owned(),
    }
}

/// One line for each event that a reader of a log wants to see, in order.
pub(super) fn log(case: &CaseRecord) -> Vec<String> {
    case.events.iter().filter_map(log_line).collect()
}

fn log_line(event: &Body) -> Option<String> {
    Some(match event {
        Body::StepFinished { step, phase, exit, signal, duration_us, .. } => {
            format!("step {step} ({phase}) {} after {}", ending(*exit, *signal), duration(*duration_us))
        }
        Body::FaultArmed { address, .. } => format!("armed {address}"),
        Body::FaultFired { address, what, .. } => format!("fired {address}: {what}"),
        Body::FaultCleared { waited_us, .. } => format!("cleared after {}", duration(*waited_us)),
        Body::Claim { step, phase, ok, note, .. } => {
            let says = ok.map_or("nothing", |ok| if ok { "ok" } else { "not ok" });
            format!("step {step} ({phase}) says {says}: {note}")
        }
        Body::Leftovers { found, .. } if !found.is_empty() => format!("left behind: {}", found.join("; ")),
        Body::Note { text, .. } => format!("note: {text}"),
        _ => return None,
    })
}
