//! The point of no return, as data: for each step of the plan, what going back from there costs. Pure.

use crate::model::{Body, CaseEvents, Lost, Moment, Phase, Role, WentBack};
use serde::Serialize;
use std::fmt;

/// Whether one can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Return {
    /// Everything is as it was, and no row is gone that is nowhere else.
    Lossless,
    /// It works, and rows are gone that no source holds.
    Lossy,
    /// No step of the plan goes back, or it did not succeed.
    Impossible,
    /// Nobody went back from there.
    Unknown,
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Return::Lossless => "lossless",
            Return::Lossy => "lossy",
            Return::Impossible => "impossible",
            Return::Unknown => "unknown",
        })
    }
}

/// What going back costs, once a step is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayBack {
    /// The step after which one goes back.
    pub after: String,
    /// The step that goes back; nothing where there is none, or nothing to go back from.
    pub by: Option<String>,
    /// Whether one can.
    pub kind: Return,
    /// The rows that are gone.
    pub lost: Vec<Lost>,
    /// How long going back takes.
    pub duration_us: Option<u64>,
}

/// A step of the uninterrupted run.
struct Taken {
    step: String,
    role: Role,
    success: bool,
    duration_us: u64,
}

/// A line for each step of the uninterrupted run that does not itself go back, in order.
///
/// `targets`: the endpoints that may be written to. `returns`: runs that went back earlier than the plan does, each by
/// the step after which it did.
pub fn ways_back(golden: &CaseEvents, returns: &[(String, CaseEvents)], targets: &[String]) -> Vec<WayBack> {
    let steps = taken(golden);
    let forward = steps.iter().enumerate().filter(|(_, step)| step.role != Role::Rollback);
    forward.map(|(at, step)| way_back(golden, returns, targets, &steps, at, step)).collect()
}

/// The steps from which the uninterrupted run does not show what going back costs, although the plan has a way.
pub fn not_shown(golden: &CaseEvents, targets: &[String]) -> Vec<String> {
    let all = ways_back(golden, &[], targets).into_iter();
    all.filter(|way| way.kind == Return::Unknown).map(|way| way.after).collect()
}

fn way_back(
    golden: &CaseEvents,
    returns: &[(String, CaseEvents)],
    targets: &[String],
    steps: &[Taken],
    at: usize,
    step: &Taken,
) -> WayBack {
    let way = |by: Option<&str>, kind| WayBack {
        after: step.step.clone(),
        by: by.map(str::to_owned),
        kind,
        lost: Vec::new(),
        duration_us: None,
    };
    let (now, start) = (states(golden, &after(&step.step), targets), states(golden, &Moment::Start, targets));
    if now.is_some() && now == start {
        return way(None, Return::Lossless);
    }
    let Some(back) = steps[at..].iter().position(|later| later.role == Role::Rollback).map(|offset| at + offset) else {
        return way(None, Return::Impossible);
    };
    let by = steps[back].step.as_str();
    let before = states(golden, &after(&steps[back - 1].step), targets);
    if now.is_some() && now == before {
        return gone_back(golden, targets, &step.step, &steps[back]);
    }
    match returns.iter().find(|(from, _)| *from == step.step) {
        None => way(Some(by), Return::Unknown),
        Some((_, events)) => match taken(events).into_iter().find(|taken| taken.step == by) {
            None => way(Some(by), Return::Unknown),
            Some(taken) => gone_back(events, targets, &step.step, &taken),
        },
    }
}

fn gone_back(events: &CaseEvents, targets: &[String], from: &str, back: &Taken) -> WayBack {
    let lost: Vec<Lost> = events
        .events
        .iter()
        .find_map(|event| match event {
            Body::WentBack(WentBack { step, lost, .. }) if *step == back.step => Some(lost.clone()),
            _ => None,
        })
        .unwrap_or_default();
    let restored = states(events, &after(&back.step), targets);
    let kind = match (back.success, restored == states(events, &Moment::Start, targets), lost.is_empty()) {
        (true, true, true) => Return::Lossless,
        (true, _, false) => Return::Lossy,
        _ => Return::Impossible,
    };
    let (after, by, duration_us) = (from.to_owned(), Some(back.step.clone()), Some(back.duration_us));
    WayBack { after, by, kind, lost, duration_us }
}

fn after(step: &str) -> Moment {
    Moment::after(Phase::Plan, step)
}

