//! `rehearse replay`: one case again, by the word that a failed run printed.

use crate::cli::pause::Desk;
use crate::cli::run::{KeepArg, conclude, observer};
use crate::cli::server::ServerArgs;
use crate::cli::{parsed, say, select};
use crate::dataset::Dataset;
use crate::engine::{Library, Options, Rehearsal, Tier};
use crate::model::{CaseRecord, FaultSpec, Outcome, Scenario, ScenarioRecord, Token, Verdict};
use crate::process::Executable;
use crate::registry::Registry;
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// The whole word that begins with `r1:`.
    token: String,
    /// Where bundles go; default: target/rehearsal in the root of the repository.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Stop where the fault has struck, and say how to look inside.
    #[arg(long, value_name = "WHERE", value_enum)]
    pause_at: Option<PauseAt>,
    /// Whether its databases stay after the run; `rehearse clean` removes them.
    #[arg(long, value_enum, default_value_t = KeepArg::None)]
    keep: KeepArg,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum PauseAt {
    Fault,
}

pub(super) async fn run(args: ReplayArgs) -> Result<ExitCode> {
    let token: Token = args.token.parse().map_err(|error| Error::usage(format!("{error}")))?;
    if token.address.points().len() > 2 {
        return Err(Error::usage(
            "a token chains two faults with `,`, one into the way out of the other; here are more",
        ));
    }
    let desk = Desk::default();
    let interrupted = desk.interrupted();
    let only = Some(token.clone());
    // Everything is run: a shortcut of the full tier may be what a failure hides behind.
    let (keep, server) = (args.keep.into(), args.server.wanted()?);
    let options = Options { tier: Tier::Nightly, out: args.out, only, keep, server, ..Options::quick() };
    let mut rehearsal = Rehearsal::open(Registry::builtin(), Executable::find()?, options)?.observed_by(observer());
    if args.pause_at.is_some() {
        rehearsal = rehearsal.paused_by(desk.pause());
    }
    let (library, scenario) = scenario(rehearsal.registry(), rehearsal.dir(), &token)?;
    same_data(&library, &scenario, &token)?;
    let finished = rehearsal.run_until(&library, &[scenario], interrupted).await?;
    let code = conclude(&finished, false);
    if let Some(line) = finished.record.scenarios.first().and_then(|record| compared(&token, record)) {
        say(&line);
    }
    Ok(code)
}

/// The scenario of a token, with its seed and its fault alone.
pub(super) fn scenario(registry: &Registry, unpack: &Path, token: &Token) -> Result<(Library, Scenario)> {
    let (library, entries) = select(registry, unpack, &[token.scenario.replace('.', "/")])?;
    let mut scenario = parsed(entries)?.into_iter().next().ok_or_else(|| Error::bug("a name that means nothing"))?;
    scenario.seed = token.seed;
    keep_its_fault(&mut scenario, token)?;
    Ok((library, scenario))
}

/// On other data the same place is another one, so nothing that is found there is an answer.
fn same_data(library: &Library, scenario: &Scenario, token: &Token) -> Result<()> {
    let now = Dataset::find(&library.fixtures, &scenario.dataset, scenario.seed)?.digest();
    let then = &token.digests.dataset;
    if now.starts_with(then) {
        return Ok(());
    }
    let (name, now) = (&scenario.dataset, &now[..8]);
    Err(Error::environment(format!(
        "the dataset `{name}` is not the one of this token: its digest is {now}, and was {then}; \
         bring its files back, or run `rehearse run {}` for a token of today",
        scenario.name
    )))
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

/// What is to be said besides the word: whether another tool is a better one, or that another point was hit.
fn compared(token: &Token, scenario: &ScenarioRecord) -> Option<String> {
    let (now, case) = (&scenario.tool_sha256, scenario.injured().next());
    let line = |text: &str| format!("  {:<10}{text}", "replay");
    if case.is_some_and(|case| case.outcome == Some(Outcome::Diverged)) {
        let why = "the same tool sent other statements, so another point was hit";
        return Some(line(&format!("DIVERGED: {why}; declare all that it is made of in [tool] inputs")));
    }
    if now.is_empty() || now.starts_with(&token.digests.tool) {
        return None;
    }
    let word = match case.map(CaseRecord::verdict) {
        Some(Verdict::Pass) => "fixed: the case is green now",
        Some(Verdict::Fail) => "still fails",
        _ => "unknown: the case could not be judged",
    };
    let again = case.and_then(|case| case.token.as_ref()?.parse::<Token>().ok());
    let is_other = again.is_some_and(|again| again.digests.trace != token.digests.trace);
    let other = if is_other { "; it sends other statements than then" } else { "" };
    Some(line(&format!("{word} (the tool has changed since this token was made{other})")))
}
