//! `rehearse check`: parses scenarios and makes their plans, and runs nothing.

use crate::Result;
use crate::cli::{parsed, say, select};
use crate::registry::Registry;
use crate::target::Session;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Names, folders or files of scenarios; none: all.
    scenarios: Vec<String>,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let session = Session::here()?;
    let registry = Registry::builtin();
    let (library, entries) = select(&registry, session.dir(), &args.scenarios)?;
    let scenarios = parsed(entries)?;
    for scenario in &scenarios {
        crate::engine::plan(&registry, &library, scenario).map_err(|error| error.within(&scenario.name))?;
    }
    match scenarios.len() {
        0 => return Err(crate::Error::environment(format!("no scenario in {}", library.scenarios.display()))),
        1 => say("1 scenario is right"),
        number => say(&format!("{number} scenarios are right")),
    }
    Ok(ExitCode::SUCCESS)
}
