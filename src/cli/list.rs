//! `rehearse list`: the scenarios, and why some cannot run here.

use crate::cli::server::ServerArgs;
use crate::cli::{say, select};
use crate::engine::{self, Entry, Library};
use crate::registry::Registry;
use crate::target::{Base, Session, Sites};
use crate::{Error, Result};
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct ListArgs {
    /// Names, folders or files of scenarios; none: all.
    scenarios: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let session = Session::here()?;
    let registry = Registry::builtin();
    let sites = Sites::new(Base::find(), args.server.wanted()?);
    let (library, entries) = select(&registry, session.dir(), &args.scenarios)?;
    if entries.is_empty() {
        return Err(Error::environment(format!("no scenario in {}", library.scenarios.display())));
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut is_broken = false;
    for entry in &entries {
        let about = about(&registry, &library, entry, &sites);
        is_broken |= about.is_err();
        let about = about.unwrap_or_else(|why| format!("NOT RIGHT: {why}"));
        say(&format!("{:width$}  {about}", entry.name));
    }
    if let Some(why) = engine::platform_limits() {
        say(why);
    }
    Ok(ExitCode::from(if is_broken { 2 } else { 0 }))
}

/// What it shows, or why it cannot run here; an error is what is wrong with the scenario itself.
fn about(registry: &Registry, library: &Library, entry: &Entry, sites: &Sites) -> std::result::Result<String, String> {
    let scenario = entry.scenario.as_ref().map_err(|_| format!("run `rehearse check {}`", entry.name))?;
    let plan = engine::plan(registry, library, scenario).map_err(|error| error.to_string())?;
    Ok(match engine::missing(registry, &plan, scenario, sites).first() {
        None => scenario.about.clone(),
        Some(missing) => format!("ignored, no {}: {}", missing.what, missing.how),
    })
}
