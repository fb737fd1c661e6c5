//! What scenarios ask, without running them: for the file that is frozen before a run, and for whoever holds that file
//! against their own checkout.

use crate::engine::Library;
use crate::engine::run::planning;
use crate::model::{Asked, AskedFile, Scenario};
use crate::registry::Registry;
use crate::target::Session;
use crate::{Error, Result};
use std::path::Path;

/// What each of the scenarios asks; one that is wrong is not in it, and says so when it is rehearsed.
pub(in crate::engine) fn asked(registry: &Registry, library: &Library, scenarios: &[Scenario]) -> AskedFile {
    let of = |scenario: &Scenario| {
        let plan = planning::plan(registry, library, scenario).ok()?;
        Some((scenario.name.clone(), Asked::of(scenario, &plan)))
    };
    AskedFile { format: 1, scenarios: scenarios.iter().filter_map(of).collect() }
}

/// The scenarios of these names in the repository around `here`, and what they ask.
///
/// # Errors
/// The environment: one of them is not there, or is wrong.
pub fn asked_here(registry: &Registry, here: &Path, names: &[String]) -> Result<(Vec<Scenario>, AskedFile)> {
    let session = Session::here()?;
    let library = Library::find(here, session.dir())?;
    let entries = library.select(&registry.known(), names)?;
    let scenarios = entries.into_iter().map(|entry| entry.scenario.map_err(Error::environment));
    let scenarios: Vec<Scenario> = scenarios.collect::<Result<_>>()?;
    let asked = asked(registry, &library, &scenarios);
    Ok((scenarios, asked))
}
