//! `guard-refuses`: each command that must refuse does so, by its exit code, and leaves every database as it was.

use crate::check::{Check, Judgement, finding, findings_at};
use crate::model::{Body, Finding, Guard, History, Moment};

/// See the module.
pub(super) struct GuardRefuses;

impl Check for GuardRefuses {
    fn name(&self) -> &'static str {
        "guard-refuses"
    }

    fn about(&self) -> &'static str {
        "Each command that must refuse does so, by its exit code, and leaves every database as it was."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        if history.plan.guards.is_empty() || !history.is_golden() {
            return None;
        }
        let mut findings = Vec::new();
        for guard in history.plan.guards.iter().filter(|guard| is_reached(history, guard)) {
            let found = refusal(history, guard).and_then(|refusal| Some([refusal, changes(history, guard)?].concat()));
            let Some(found) = found else {
                return Some(Judgement::unknown(format!("guard `{}`", guard.command.name)));
            };
            findings.extend(found);
        }
        Some(Judgement::from_findings(findings))
    }
}

/// A procedure that stopped earlier never came to the guard, and is red for that.
fn is_reached(history: &History, guard: &Guard) -> bool {
    let step = history.plan.steps.iter().position(|step| step.name == guard.before);
    let before = step.and_then(|at| at.checked_sub(1)).map(|at| &history.plan.steps[at].name);
    before.is_none_or(|before| history.case.step_ends().any(|end| end.step == *before && end.success))
}

fn refusal(history: &History, guard: &Guard) -> Option<Vec<Finding>> {
    let ended = history.case.events.iter().find_map(|event| match event {
        Body::Guarded { guard: name, exit, refusals, said, .. } if *name == guard.command.name => {
            Some((*exit, refusals, *said))
        }
        _ => None,
    });
    let (exit, refusals, said) = ended?;
    let place = format!("before `{}`", guard.before);
    if exit.is_some_and(|code| refusals.contains(&code)) {
        let text = guard.says.clone().unwrap_or_default();
        let other = || finding(place, format!("output of guard `{}`", guard.command.name), text, "another reason");
        return Some((!said).then(other).into_iter().collect());
    }
    let expected: Vec<String> = refusals.iter().map(|code| format!("exit {code}")).collect();
    let found = exit.map_or("no end of its own".to_owned(), |code| format!("exit {code}"));
    let command = format!("guard `{}`", guard.command.name);
    Some(vec![finding(place, command, expected.join(" or "), found)])
}

/// What every database held just before, and holds after.
fn changes(history: &History, guard: &Guard) -> Option<Vec<Finding>> {
    let after = Moment::Guarded { guard: guard.command.name.clone() };
    let mut findings = Vec::new();
    for endpoint in history.plan.endpoints() {
        let moments = history.case.moments(&endpoint);
        let at = moments.iter().position(|moment| **moment == after)?;
        let before = history.state(moments[at.checked_sub(1)?], &endpoint)?;
        findings.extend(findings_at(&after, &endpoint, history.state(&after, &endpoint)?.differences(before)));
    }
    Some(findings)
}
