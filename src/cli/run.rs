//! `rehearse run`: rehearsals in, a verdict and a sealed bundle out.

use crate::cli::key::machine_key;
use crate::cli::matrix::{Column, compared};
use crate::cli::server::ServerArgs;
use crate::cli::{annotate, parsed, say, say_aside, select};
use crate::engine::{self, Again, Entry, Finished, Keep, Library, Options, Rehearsal, Tier};
use crate::evidence::Observer;
use crate::gate::{Expected, verify};
use crate::model::{Baseline, Body, SPAN_FORMS, Scenario, Shard, Verdict, parse_span};
use crate::process::Executable;
use crate::registry::Registry;
use crate::report::{Live, summary};
use crate::target::Wanted;
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

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
    /// Only what was not green in the last run, or in the bundle DIR.
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    failed: Option<Option<PathBuf>>,
    /// Only scenarios whose file, dataset or tool has changed since this git ref.
    #[arg(long, value_name = "REF")]
    since: Option<String>,
    /// Begin no case later than this, such as 10m; what was not visited is said.
    #[arg(long, value_name = "TIME", value_parser = time)]
    budget: Option<Duration>,
    /// Print points, classes and an estimate; injure nothing.
    #[arg(long)]
    plan: bool,
    /// Only this part of the cases, such as 1/3: several machines share a run, and `rehearse merge` joins their bundles.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Say in the reports in what this run differs from that bundle, which must be green.
    #[arg(long, value_name = "BUNDLE")]
    baseline: Option<PathBuf>,
    /// The seed of the data and of samples, in place of that of the scenarios.
    #[arg(long)]
    seed: Option<u64>,
    /// Cases at a time, beside those that only wait; default: one per core, and two more.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=16))]
    jobs: Option<u16>,
    /// Whose databases stay after the run, to look into them; `rehearse clean` removes them.
    #[arg(long, value_enum, default_value_t = KeepArg::None)]
    keep: KeepArg,
    /// Where bundles go; default: target/rehearsal in the root of the repository.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// Sign what is sealed with this key; default: the one in REHEARSE_KEY, else it stays unsigned.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
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

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum KeepArg {
    Failed,
    All,
    None,
}

impl From<KeepArg> for Keep {
    fn from(arg: KeepArg) -> Keep {
        match arg {
            KeepArg::Failed => Keep::Failed,
            KeepArg::All => Keep::All,
            KeepArg::None => Keep::None,
        }
    }
}

pub(super) async fn run(args: RunArgs) -> Result<ExitCode> {
    let (mut columns, mut worst) = (Vec::new(), Verdict::Pass);
    for wanted in args.server.each()? {
        let (version, is_over) = (wanted.major, Cell::new(false));
        let interrupted = interrupted();
        let interrupted = async {
            interrupted.await;
            is_over.set(true);
        };
        let Some(finished) = on(&args, wanted, interrupted).await? else { return Ok(ExitCode::SUCCESS) };
        worst = worst.max(finished.verdict());
        columns.extend(version.map(|version| Column::of(version, &finished)));
        if is_over.get() {
            break;
        }
    }
    if columns.len() > 1 {
        say(&compared(&columns).join("\n"));
    }
    Ok(ExitCode::from(worst.exit_code()))
}