/// The states of all targets at a moment, if all were seen.
fn states<'a>(events: &'a CaseEvents, moment: &Moment, targets: &[String]) -> Option<Vec<&'a str>> {
    targets.iter().map(|endpoint| events.probe(moment, endpoint)).collect()
}

fn taken(events: &CaseEvents) -> Vec<Taken> {
    let role = |name: &str| {
        events.events.iter().find_map(|event| match event {
            Body::StepStarted { step, role, .. } if step == name => Some(*role),
            _ => None,
        })
    };
    let ended = events.events.iter().filter_map(|event| match event {
        Body::StepFinished { step, phase: Phase::Plan, success, duration_us, .. } => {
            Some(Taken { step: step.clone(), role: role(step)?, success: *success, duration_us: *duration_us })
        }
        _ => None,
    });
    ended.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &[(&str, Role, &str)], lost: &[(&str, u64)]) -> CaseEvents {
        let mut events = vec![probe(Moment::Start, "new")];
        for (step, role, state) in lines {
            let (case, step) = ("x/golden-1".to_owned(), (*step).to_owned());
            let (phase, argv, success) = (Phase::Plan, Vec::new(), *state != "fails");
            events.push(Body::StepStarted { case: case.clone(), step: step.clone(), role: *role, phase, argv });
            let (exit, signal, timed_out, duration_us) = (Some(0), None, false, 7);
            let moment = after(&step);
            if *role == Role::Rollback {
                let lost = lost.iter().map(|(table, rows)| Lost {
                    endpoint: "pg.target".into(),
                    table: (*table).to_owned(),
                    rows: Some(*rows),
                });
                events.push(Body::WentBack(WentBack { case: case.clone(), step: step.clone(), lost: lost.collect() }));
            }
            events.push(Body::StepFinished { case, step, phase, exit, signal, success, timed_out, duration_us });
            events.push(probe(moment, state));
        }
        CaseEvents { case: "x/golden-1".into(), address: None, events }
    }

    fn probe(moment: Moment, state: &str) -> Body {
        Body::Probe { case: "x/golden-1".into(), moment, endpoint: "pg.target".into(), state: state.into() }
    }

    fn shown(golden: &CaseEvents, returns: &[(String, CaseEvents)]) -> String {
        let line = |way: WayBack| {
            let lost: u64 = way.lost.iter().filter_map(|lost| lost.rows).sum();
            format!("{} {} {lost} {}", way.after, way.kind, way.duration_us.unwrap_or(0))
        };
        let ways = ways_back(golden, returns, &["pg.target".to_owned()]);
        ways.into_iter().map(line).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_plan_that_goes_back_from_where_it_is() {
        let golden = events(
            &[
                ("plan", Role::Prepare, "new"),
                ("run", Role::Apply, "done"),
                ("look", Role::Verify, "done"),
                ("undo", Role::Rollback, "new"),
            ],
            &[],
        );
        assert_eq!(shown(&golden, &[]), "plan lossless 0 0, run lossless 0 7, look lossless 0 7");
        assert_eq!(not_shown(&golden, &["pg.target".to_owned()]), [""; 0]);
    }

    #[test]
    fn rows_that_were_written_since_are_lost() {
        let golden = events(
            &[("run", Role::Apply, "done"), ("serve", Role::Cleanup, "more"), ("undo", Role::Rollback, "new")],
            &[("app.users", 3)],
        );
        assert_eq!(shown(&golden, &[]), "run unknown 0 0, serve lossy 3 7");
        assert_eq!(not_shown(&golden, &["pg.target".to_owned()]), ["run"]);
        let back = events(&[("run", Role::Apply, "done"), ("undo", Role::Rollback, "new")], &[]);
        assert_eq!(shown(&golden, &[("run".to_owned(), back)]), "run lossless 0 7, serve lossy 3 7");
    }

    #[test]
    fn where_nothing_goes_back_or_it_fails_it_is_impossible() {
        let golden = events(&[("run", Role::Apply, "done"), ("undo", Role::Rollback, "fails")], &[]);
        assert_eq!(shown(&golden, &[]), "run impossible 0 7");
        let golden = events(&[("run", Role::Apply, "done"), ("undo", Role::Rollback, "half")], &[]);
        assert_eq!(shown(&golden, &[]), "run impossible 0 7");
        let golden = events(
            &[("run", Role::Apply, "done"), ("undo", Role::Rollback, "new"), ("switch", Role::Cutover, "other")],
            &[],
        );
        assert_eq!(shown(&golden, &[]), "run lossless 0 7, switch impossible 0 0");
    }
}
