//! `rehearse list`: the scenarios, and why some cannot run here.

use crate::cli::{say, select};
use crate::engine::{self, Entry, Library};
use crate::registry::Registry;
use crate::{Error, Result};
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct ListArgs {
    /// Names, folders or files of scenarios; none: all.
    scenarios: Vec<String>,
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let unpack = tempfile::tempdir().map_err(|error| Error::io("create", &std::env::temp_dir(), error))?;
    let registry = Registry::builtin();
    let (library, entries) = select(&registry, unpack.path(), &args.scenarios)?;
    if entries.is_empty() {
        return Err(Error::environment(format!("no scenario in {}", library.scenarios.display())));
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in &entries {
        say(&format!("{:width$}  {}", entry.name, about(&registry, &library, entry)));
    }
    if let Some(why) = engine::platform_limits() {
        say(why);
    }
    let is_broken = entries.iter().any(|entry| entry.scenario.is_err());
    Ok(ExitCode::from(if is_broken { 2 } else { 0 }))
}

fn about(registry: &Registry, library: &Library, entry: &Entry) -> String {
    let scenario = match &entry.scenario {
        Ok(scenario) => scenario,
        Err(_) => return format!("NOT RIGHT: run `rehearse check {}`", entry.name),
    };
    let missing = engine::plan(registry, library, scenario).map(|plan| engine::missing(&plan, &scenario.needs));
    match missing.as_deref() {
        Ok([]) => scenario.about.clone(),
        Ok([first, ..]) => format!("ignored, no {}: {}", first.what, first.how),
        Err(error) => format!("NOT RIGHT: {error}"),
    }
}
