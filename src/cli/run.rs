//! `rehearse run`: rehearsals in, a verdict and a sealed bundle out.

use crate::cli::{parsed, say, say_aside, select};
use crate::engine::{Finished, Options, Rehearsal, Tier};
use crate::evidence::Observer;
use crate::model::{Body, Scenario};
use crate::process::Executable;
use crate::registry::Registry;
use crate::report::{Live, summary};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct RunArgs {
    /// Names, folders or files of scenarios; none: all.
    scenarios: Vec<String>,
    /// How thoroughly: sampled points, every class, every point.
    #[arg(long, value_enum, default_value_t = TierArg::Quick)]
    tier: TierArg,
    /// Only faults of this kind, such as proc.kill; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Print points, classes and an estimate; injure nothing.
    #[arg(long)]
    plan: bool,
    /// The seed of the data and of samples, in place of that of the scenarios.
    #[arg(long)]
    seed: Option<u64>,
    /// Cases at a time; default: one per core, and one more.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=16))]
    jobs: Option<u16>,
    /// Where bundles go; default: target/rehearsal in the root of the repository.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What may be missing on this machine, such as psql; may be repeated.
    #[arg(long, value_name = "WHAT")]
    allow_missing: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum TierArg {
    Quick,
    Full,
    Nightly,
}

pub(super) async fn run(args: RunArgs) -> Result<ExitCode> {
    let interrupted = interrupted();
    let registry = Registry::builtin();
    known_kinds(&registry, &args.kind)?;
    let options = args.options();
    let jobs = options.jobs;
    let rehearsal = Rehearsal::open(registry, Executable::find()?, options)?.observed_by(observer());
    let (library, entries) = select(rehearsal.registry(), rehearsal.dir(), &args.scenarios)?;
    let mut scenarios = with_kinds(parsed(entries)?, &args.kind)?;
    if let Some(seed) = args.seed {
        scenarios.iter_mut().for_each(|scenario| scenario.seed = seed);
    }
    let finished = rehearsal.run_until(&library, &scenarios, interrupted).await?;
    if args.plan {
        say(&crate::report::plan(&finished.record, jobs));
    }
    Ok(conclude(&finished, args.plan))
}

impl RunArgs {
    fn options(&self) -> Options {
        let quick = Options::quick();
        Options {
            tier: match self.tier {
                TierArg::Quick => Tier::Quick,
                TierArg::Full => Tier::Full,
                TierArg::Nightly => Tier::Nightly,
            },
            jobs: self.jobs.map_or(quick.jobs, usize::from),
            out: self.out.clone(),
            kinds: self.kind.clone(),
            plan_only: self.plan,
            allow_missing: self.allow_missing.clone(),
            ..quick
        }
    }
}

fn known_kinds(registry: &Registry, kinds: &[String]) -> Result<()> {
    match kinds.iter().find(|kind| registry.fault(kind).is_none()) {
        None => Ok(()),
        Some(kind) => {
            let known: Vec<&str> = registry.faults.iter().map(|fault| fault.name()).collect();
            Err(Error::usage(format!("no kind of fault `{kind}`; there are: {}", known.join(", "))))
        }
    }
}

/// Those with a fault of these kinds: without its faults a scenario would prove nothing, and a canary would stay green.
fn with_kinds(scenarios: Vec<Scenario>, kinds: &[String]) -> Result<Vec<Scenario>> {
    let is_asked = |scenario: &Scenario| scenario.faults.iter().any(|fault| kinds.contains(&fault.kind));
    let chosen: Vec<Scenario> =
        scenarios.into_iter().filter(|scenario| kinds.is_empty() || is_asked(scenario)).collect();
    match chosen.is_empty() && !kinds.is_empty() {
        true => Err(Error::usage(format!("no chosen scenario has a fault of kind {}", kinds.join(" or ")))),
        false => Ok(chosen),
    }
}

/// Prints the summary, and answers with the exit code of the contract.
pub(super) fn conclude(finished: &Finished, is_plan: bool) -> ExitCode {
    if !is_plan {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say(&summary(&finished.record, &finished.states, &finished.bundle.display().to_string(), colour));
    }
    ExitCode::from(finished.verdict().exit_code())
}

/// Shows how far the run is: one line that changes on a terminal, a line per scenario elsewhere.
pub(super) fn observer() -> Observer {
    if !std::io::stderr().is_terminal() {
        return Box::new(move |event| {
            if let Body::ScenarioFinished { scenario, verdict, .. } = &event.body {
                say_aside(&format!("{:<7} {scenario}", verdict.to_string()));
            }
        });
    }
    let mut live = Live::new();
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::default_spinner());
    Box::new(move |event| {
        live.add(event);
        bar.set_message(live.line());
        bar.tick();
        if matches!(event.body, Body::RunFinished { .. }) {
            bar.finish_and_clear();
        }
    })
}

/// Resolves at the first SIGINT or SIGTERM from the call on, which is why it is made before anything starts: a future
/// that nobody has polled yet would let the first signal kill us.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
