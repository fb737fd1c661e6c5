//! From a scenario to its data and its plan, and what is wrong with it that its text alone does not show.

use crate::dataset::Dataset;
use crate::engine::Library;
use crate::engine::case::placeholder::fill;
use crate::engine::points::pairs;
use crate::engine::run::context::loses_power;
use crate::engine::run::tool_digest::declared_files;
use crate::engine::run::{criteria, linkage};
use crate::fault::{FileHarm, Hazard};
use crate::model::{Criterion, Engine, FaultSpec, Landmark, Place, Plan, Recovery, Scenario, Step, Then};
use crate::registry::Registry;
use crate::{Error, Result, flow};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What a scenario needs before anything runs.
pub(in crate::engine) struct Prepared {
    pub(in crate::engine) dataset: Dataset,
    /// The folder of the dataset.
    pub(in crate::engine) dataset_dir: PathBuf,
    pub(in crate::engine) plan: Plan,
    /// What its runbook demands.
    pub(in crate::engine) criteria: Vec<Criterion>,
}

/// The plan of a scenario.
///
/// # Errors
/// No such dataset, size, database or endpoint; a profile that does not parse.
pub fn plan(registry: &Registry, library: &Library, scenario: &Scenario) -> Result<Plan> {
    prepare(registry, library, scenario).map(|prepared| prepared.plan)
}

pub(in crate::engine) fn prepare(registry: &Registry, library: &Library, scenario: &Scenario) -> Result<Prepared> {
    let dataset = Dataset::find(&library.fixtures, &scenario.dataset, scenario.seed)?;
    let mut folders = library.fixtures.iter().map(|fixtures| fixtures.join(&dataset.name));
    let dataset_dir = folders.find(|folder| folder.is_dir());
    let dataset_dir = dataset_dir.ok_or_else(|| Error::bug(format!("dataset `{}` has no folder", dataset.name)))?;
    let profile = std::fs::read_to_string(dataset_dir.join("profile.toml")).ok();
    let plan = flow::plan(&registry.flows, scenario, profile.as_deref())?;
    known_databases(&dataset, &plan)?;
    brings_data(&plan)?;
    known_places(registry, scenario, &plan)?;
    linkage::traced(&plan)?;
    scenario.faults.iter().try_for_each(|fault| linkage::known(registry, library, fault, &plan))?;
    known_sources(&plan)?;
    known_placeholders(scenario, &plan)?;
    declared_files(&scenario.tool.inputs, &library.root)?;
    let criteria = criteria::of(registry, library, scenario, &plan)?;
    Ok(Prepared { dataset, dataset_dir, plan, criteria })
}

fn known_databases(dataset: &Dataset, plan: &Plan) -> Result<()> {
    plan.targets.iter().try_for_each(|target| {
        let found = dataset.database(&target.database);
        found.map(|_| ()).map_err(|error| error.within(format!("target `{}`", target.name)))
    })
}

/// Every place is at an endpoint that its kind can strike, and every kind has the argument that it needs.
fn known_places(registry: &Registry, scenario: &Scenario, plan: &Plan) -> Result<()> {
    for fault in &scenario.faults {
        known_argument(registry, &fault.kind, fault.arg.as_deref())?;
        known_loss(registry, fault, plan)?;
        if let Some(then) = &fault.then {
            known_argument(registry, &then.kind, then.arg.as_deref())?;
            leads_out(scenario, fault, then)?;
        }
        for meant in pairs::meant(fault) {
            let hazard = registry.fault(meant.kind).and_then(|fault| fault.hazard(meant.arg).ok());
            match (meant.place, hazard) {
                (Some(place), hazard) => {
                    known_endpoint(plan, place, struck(hazard, place), &format!("{} cannot strike", meant.kind))?;
                }
                (None, Some(Hazard::InjureFile(FileHarm::LogFull))) => return Err(unswept(meant.kind)),
                (None, _) => {}
            }
        }
    }
    let marks = scenario.recovery.iter().flat_map(|recovery| recovery.before.iter().chain(&recovery.after));
    marks.into_iter().try_for_each(|mark| match mark {
        Landmark::Place(place) => known_endpoint(plan, place, counted(place), "[[recovery]]: nothing is counted"),
        Landmark::Step(_) => Ok(()),
    })
}

/// The step of the second fault is on a way out of the first.
fn leads_out(scenario: &Scenario, fault: &FaultSpec, then: &Then) -> Result<()> {
    let Some(during) = &then.during else { return Ok(()) };
    let of_the_step = |recovery: &&Recovery| recovery.step.as_ref().is_none_or(|step| *step == fault.during);
    let documented = scenario.recovery.iter().filter(of_the_step).flat_map(|recovery| &recovery.steps);
    let steps: BTreeSet<&String> = documented.chain([&fault.during]).collect();
    if steps.contains(during) {
        return Ok(());
    }
    let list: Vec<String> = steps.into_iter().map(|step| format!("`{step}`")).collect();
    let text = format!("then: `{during}` is on no way out of `{}`; there are: {}", fault.during, list.join(", "));
    Err(Error::environment(text))
}

