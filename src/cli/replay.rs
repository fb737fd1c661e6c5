//! `rehearse replay`: one case again, by the word that a failed run printed.

use crate::cli::run::{conclude, interrupted, observer};
use crate::cli::{parsed, say_aside, select};
use crate::engine::{Options, Rehearsal, Tier};
use crate::model::{FaultSpec, Scenario, ScenarioRecord, Token};
use crate::process::Executable;
use crate::registry::Registry;
use crate::{Error, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// The whole word that begins with `r1:`.
    token: String,
    /// Where bundles go; default: target/rehearsal in the root of the repository.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: ReplayArgs) -> Result<ExitCode> {
    let token: Token = args.token.parse().map_err(|error| Error::usage(format!("{error}")))?;
    if token.address.points().len() > 2 {
        return Err(Error::usage(
            "a token chains two faults with `,`, one into the way out of the other; here are more",
        ));
    }
    let interrupted = interrupted();
    let only = Some(token.clone());
    // Everything is run: a shortcut of the full tier may be what a failure hides behind.
    let options = Options { tier: Tier::Nightly, out: args.out, only, ..Options::quick() };
    let rehearsal = Rehearsal::open(Registry::builtin(), Executable::find()?, options)?.observed_by(observer());
    let name = token.scenario.replace('.', "/");
    let (library, entries) = select(rehearsal.registry(), rehearsal.dir(), &[name])?;
    let mut scenarios = parsed(entries)?;
    for scenario in &mut scenarios {
        scenario.seed = token.seed;
        keep_its_fault(scenario, &token)?;
    }
    let finished = rehearsal.run_until(&library, &scenarios, interrupted).await?;
    finished
        .record
        .scenarios
        .iter()
        .flat_map(|scenario| what_changed(&token, scenario))
        .for_each(|line| say_aside(&line));
    Ok(conclude(&finished, false))
}

/// Only the fault of the token is left, once: several that differ in their place would all strike at this one.
fn keep_its_fault(scenario: &mut Scenario, token: &Token) -> Result<()> {
    let is_meant = |fault: &FaultSpec| fault.may_have(&token.address);
    let found = scenario.faults.iter().find(|fault| is_meant(fault)).cloned();
    let found = found.ok_or_else(|| {
        let (name, kind) = (&scenario.name, token.address.kinds());
        Error::usage(format!("scenario `{name}` has no fault `{kind}` any more; there is nothing to replay"))
    })?;
    scenario.faults = vec![found];
    Ok(())
}

/// What is not as it was when the token was made.
fn what_changed(token: &Token, scenario: &ScenarioRecord) -> Vec<String> {
    let then = &token.digests;
    let differs = |name: &str, now: &str, then: &str| {
        (!now.starts_with(then)).then(|| format!("note: the {name} has changed since this token was made"))
    };
    let trace = scenario.injured().find_map(|case| case.token.as_ref()?.parse::<Token>().ok());
    let trace = trace.and_then(|now| differs("sequence of statements", &now.digests.trace, &then.trace));
    let tool = differs("tool", &scenario.tool_sha256, &then.tool);
    let data = differs("dataset", &scenario.dataset_sha256, &then.dataset);
    data.into_iter().chain(tool).chain(trace).collect()
}
