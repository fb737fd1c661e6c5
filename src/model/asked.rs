//! What checks read of a scenario besides its history, as it was before the run: so that its cases can be judged anew from
//! a bundle.

use crate::model::{OwnCheck, Plan, Rerun, Scenario, Tool};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `scenarios.json`: what was asked, by scenario. One that could not be planned is not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AskedFile {
    /// Version of this format.
    pub format: u32,
    /// By the name of the scenario.
    pub scenarios: BTreeMap<String, Asked>,
}

/// What must be true of one scenario. Command lines and variables are not in it: no check reads them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What running the injured step again after success must do.
    pub rerun: Rerun,
    /// The definitions of targets that the migration may change, as patterns.
    pub may_change: Vec<String>,
    /// Checks of the scenario's own.
    pub checks: Vec<OwnCheck>,
    /// Databases, steps, guards, and what must be true of the result.
    pub plan: Plan,
}

impl Asked {
    /// Of a scenario and its plan.
    pub fn of(scenario: &Scenario, plan: &Plan) -> Asked {
        let (may_change, checks) = (scenario.may_change.clone(), scenario.checks.clone());
        Asked { rerun: scenario.rerun, may_change, checks, plan: plan.clone() }
    }

    /// The scenario as checks see it; everything else is left empty.
    pub fn scenario(&self, name: &str) -> Scenario {
        Scenario {
            name: name.to_owned(),
            about: String::new(),
            flow: None,
            dataset: String::new(),
            tool: Tool { prefix: None, inputs: Vec::new() },
            seed: 0,
            needs: Vec::new(),
            own_server: false,
            targets: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
            recovery: Vec::new(),
            rerun: self.rerun,
            maps: Vec::new(),
            volatile: Vec::new(),
            services: Vec::new(),
            guards: Vec::new(),
            checks: self.checks.clone(),
            may_change: self.may_change.clone(),
            criteria: None,
            expect: None,
        }
    }
}
