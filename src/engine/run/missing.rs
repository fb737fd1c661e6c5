//! What a scenario needs and this machine or its servers have not.

use crate::Error;
use crate::engine::points::pairs;
use crate::engine::run::need;
use crate::fault::Hazard;
use crate::model::{FaultSpec, Plan, Scenario, Step};
use crate::registry::Registry;
use crate::target::{Capability, Offer, Sites};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What a scenario needs and is not here: `postgres`, or `postgres-18` where an endpoint asks for that version;
/// capabilities, programs and variables by name. Empty is good.
pub fn missing(registry: &Registry, plan: &Plan, scenario: &Scenario, sites: &Sites) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut folders = Vec::new();
    for version in plan.versions() {
        match sites.of(version).offer() {
            Ok(offer) => {
                folders.extend(offer.binaries.as_ref().map(|found| found.dir.clone()));
                missing.extend(lacking(offer, &needed(registry, scenario)));
            }
            Err(error) => missing.push(without_server(version, &error)),
        }
    }
    missing.extend(programs(plan, scenario, &folders));
    missing.extend(variables(plan));
    missing
}

fn without_server(version: Option<u32>, error: &Error) -> Missing {
    let what = version.map_or("postgres".to_owned(), |major| format!("postgres-{major}"));
    Missing::new(&what, error.to_string())
}

fn lacking(offer: &Offer, needed: &BTreeSet<Capability>) -> Vec<Missing> {
    let lacks = |need: &Capability| {
        let missing = Missing::new(need.name(), offer.lacks(*need)?);
        Some(Missing { is_essential: need.is_essential(), ..missing })
    };
    needed.iter().filter_map(lacks).collect()
}

/// `beside`: folders that stand after `PATH`.
fn programs(plan: &Plan, scenario: &Scenario, beside: &[PathBuf]) -> Vec<Missing> {
    let programs: BTreeSet<&String> = scenario.needs.iter().chain(plan.steps.iter().filter_map(own_program)).collect();
    let lacks = |need: &String| Some(Missing::new(need, need::lacks(need, beside)?));
    programs.into_iter().filter_map(lacks).collect()
}

fn variables(plan: &Plan) -> Vec<Missing> {
    let names: BTreeSet<&String> = plan.steps.iter().flat_map(|step| &step.env_from).collect();
    let unset = names.into_iter().filter(|name| std::env::var_os(name).is_none());
    unset.map(|name| Missing::new(name, format!("variable {name}, which a step asks for, is not set"))).collect()
}

/// What a scenario needs of its server.
fn needed(registry: &Registry, scenario: &Scenario) -> BTreeSet<Capability> {
    let hazard = |fault: &FaultSpec| registry.fault(&fault.kind)?.hazard(fault.arg.as_deref()).ok();
    let hazards: Vec<Hazard> = scenario.faults.iter().filter_map(hazard).collect();
    let files = scenario.faults.iter().any(pairs::strike_server_files);
    let is_alone = scenario.own_server || hazards.iter().any(|hazard| hazard.needs_own_server());
    [Capability::Sessions, Capability::Superuser]
        .into_iter()
        .chain((is_alone || files).then_some(Capability::OwnServer))
        .chain(files.then_some(Capability::ServerFiles))
        .chain(hazards.into_iter().filter_map(needs))
        .collect()
}

/// What a hazard needs beside a server of the case's own.
fn needs(hazard: Hazard) -> Option<Capability> {
    match hazard {
        Hazard::PauseServer { .. } => Some(Capability::Pause),
        Hazard::LimitMemory { .. } => Some(Capability::Memory),
        _ => None,
    }
}

/// The program of a step, where it is looked up in `PATH`.
fn own_program(step: &Step) -> Option<&String> {
    step.argv.first().filter(|program| !program.contains(['/', '{']))
}

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name for `--allow-missing`.
    pub what: String,
    /// What was tried and how to get it.
    pub how: String,
    /// Whether the scenario cannot be rehearsed at all without it.
    pub is_essential: bool,
}

impl Missing {
    fn new(what: &str, how: String) -> Missing {
        Missing { what: what.to_owned(), how, is_essential: true }
    }
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Error {
        Error::environment(missing.how)
    }
}

/// What cannot be done on this platform, in a sentence; nothing on Linux, where everything can.
pub fn platform_limits() -> Option<&'static str> {
    match std::env::consts::OS {
        "linux" => None,
        "macos" => Some("macOS: processes that leave their group are not found; /dev/shm is not used"),
        _ => Some("this platform is not promised: Linux in full, macOS nearly, nothing else"),
    }
}