/// A loss of power is made of what was done to files: it knows nothing of a server, and strikes no way out.
fn known_loss(registry: &Registry, fault: &FaultSpec, plan: &Plan) -> Result<()> {
    let loses = |name: &str| registry.fault(name).is_some_and(loses_power);
    if let Some(then) = fault.then.as_ref().filter(|then| loses(&then.kind)) {
        let text = format!(
            "{} cannot strike the way out of another fault: its states are made of what a golden run did to files, and a \
             way out has none; let it be the first",
            then.kind
        );
        return Err(Error::environment(text));
    }
    match plan.targets.iter().find(|target| loses(&fault.kind) && target.engine != Engine::Sqlite) {
        None => Ok(()),
        Some(target) => {
            let text = format!(
                "{} needs that every database is a file, and `{}` is on a server: what that had committed when the files \
                 were in some state, the record of files does not tell",
                fault.kind, target.name
            );
            Err(Error::environment(text))
        }
    }
}

fn known_argument(registry: &Registry, kind: &str, arg: Option<&str>) -> Result<()> {
    let fault = registry.fault(kind).ok_or_else(|| Error::bug(format!("no fault `{kind}`")))?;
    fault.hazard(arg).map(drop).map_err(|why| Error::environment(format!("a fault is not right: {why}")))
}

/// The engines with such points: what is done to the files of a server is not recorded.
fn counted(place: &Place) -> &'static [Engine] {
    if place.axis.is_of_files() { &[Engine::Sqlite] } else { &[Engine::Postgres] }
}

/// The engines whose points a kind can strike: a disk that refuses is one for a server, too.
fn struck(hazard: Option<Hazard>, place: &Place) -> &'static [Engine] {
    match hazard {
        Some(Hazard::InjureFile(FileHarm::Full | FileHarm::Broken)) => &[Engine::Sqlite, Engine::Postgres],
        Some(Hazard::InjureFile(FileHarm::LogFull)) => &[Engine::Postgres],
        _ => counted(place),
    }
}

/// What a server writes to its log differs from run to run: there is nothing to sweep over.
fn unswept(kind: &str) -> Error {
    Error::environment(format!("{kind}=wal strikes at a place that is named, as in at = \"pg.target:write.1+\""))
}

fn known_endpoint(plan: &Plan, place: &Place, engines: &[Engine], what: &str) -> Result<()> {
    let endpoints = plan.targets.iter().filter(|target| engines.contains(&target.engine));
    let endpoints: Vec<String> = endpoints.map(crate::model::TargetSpec::endpoint).collect();
    if endpoints.contains(&place.endpoint) {
        return Ok(());
    }
    let list = if endpoints.is_empty() { "none".to_owned() } else { endpoints.join(", ") };
    let text = format!("{what} at `{place}`; the endpoints where it can are: {list}");
    Err(Error::environment(text))
}

fn known_sources(plan: &Plan) -> Result<()> {
    let sources: Vec<&str> = plan.targets.iter().filter(|t| t.is_source()).map(|t| t.name.as_str()).collect();
    let unknown = plan.parity.maps.iter().find(|map| !sources.contains(&map.on.as_str()));
    unknown.map_or(Ok(()), |map| {
        let list = sources.join(", ");
        Err(Error::environment(format!("[[map]] reads `{}`, which is no source; there are: {list}", map.on)))
    })
}

/// What looks like a target or a service is one.
fn known_placeholders(scenario: &Scenario, plan: &Plan) -> Result<()> {
    let targets = plan.targets.iter().map(|target| target.name.clone());
    let services = scenario.services.iter().map(|service| format!("service.{}", service.command.name));
    let values = targets.chain(services).map(|name| (name, String::new())).collect();
    let guards = plan.guards.iter().map(|guard| &guard.command);
    let commands = plan.steps.iter().chain(guards).chain(scenario.services.iter().map(|service| &service.command));
    for Step { name, argv, env, files, .. } in commands {
        let mut texts = argv.iter().chain(env.values()).chain(files.values());
        let found = texts.try_for_each(|text| fill(text, &values).map(drop));
        found.map_err(|error| error.within(format!("`{name}`")))?;
    }
    Ok(())
}

/// Without such a step nothing would be compared with the sources, and green would say nothing.
fn brings_data(plan: &Plan) -> Result<()> {
    match plan.last_apply() {
        Some(_) => Ok(()),
        None => Err(Error::environment("no step brings data: one needs the role `apply` or `cutover`")),
    }
}
