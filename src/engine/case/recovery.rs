//! Which steps run in a case, and which lead out of it. Pure.

use crate::engine::Traces;
use crate::model::{FaultSpec, Landmark, Place, Plan, Recovery, Role, Scenario};
use std::collections::BTreeSet;

/// The steps of an injured case but for the way out, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Before the injured step.
    pub before: Vec<String>,
    /// The injured step.
    pub injured: String,
    /// After it.
    pub after: Vec<String>,
    /// After it, when the way out led to the golden state: what is left out of `after` would only say the same again.
    pub after_golden: Vec<String>,
}

/// The course of a case of `fault`.
///
/// Dry runs write nothing (a check of the golden run holds them to it), so no case repeats them. Rollback and cleanup
/// do not follow: the case ends in the golden state, from which the golden run showed them, or it is red already.
/// Steps in `idle` changed nothing at all in the golden run, neither a database nor a file; they are left out where
/// everything that they look at is as it was then.
pub fn course(plan: &Plan, fault: &FaultSpec, idle: &BTreeSet<String>) -> Course {
    let at = position(plan, &fault.during).unwrap_or(plan.steps.len());
    let names = |steps: &[crate::model::Step], skip: &[Role]| -> Vec<String> {
        steps.iter().filter(|step| !skip.contains(&step.role)).map(|step| step.name.clone()).collect()
    };
    let busy = |names: &[String]| names.iter().filter(|name| !idle.contains(*name)).cloned().collect::<Vec<_>>();
    let after = names(plan.steps.get(at + 1..).unwrap_or_default(), &[Role::DryRun, Role::Rollback, Role::Cleanup]);
    Course {
        before: busy(&names(&plan.steps[..at], &[Role::DryRun])),
        injured: fault.during.clone(),
        after_golden: busy(&after),
        after,
    }
}

fn position(plan: &Plan, step: &str) -> Option<usize> {
    plan.steps.iter().position(|known| known.name == step)
}

/// What was injured, as far as the way out depends on it.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Struck<'a> {
    /// The step; the one of the way out, when the way out itself was injured.
    pub(in crate::engine) step: &'a str,
    /// The kind of fault, with its argument.
    pub(in crate::engine) kind: &'a str,
    /// What passed the endpoints from the beginning of the step to its end.
    pub(in crate::engine) reached: &'a Traces,
}

/// The documented way out: the steps of the first recovery that matches; without any, the injured step again.
pub(in crate::engine) fn way_out(scenario: &Scenario, plan: &Plan, struck: &Struck<'_>) -> Vec<String> {
    let documented = scenario.recovery.iter().find(|recovery| matches(recovery, plan, struck));
    documented.map_or_else(|| vec![struck.step.to_owned()], |recovery| recovery.steps.clone())
}

fn matches(recovery: &Recovery, plan: &Plan, struck: &Struck<'_>) -> bool {
    recovery.step.as_ref().is_none_or(|step| step == struck.step)
        && recovery
            .kind
            .as_ref()
            .is_none_or(|kind| kind == struck.kind || Some(&**kind) == struck.kind.split('=').next())
        && recovery.before.as_ref().is_none_or(|landmark| side(landmark, plan, struck) == Some(Side::Before))
        && recovery.after.as_ref().is_none_or(|landmark| side(landmark, plan, struck) == Some(Side::After))
}

#[derive(PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// On which side of the landmark the fault struck; a step is on neither side of itself.
fn side(landmark: &Landmark, plan: &Plan, struck: &Struck<'_>) -> Option<Side> {
    match landmark {
        Landmark::Step(name) => match position(plan, struck.step)?.cmp(&position(plan, name)?) {
            std::cmp::Ordering::Less => Some(Side::Before),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Side::After),
        },
        Landmark::Place(place) if times(struck.reached, place) < place.nth => Some(Side::Before),
        Landmark::Place(_) => Some(Side::After),
    }
}

