//! The one word for what became of a case: a function of its history and of what the checks answered.

use crate::check::parity;
use crate::model::{CheckResult, History, Outcome, Phase, Rerun, StepEnd, Verdict};

/// The word for a case that the harness finished.
pub fn classify(history: &History, checks: &[CheckResult]) -> Outcome {
    let ends: Vec<StepEnd> = history.case.step_ends().collect();
    let red = |name: &str| checks.iter().any(|check| check.check == name && check.verdict == Verdict::Fail);
    let wrong =
        ["parity", "golden-state", "catalog-equal", "own-checks", "rollback-restores", "dry-run-writes-nothing"];
    let wrong = wrong.into_iter().any(red);
    let struck_at = ends.iter().find(|end| end.phase == Phase::Injured);

    if !history.is_golden() && !history.case.fired() {
        return Outcome::NotFired;
    }
    if red("sources-unchanged") {
        return Outcome::SourceTouched;
    }
    if is_damaged(history) {
        return Outcome::Corrupt;
    }
    if ends.iter().any(|end| end.timed_out) {
        return Outcome::Hang;
    }
    // A tool may refuse to run twice, if the scenario says so.
    let refuses = history.scenario.rerun == Rerun::Refuses;
    let is_injured = |end: &StepEnd| matches!(end.phase, Phase::Injured | Phase::Relapse);
    let may_fail = |end: &StepEnd| is_injured(end) || refuses && end.phase == Phase::Rerun;
    let counts = |end: &&StepEnd| !may_fail(end);
    let all_succeeded = ends.iter().filter(counts).all(|end| end.success);
    // Exit 0 although it was injured: by itself it did right, or nobody was told that it did wrong.
    if let Some(StepEnd { success: true, .. }) = struck_at {
        return match (wrong, all_succeeded) {
            (true, true) if took_way_out(&ends) && !parity::is_wrong_at_once(history) => Outcome::Lied,
            (true, _) => Outcome::Silent,
            (false, false) => Outcome::Stuck,
            (false, true) => leak_or(Outcome::Absorbed, red("nothing-left-behind")),
        };
    }
    let recovered = ends.iter().filter(|end| end.phase == Phase::Recovery).all(|end| end.success);
    match (recovered, wrong) {
        (true, true) if struck_at.is_some() => Outcome::Lied,
        (false, false) if refuses && is_done(&ends, checks) => leak_or(Outcome::Pass, red("nothing-left-behind")),
        _ if !all_succeeded => Outcome::Stuck,
        (_, true) => Outcome::Silent,
        _ => leak_or(Outcome::Pass, red("nothing-left-behind")),
    }
}

/// After a write to a source it is taken whatever the exit code was.
fn took_way_out(ends: &[StepEnd]) -> bool {
    ends.iter().any(|end| end.phase == Phase::Recovery)
}

/// Whether a target was no database any more at any look; that a later run made it new does not heal it.
fn is_damaged(history: &History) -> bool {
    let targets = history.plan.target_endpoints();
    let damage = |digest| history.named(digest).is_some_and(|state| state.is_damaged());
    history.case.probes().any(|(_, endpoint, digest)| targets.iter().any(|target| target == endpoint) && damage(digest))
}

/// Cut off after its last commit, a tool refuses to run again because it is done: the data has arrived, and the last
/// step of the way out is the only one that failed.
fn is_done(ends: &[StepEnd], checks: &[CheckResult]) -> bool {
    let arrived = checks.iter().any(|check| check.check == "parity" && check.verdict == Verdict::Pass);
    let way_out: Vec<&StepEnd> = ends.iter().filter(|end| end.phase == Phase::Recovery).collect();
    let before = way_out.split_last().map_or(&[][..], |(_, before)| before);
    arrived && before.iter().all(|end| end.success) && ends.last().map(|end| end.phase) == Some(Phase::Recovery)
}

fn leak_or(outcome: Outcome, leaks: bool) -> Outcome {
    if leaks { Outcome::Leak } else { outcome }
}
