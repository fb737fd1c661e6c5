//! `own-checks`: what the scenario itself asks, by a query or a command, is answered as it says.
//!
//! Asked when parity is: once the data is there, once the step that brings it ran again, and at the end of a case.

use crate::check::{Check, Judgement, finding, parity};
use crate::model::{Body, Finding, History, Moment};

/// See the module.
pub(super) struct OwnChecks;

impl Check for OwnChecks {
    fn name(&self) -> &'static str {
        "own-checks"
    }

    fn about(&self) -> &'static str {
        "What the scenario itself asks, by a query or a command, is answered as it says."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let moments = parity::moments(history);
        let questions = || moments.iter().flat_map(|at| history.scenario.checks.iter().map(move |check| (at, check)));
        let mut findings = Vec::new();
        for (moment, check) in questions() {
            match answer(history, moment, &check.name) {
                Some(found) => findings.extend(found),
                None => return Some(Judgement::unknown(format!("check `{}` {moment}", check.name))),
            }
        }
        questions().next().map(|_| Judgement::from_findings(findings))
    }
}

/// What speaks against it; `None` where it was not asked.
fn answer(history: &History, moment: &Moment, name: &str) -> Option<Option<Finding>> {
    history.case.events.iter().rev().find_map(|event| match event {
        Body::Asked { moment: at, check, holds, expected, found, .. } if at == moment && check == name => {
            let wrong = || finding(moment, format!("check `{name}`"), expected, found);
            Some((!holds).then(wrong))
        }
        _ => None,
    })
}