/// How often what `place` counts has passed.
fn times(reached: &Traces, place: &Place) -> u32 {
    let points = reached.get(&place.endpoint).map_or(&[][..], |trace| &trace.points);
    let counts = |point: &&crate::engine::proxy::Point| {
        point.axis == place.axis && (place.fingerprint.is_none() || place.fingerprint == point.fingerprint)
    };
    u32::try_from(points.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

/// What is to be done when the step at `injured` of a way out was injured in its turn, and `again` is the way out of
/// that: `again`, and then what the first way out still had to do. Where `again` leads to its last step, that is all.
pub(in crate::engine) fn resumed(way_out: &[String], injured: usize, again: Vec<String>) -> Vec<String> {
    let arrives = again.last() == way_out.last();
    let rest = if arrives { &[][..] } else { way_out.get(injured + 1..).unwrap_or_default() };
    again.into_iter().chain(rest.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::proxy::{Point, Trace};
    use crate::model::{Axis, Fingerprint, Known, Scenario};
    use rstest::rstest;

    fn scenario(during: &str, more: &str) -> (Scenario, Plan) {
        let step = |name: &str, role: &str| format!("[[step]]\nname = \"{name}\"\nrole = \"{role}\"\nargv = [\"x\"]\n");
        let steps = [
            ("plan", "prepare"),
            ("try", "dry-run"),
            ("run", "apply"),
            ("look", "verify"),
            ("switch", "cutover"),
            ("undo", "rollback"),
        ];
        let steps: String = steps.iter().map(|(name, role)| step(name, role)).collect();
        let fault = format!("[[fault]]\nkind = \"proc.kill\"\nduring = \"{during}\"\nat = \"sweep\"\n");
        let text = format!("format = 1\nabout = \"x\"\ndataset = \"d\"\n{steps}{fault}{more}");
        let kinds = ["proc.kill", "net.reset"].map(|kind| (kind.to_owned(), vec![Axis::Stmt, Axis::Commit]));
        let known = Known { kinds: kinds.into(), ..Known::default() };
        let scenario = Scenario::parse("x", &text, &known).unwrap();
        let plan = crate::flow::plan(&[], &scenario, None).unwrap();
        (scenario, plan)
    }

    fn course_with(during: &str, idle: &[&str]) -> Course {
        let (scenario, plan) = scenario(during, "");
        course(&plan, &scenario.faults[0], &idle.iter().map(|&name| name.to_owned()).collect())
    }

    /// Two commits and one `delete` came by at the target.
    fn reached() -> Traces {
        let point =
            |axis, sql: &str| Point { conn: 1, axis, fingerprint: Some(Fingerprint::of(sql)), label: sql.into() };
        let points = vec![
            point(Axis::Stmt, "insert"),
            point(Axis::Commit, "insert"),
            point(Axis::Stmt, "delete"),
            point(Axis::Commit, "delete"),
        ];
        Traces::from([("pg.target".to_owned(), Trace { points, ..Trace::default() })])
    }

    #[rstest]
    #[case::the_step_again_where_nothing_is_documented("", "run")]
    #[case::whatever_happens("steps = ['undo', 'run']", "undo run")]
    #[case::of_this_step("when = { step = 'run' }\nsteps = ['undo']", "undo")]
    #[case::of_another_step("when = { step = 'undo' }\nsteps = ['plan']", "run")]
    #[case::of_this_kind("when = { kind = 'proc.kill' }\nsteps = ['undo']", "undo")]
    #[case::of_another_kind("when = { kind = 'net.reset' }\nsteps = ['undo']", "run")]
    #[case::before_a_later_step("when = { before = 'switch' }\nsteps = ['undo']", "undo")]
    #[case::before_an_earlier_step("when = { before = 'plan' }\nsteps = ['undo']", "run")]
    #[case::before_the_step_itself("when = { before = 'run' }\nsteps = ['undo']", "run")]
    #[case::after_an_earlier_step("when = { after = 'plan' }\nsteps = ['undo']", "undo")]
    #[case::after_a_later_step("when = { after = 'switch' }\nsteps = ['undo']", "run")]
    #[case::after_the_step_itself("when = { after = 'run' }\nsteps = ['undo']", "run")]
    #[case::between_two("when = { after = 'plan', before = 'switch' }\nsteps = ['undo']", "undo")]
    #[case::after_a_place_that_was_reached("when = { after = 'pg.target:commit.2' }\nsteps = ['undo']", "undo")]
    #[case::after_a_place_that_was_not("when = { after = 'pg.target:commit.3' }\nsteps = ['undo']", "run")]
    #[case::before_a_place_that_was_reached("when = { before = 'pg.target:commit.2' }\nsteps = ['undo']", "run")]
    #[case::before_a_place_that_was_not("when = { before = 'pg.target:commit.3' }\nsteps = ['undo']", "undo")]
    #[case::between_two_places(
        "when = { after = 'pg.target:commit.1', before = 'pg.target:commit.3' }\nsteps = ['undo']",
        "undo"
    )]
    #[case::at_another_endpoint("when = { after = 'pg.source:commit.1' }\nsteps = ['undo']", "run")]
    #[case::both_must_hold("when = { step = 'undo', after = 'pg.target:commit.1' }\nsteps = ['undo']", "run")]
    #[case::the_first_that_matches("steps = ['plan']\n[[recovery]]\nsteps = ['undo']", "plan")]
    #[case::the_first_does_not_match(
        "when = { step = 'plan' }\nsteps = ['plan']\n[[recovery]]\nsteps = ['undo']",
        "undo"
    )]
    fn the_way_out(#[case] recovery: &str, #[case] expected: &str) {
        let head = if recovery.is_empty() { "" } else { "[[recovery]]\n" };
        let (scenario, plan) = scenario("run", &format!("{head}{}\n", recovery.replace('\'', "\"")));
        let (kind, reached) = ("proc.kill", reached());
        let found = way_out(&scenario, &plan, &Struck { step: "run", kind, reached: &reached });
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn a_place_may_be_that_of_one_statement() {
        let place = format!("pg.target:commit-{}.1", Fingerprint::of("delete"));
        let recovery = format!("[[recovery]]\nwhen = {{ after = \"{place}\" }}\nsteps = [\"undo\"]\n");
        let (scenario, plan) = scenario("run", &recovery);
        let of = |reached: &Traces| way_out(&scenario, &plan, &Struck { step: "run", kind: "proc.kill", reached });
        assert_eq!(of(&reached()), ["undo"]);
        let mut earlier = reached();
        earlier.get_mut("pg.target").unwrap().points.truncate(3);
        assert_eq!(of(&earlier), ["run"]);
    }

    #[rstest]
    #[case::the_only_step_again("run", 0, "run", "run")]
    #[case::the_first_again_and_then_the_rest("undo run", 0, "undo", "undo run")]
    #[case::the_last_again("undo run", 1, "run", "run")]
    #[case::all_again("undo run", 1, "undo run", "undo run")]
    #[case::all_again_from_the_first("undo run", 0, "undo run", "undo run")]
    #[case::a_way_that_ends_elsewhere("undo run look", 1, "plan", "plan look")]
    fn what_is_done_after_an_injured_way_out(
        #[case] first: &str,
        #[case] injured: usize,
        #[case] again: &str,
        #[case] expected: &str,
    ) {
        let steps = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(resumed(&steps(first), injured, steps(again)), steps(expected));
    }

    #[test]
    fn dry_runs_are_not_repeated_and_undoing_does_not_follow() {
        let course = course_with("run", &[]);
        assert_eq!(
            (course.before, course.after),
            (vec!["plan".to_owned()], vec!["look".to_owned(), "switch".to_owned()])
        );
        let course = course_with("undo", &[]);
        assert_eq!(course.before, ["plan", "run", "look", "switch"]);
        assert_eq!(course.after, [""; 0]);
    }

    #[test]
    fn idle_steps_are_left_out_before_and_where_the_golden_state_is_reached() {
        let course = course_with("run", &["plan", "look"]);
        assert_eq!(course.before, [""; 0]);
        assert_eq!(course.after, ["look", "switch"]);
        assert_eq!(course.after_golden, ["switch"]);
    }
}
