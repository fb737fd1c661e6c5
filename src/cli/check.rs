//! `rehearse check`: parses scenarios and makes their plans, and runs nothing.

use crate::cli::{parsed, say, select};
use crate::model::Scenario;
use crate::registry::Registry;
use crate::target::Session;
use crate::{Error, Result};
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
    let plan = |scenario: &Scenario| {
        crate::engine::plan(&registry, &library, scenario).err().map(|error| error.within(&scenario.name))
    };
    all_right(scenarios.iter().filter_map(plan).collect())?;
    match scenarios.len() {
        0 => return Err(Error::environment(format!("no scenario in {}", library.scenarios.display()))),
        1 => say("1 scenario is right"),
        number => say(&format!("{number} scenarios are right")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Nothing is wrong, or all that is wrong is said at once.
fn all_right(mut wrong: Vec<Error>) -> Result<()> {
    match wrong.len() {
        0 => Ok(()),
        1 => Err(wrong.remove(0)),
        number => {
            let lines: Vec<String> = wrong.iter().map(Error::to_string).collect();
            Err(Error::environment(format!("{number} scenarios are not right\n{}", lines.join("\n"))))
        }
    }
}
