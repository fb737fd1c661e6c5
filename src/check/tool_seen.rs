//! `tool-seen`: the steps that bring data were seen to speak with a target.
//!
//! A tool that goes past the proxies, or does nothing where the data is there already, can be injured nowhere: nothing
//! is shown of it. That is unknown, never green.

use crate::check::{Check, Judgement};
use crate::model::{Body, Engine, History, Role};

/// See the module.
pub(super) struct ToolSeen;

impl Check for ToolSeen {
    fn name(&self) -> &'static str {
        "tool-seen"
    }

    fn about(&self) -> &'static str {
        "The steps that bring data were seen to speak with a target."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let targets = history.plan.targets.iter().filter(|target| !target.is_source());
        let proxied: Vec<String> =
            targets.filter(|target| target.engine == Engine::Postgres).map(|target| target.endpoint()).collect();
        if !history.is_golden() || proxied.is_empty() || proxied.len() < history.plan.target_endpoints().len() {
            return None;
        }
        let brings =
            |name: &str| history.plan.step(name).is_some_and(|step| matches!(step.role, Role::Apply | Role::Cutover));
        let has_run = history.case.step_ends().any(|end| brings(&end.step));
        let spoke = history.case.events.iter().any(|event| match event {
            Body::Traffic { step, statements, .. } => {
                brings(step) && proxied.iter().any(|endpoint| statements.get(endpoint).is_some_and(|count| *count > 0))
            }
            _ => false,
        });
        let what = || format!("a statement from a step that brings data to {}", proxied.join(", "));
        has_run.then(|| if spoke { Judgement::pass() } else { Judgement::unknown(what()) })
    }
}
