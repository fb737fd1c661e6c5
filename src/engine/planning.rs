//! From a scenario to its data and its plan, and what is wrong with it that its text alone does not show.

use crate::dataset::Dataset;
use crate::engine::Library;
use crate::model::{At, Plan, Scenario};
use crate::registry::Registry;
use crate::{Error, Result, flow};
use std::path::PathBuf;

/// What a scenario needs before anything runs.
pub(super) struct Prepared {
    pub(super) dataset: Dataset,
    /// The folder of the dataset.
    pub(super) dataset_dir: PathBuf,
    pub(super) plan: Plan,
}

/// The plan of a scenario.
///
/// # Errors
/// No such dataset, size, database or endpoint; a profile that does not parse.
pub fn plan(registry: &Registry, library: &Library, scenario: &Scenario) -> Result<Plan> {
    prepare(registry, library, scenario).map(|prepared| prepared.plan)
}

pub(super) fn prepare(registry: &Registry, library: &Library, scenario: &Scenario) -> Result<Prepared> {
    let dataset = Dataset::find(&library.fixtures, &scenario.dataset, scenario.seed)?;
    let mut folders = library.fixtures.iter().map(|fixtures| fixtures.join(&dataset.name));
    let dataset_dir = folders.find(|folder| folder.is_dir());
    let dataset_dir = dataset_dir.ok_or_else(|| Error::bug(format!("dataset `{}` has no folder", dataset.name)))?;
    let profile = std::fs::read_to_string(dataset_dir.join("profile.toml")).ok();
    let plan = flow::plan(&registry.flows, scenario, profile.as_deref())?;
    known_databases(&dataset, &plan)?;
    known_endpoints(scenario, &plan)?;
    Ok(Prepared { dataset, dataset_dir, plan })
}

fn known_databases(dataset: &Dataset, plan: &Plan) -> Result<()> {
    plan.targets.iter().try_for_each(|target| {
        let found = dataset.database(&target.database);
        found.map(|_| ()).map_err(|error| error.within(format!("target `{}`", target.name)))
    })
}

fn known_endpoints(scenario: &Scenario, plan: &Plan) -> Result<()> {
    let endpoints = plan.endpoints();
    let named = scenario.faults.iter().filter_map(|fault| match &fault.at {
        At::Place(place) => Some(&place.endpoint),
        At::Sweep => None,
    });
    let unknown = named.into_iter().find(|endpoint| !endpoints.contains(endpoint));
    unknown.map_or(Ok(()), |endpoint| {
        let list = endpoints.join(", ");
        Err(Error::environment(format!("a fault strikes at `{endpoint}`, which is no endpoint; there are: {list}")))
    })
}
