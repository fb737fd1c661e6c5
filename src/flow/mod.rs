//! Flows: the plan of steps with roles. One file each, one line each to register.

mod consolidate;
mod one_db;

use crate::model::{Parity, Plan, Scenario, TargetSpec, Tool};
use crate::{Error, Result};

/// A procedure: which databases, which steps, and what must be true of the result.
pub trait Flow: Sync {
    /// The name in scenarios and in `rehearse tool`.
    fn name(&self) -> &'static str;

    /// What it moves, in one sentence.
    fn about(&self) -> &'static str;

    /// The names of its steps, in order.
    fn steps(&self) -> &'static [&'static str];

    /// What its runbook demands: the text of the rules, and the runbook that they quote.
    fn criteria(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// The plan for the data that `profile` (the text of the dataset's `profile.toml`) names.
    ///
    /// # Errors
    /// The profile does not parse, or belongs to another flow.
    fn plan(&self, profile: &str, tool: &Tool) -> Result<Plan>;
}

/// The built-in flows, in the order of the documentation.
pub static FLOWS: &[&dyn Flow] = &[&one_db::OneDb, &consolidate::Consolidate];

/// The plan of a scenario: that of its flow, with the scenario's own databases and steps in place of the flow's.
///
/// Without a flow every table of the sources must arrive under its own name, declared transformations apart.
///
/// # Errors
/// The flow is unknown, or has no profile in this dataset.
pub fn plan(flows: &[&dyn Flow], scenario: &Scenario, profile: Option<&str>) -> Result<Plan> {
    let mut plan = match &scenario.flow {
        None => {
            let parity = Parity { same_names: true, ..Parity::default() };
            Plan { targets: Vec::new(), steps: Vec::new(), guards: Vec::new(), parity }
        }
        Some(name) => {
            let flow = flows.iter().find(|flow| flow.name() == name);
            let flow = flow.ok_or_else(|| Error::environment(format!("there is no flow `{name}`")))?;
            let profile = profile.ok_or_else(|| {
                Error::environment(format!("dataset `{}` has no profile.toml for flow `{name}`", scenario.dataset))
            })?;
            flow.plan(profile, &scenario.tool)?
        }
    };
    for target in &scenario.targets {
        replace_or_add(&mut plan.targets, target);
    }
    if !scenario.steps.is_empty() {
        plan.steps = scenario.steps.clone();
    }
    // A flow's own guards belong to its own steps. What strikes takes nothing from a plan: golden runs are shared.
    if !scenario.steps.is_empty() {
        plan.guards.clear();
    }
    plan.guards.extend(scenario.guards.iter().cloned());
    plan.parity.maps.extend(scenario.maps.iter().cloned());
    Ok(plan)
}

fn replace_or_add(targets: &mut Vec<TargetSpec>, target: &TargetSpec) {
    match targets.iter_mut().find(|known| known.name == target.name) {
        Some(known) => known.clone_from(target),
        None => targets.push(target.clone()),
    }
}
