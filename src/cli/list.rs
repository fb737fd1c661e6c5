//! `rehearse list`: the scenarios, and why some cannot run here.

use crate::cli::{say, select};
use crate::engine::{self, Entry, Library};
use crate::registry::Registry;
use crate::{Error, Result};
use clap::Args;
use comfy_table::Table;
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
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let mut is_broken = false;
    for entry in &entries {
        let about = about(&registry, &library, entry);
        is_broken |= about.is_err();
        table.add_row([entry.name.clone(), about.unwrap_or_else(|why| format!("NOT RIGHT: {why}"))]);
    }
    say(&table.to_string());
    if let Some(why) = engine::platform_limits() {
        say(why);
    }
    Ok(ExitCode::from(if is_broken { 2 } else { 0 }))
}

/// What it shows, or why it cannot run here; an error is what is wrong with the scenario itself.
fn about(registry: &Registry, library: &Library, entry: &Entry) -> std::result::Result<String, String> {
    let scenario = entry.scenario.as_ref().map_err(|_| format!("run `rehearse check {}`", entry.name))?;
    let plan = engine::plan(registry, library, scenario).map_err(|error| error.to_string())?;
    Ok(match engine::missing(&plan, &scenario.needs).first() {
        None => scenario.about.clone(),
        Some(missing) => format!("ignored, no {}: {}", missing.what, missing.how),
    })
}
