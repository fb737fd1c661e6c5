//! `rerun-as-declared`: running the last step that brings data once more does what the scenario says it does.
//!
//! `same-state` (the default): it succeeds. `refuses`: it does not. In both cases the state stays, which is
//! `golden-state`'s to see.

use crate::check::{Check, Judgement, finding};
use crate::model::{History, Moment, Phase, Rerun};

/// See the module.
pub(super) struct RerunAsDeclared;

impl Check for RerunAsDeclared {
    fn name(&self) -> &'static str {
        "rerun-as-declared"
    }

    fn about(&self) -> &'static str {
        "Running the last step that brings data once more does what the scenario says it does."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let end = history.case.step_ends().find(|end| end.phase == Phase::Rerun)?;
        let expected = match history.scenario.rerun {
            Rerun::SameState => (true, "success, as `[rerun] expect = \"same-state\"` says"),
            Rerun::Refuses => (false, "a refusal, as `[rerun] expect = \"refuses\"` says"),
        };
        let found = if end.success {
            "success".to_owned()
        } else {
            end.exit.map_or("a signal".into(), |code| format!("exit {code}"))
        };
        let place = Moment::after(Phase::Rerun, &end.step);
        let finding = || finding(place, format!("step `{}`", end.step), expected.1, found);
        Some(Judgement::from_findings((end.success != expected.0).then(finding).into_iter().collect()))
    }
}