/// A run on one server; nothing where there is nothing to do.
async fn on(args: &RunArgs, server: Wanted, interrupted: impl Future<Output = ()>) -> Result<Option<Finished>> {
    let registry = Registry::builtin();
    known_kinds(&registry, &args.kind)?;
    let baseline = args.baseline.as_deref().map(|bundle| baseline(&registry, bundle)).transpose()?;
    let options = Options { server, baseline, ..args.options() };
    let jobs = options.jobs;
    let mut rehearsal = Rehearsal::open(registry, Executable::find()?, options)?.observed_by(observer());
    if let Some(key) = machine_key(args.key.as_deref())? {
        rehearsal = rehearsal.signed_by(key);
    }
    let (library, mut entries) = select(rehearsal.registry(), rehearsal.dir(), &args.scenarios)?;
    if let Some(named) = &args.failed {
        let again = again(&library, args, named.as_deref())?;
        entries.retain(|entry| again.contains_key(&entry.name));
        rehearsal = rehearsal.of_cases(again);
    }
    if let Some(reference) = &args.since {
        entries = changed(rehearsal.registry(), &library, entries, reference)?;
    }
    if entries.is_empty() && (args.failed.is_some() || args.since.is_some()) {
        say("nothing to do: no scenario was rehearsed");
        return Ok(None);
    }
    let mut scenarios = with_kinds(parsed(entries)?, &args.kind)?;
    if let Some(seed) = args.seed {
        scenarios.iter_mut().for_each(|scenario| scenario.seed = seed);
    }
    if let Some(version) = rehearsal.would_fetch(&library, &scenarios) {
        say_aside(&format!(
            "no such Postgres here: pip fetches {version} into the cache, 14 MB, once (REHEARSE_FETCH=never forbids it)"
        ));
    }
    let finished = rehearsal.run_until(&library, &scenarios, interrupted).await?;
    if args.plan {
        say(&crate::report::plan(&finished.record, jobs));
    }
    conclude(&finished, args.plan);
    annotate::run(&finished.record, &library);
    Ok(Some(finished))
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
            budget: self.budget,
            out: self.out.clone(),
            kinds: self.kind.clone(),
            keep: self.keep.into(),
            plan_only: self.plan,
            shard: self.shard,
            allow_missing: self.allow_missing.clone(),
            ..quick
        }
    }
}

/// What is to be compared with; it must be what was sealed, and green.
fn baseline(registry: &Registry, bundle: &Path) -> Result<Baseline> {
    let verification = verify(registry, bundle, &Expected::default())?;
    let verdict = verification.verdict();
    match (verification.environment, verification.root_sha256) {
        (Some(environment), Some(root)) if verdict == Verdict::Pass => {
            Ok(Baseline::of(&verification.record, &environment, &root))
        }
        _ => Err(Error::usage(format!(
            "--baseline {}: it is no green run that verifies; look with `rehearse verify`",
            bundle.display()
        ))),
    }
}

/// The cases of the last run, or of the bundle that was named, that were not green.
fn again(library: &Library, args: &RunArgs, named: Option<&Path>) -> Result<Again> {
    let bundle = match named {
        Some(bundle) => bundle.to_owned(),
        None => engine::last_run(&args.out.clone().unwrap_or_else(|| library.root.join("target/rehearsal")))?,
    };
    let again = engine::red(&bundle)?;
    let cases: usize = again.values().map(Vec::len).sum();
    let whole = again.values().filter(|addresses| addresses.is_empty()).count();
    let text = format!("not green in {}: {cases} cases, and {whole} scenarios as a whole", bundle.display());
    say_aside(&text);
    Ok(again)
}

fn changed(registry: &Registry, library: &Library, entries: Vec<Entry>, reference: &str) -> Result<Vec<Entry>> {
    let changed = engine::changed_since(library, reference)?;
    let all = entries.len();
    let has_changed = |entry: &Entry| match &entry.scenario {
        Ok(scenario) => engine::has_changed(registry, library, scenario, &entry.path, &changed),
        Err(_) => true,
    };
    let entries: Vec<Entry> = entries.into_iter().filter(has_changed).collect();
    say_aside(&format!("{} of {all} scenarios have changed since {reference}", entries.len()));
    Ok(entries)
}

/// A time as everywhere: `30s`, `10m`, `7d`.
pub(super) fn time(text: &str) -> std::result::Result<Duration, String> {
    parse_span(text).ok_or_else(|| SPAN_FORMS.to_owned())
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
    for look in &finished.kept {
        say(&format!("\nkept  {}", look.lines().join("\n")));
    }
    if !finished.kept.is_empty() {
        say("\nthey stay until `rehearse clean`");
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
