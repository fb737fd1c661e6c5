//! Which steps run in a case, and which lead out of it. Pure.

use crate::model::{FaultSpec, Plan, Role, Scenario};
use std::collections::BTreeSet;

/// The steps of an injured case, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Before the injured step.
    pub before: Vec<String>,
    /// The injured step.
    pub injured: String,
    /// The documented way out, when the injured step fails.
    pub recovery: Vec<String>,
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
pub fn course(scenario: &Scenario, plan: &Plan, fault: &FaultSpec, idle: &BTreeSet<String>) -> Course {
    let at = plan.steps.iter().position(|step| step.name == fault.during).unwrap_or(plan.steps.len());
    let names = |steps: &[crate::model::Step], skip: &[Role]| -> Vec<String> {
        steps.iter().filter(|step| !skip.contains(&step.role)).map(|step| step.name.clone()).collect()
    };
    let busy = |names: &[String]| names.iter().filter(|name| !idle.contains(*name)).cloned().collect::<Vec<_>>();
    let matches = |recovery: &&crate::model::Recovery| {
        recovery.step.as_ref().is_none_or(|step| *step == fault.during)
            && recovery.kind.as_ref().is_none_or(|kind| *kind == fault.kind)
    };
    let documented = scenario.recovery.iter().find(matches).map(|recovery| recovery.steps.clone());
    let after = names(plan.steps.get(at + 1..).unwrap_or_default(), &[Role::DryRun, Role::Rollback, Role::Cleanup]);
    Course {
        before: busy(&names(&plan.steps[..at], &[Role::DryRun])),
        injured: fault.during.clone(),
        recovery: documented.unwrap_or_else(|| vec![fault.during.clone()]),
        after_golden: busy(&after),
        after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Known, Scenario};

    fn course_of(during: &str, more: &str) -> Course {
        course_with(during, more, &[])
    }

    fn course_with(during: &str, more: &str, idle: &[&str]) -> Course {
        let step = |name: &str, role: &str| format!("[[step]]\nname = \"{name}\"\nrole = \"{role}\"\nargv = [\"x\"]\n");
        let steps =
            [("plan", "prepare"), ("try", "dry-run"), ("run", "apply"), ("look", "verify"), ("undo", "rollback")];
        let steps: String = steps.iter().map(|(name, role)| step(name, role)).collect();
        let fault = format!("[[fault]]\nkind = \"proc.kill\"\nduring = \"{during}\"\nat = \"sweep\"\n");
        let text = format!("format = 1\nabout = \"x\"\ndataset = \"d\"\n{steps}{fault}{more}");
        let known = Known { kinds: [("proc.kill".to_owned(), Vec::new())].into(), ..Known::default() };
        let scenario = Scenario::parse("x", &text, &known).unwrap();
        let plan = crate::flow::plan(&[], &scenario, None).unwrap();
        course(&scenario, &plan, &scenario.faults[0], &idle.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn the_injured_step_is_its_own_way_out_unless_the_scenario_says_otherwise() {
        assert_eq!(course_of("run", "").recovery, ["run"]);
        assert_eq!(course_of("run", "[[recovery]]\nsteps = [\"undo\", \"run\"]\n").recovery, ["undo", "run"]);
        let other = "[[recovery]]\nwhen = { step = \"undo\" }\nsteps = [\"plan\"]\n";
        assert_eq!(course_of("run", other).recovery, ["run"]);
        assert_eq!(course_of("undo", other).recovery, ["plan"]);
    }

    #[test]
    fn dry_runs_are_not_repeated_and_undoing_does_not_follow() {
        let course = course_of("run", "");
        assert_eq!((course.before, course.after), (vec!["plan".to_owned()], vec!["look".to_owned()]));
        let course = course_of("undo", "");
        assert_eq!(course.before, ["plan", "run", "look"]);
        assert_eq!(course.after, [""; 0]);
    }

    #[test]
    fn idle_steps_are_left_out_before_and_where_the_golden_state_is_reached() {
        let course = course_with("run", "", &["plan", "look"]);
        assert_eq!(course.before, [""; 0]);
        assert_eq!(course.after, ["look"]);
        assert_eq!(course.after_golden, [""; 0]);
    }
}
