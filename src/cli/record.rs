//! `rehearse record`: a step of the real migration, as it was rehearsed or not at all.

use crate::cli::gate::working_directory;
use crate::cli::key::machine_key;
use crate::cli::run::interrupted;
use crate::cli::{say, say_aside};
use crate::engine::record::{Asked, Live, Prepared, Said, Sealing, prepare, record};
use crate::engine::{Finished, Library};
use crate::gate::{Decision, Policy, Question, decide};
use crate::model::{Cutover, Scenario, ScenarioRecord, Verdict};
use crate::registry::Registry;
use crate::target::Session;
use crate::{Error, Result};
use clap::Args;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit codes: 0 it ended as its rehearsal did, 1 it did not, or was not started, 2 something is missing.
#[derive(Args)]
pub(super) struct RecordArgs {
    /// The bundle of the rehearsal, signed; or the link `latest`.
    bundle: PathBuf,
    /// The step of the scenario that is done for real.
    #[arg(long)]
    step: String,
    /// The scenario, where the bundle has several.
    #[arg(long)]
    scenario: Option<String>,
    /// A real database, by the scenario's name for it: NAME=env:VARIABLE, NAME=postgres://... or NAME=sqlite:PATH; one for
    /// each.
    #[arg(long, value_name = "NAME=ADDRESS", required = true)]
    db: Vec<String>,
    /// What the bundle has to pass: release, or a file.
    #[arg(long, default_value = "release")]
    policy: String,
    /// Only the bundle with this root, 64 digits, will do.
    #[arg(long, value_name = "ROOT")]
    root: Option<String>,
    /// Read definitions only, before and after: for databases whose rows take too long to read.
    #[arg(long)]
    definitions_only: bool,
    /// Compare, name every drift, and start nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where the record goes; default: target/record in the root of the repository.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Sign the record with this key; default: the one in REHEARSE_KEY, else it stays unsigned.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The command line, as it was rehearsed: with placeholders, or with what they stand for.
    #[arg(last = true, required = true)]
    argv: Vec<String>,
}

pub(super) async fn run(args: RecordArgs) -> Result<ExitCode> {
    let interrupted = interrupted();
    let (registry, here) = (Registry::builtin(), working_directory()?);
    let key = machine_key(args.key.as_deref())?;
    let lives = args.db.iter().map(|text| Live::parse(text)).collect::<Result<Vec<Live>>>()?;
    let policy = Policy::find(&args.policy)?;
    let question = Question { root_sha256: args.root.as_deref(), ..Question::new(&policy, &here) };
    let decision = decide(&registry, &args.bundle, &question)?;
    is_signed_and_green(&decision)?;
    let rehearsed = args.rehearsed(&decision)?;
    let session = Session::here()?;
    let library = Library::find(&here, session.dir())?;
    let scenario = scenario(&registry, &library, &rehearsed.scenario)?;
    let (cutover, states) = (args.cutover(&decision, &policy, rehearsed), &decision.verification.states);
    let asked =
        Asked { scenario: &scenario, rehearsed, states, cutover, lives, argv: args.argv.clone(), work: here.clone() };
    let real = prepare(&registry, &library, asked).await?;
    nothing_drifted(&real)?;
    if args.dry_run {
        say_aside("nothing has drifted; nothing was started");
        return Ok(ExitCode::SUCCESS);
    }
    let out = args.out.clone().unwrap_or_else(|| library.root.join("target/record"));
    let sealing = Sealing { out, scratch: session.dir(), key: key.as_ref() };
    let finished = record(&registry, &library, &real, sealing, interrupted, hear).await?;
    say(&told(&finished, &args.step));
    Ok(ExitCode::from(finished.verdict().exit_code()))
}

impl RecordArgs {
    /// What the bundle knows of the scenario.
    fn rehearsed<'a>(&self, decision: &'a Decision) -> Result<&'a ScenarioRecord> {
        let all = &decision.verification.record.scenarios;
        let is_named = |record: &&ScenarioRecord| self.scenario.as_ref().is_none_or(|name| *name == record.scenario);
        let found: Vec<&ScenarioRecord> = all.iter().filter(is_named).collect();
        let names = || all.iter().map(|record| record.scenario.as_str()).collect::<Vec<_>>().join(", ");
        match found[..] {
            [one] if one.verdict == Some(Verdict::Pass) && one.expect.is_none() => Ok(one),
            [one] => Err(Error::refused(format!("{} is not green in the bundle, or is a canary", one.scenario))),
            [] => Err(Error::usage(format!("no such scenario was rehearsed; there are: {}", names()))),
            _ => {
                Err(Error::usage(format!("several scenarios were rehearsed, so name one with --scenario: {}", names())))
            }
        }
    }

    fn cutover(&self, decision: &Decision, policy: &Policy, rehearsed: &ScenarioRecord) -> Cutover {
        Cutover {
            scenario: rehearsed.scenario.clone(),
            step: self.step.clone(),
            rehearsal_sha256: decision.verification.root_sha256.clone().unwrap_or_default(),
            policy: policy.name.clone(),
            policy_sha256: policy.sha256.clone(),
            reads_rows: !self.definitions_only,
            left: BTreeMap::new(), // `prepare` knows
        }
    }
}

fn is_signed_and_green(decision: &Decision) -> Result<()> {
    if decision.verdict() != Verdict::Pass {
        say_aside(&decision.text());
        return Err(Error::refused("nothing was started: the rehearsal does not pass the gate"));
    }
    let verification = &decision.verification;
    match verification.signer.is_some() || !verification.signoffs.accepted.is_empty() {
        true => Ok(()),
        false => Err(Error::refused(format!(
            "nothing was started: policy {} asks nobody to sign the rehearsal, so anybody could have made it",
            decision.policy.0
        ))),
    }
}

fn scenario(registry: &Registry, library: &Library, name: &str) -> Result<Scenario> {
    let entries = library.select(&registry.known(), &[name.to_owned()])?;
    let mut scenarios = crate::cli::parsed(entries)?;
    scenarios.pop().ok_or_else(|| Error::environment(format!("there is no scenario {name} here")))
}

fn nothing_drifted(real: &Prepared) -> Result<()> {
    if real.drifts.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = real.drifts.iter().map(|drift| format!("  {drift}")).collect();
    let (count, lines) = (lines.len(), lines.join("\n"));
    Err(Error::refused(format!(
        "nothing was started: {count} things are not as they were rehearsed\n{lines}\nrehearse what is there, or make it what was rehearsed"
    )))
}

/// What the step prints, where it printed it.
fn hear(said: Said<'_>) {
    let written = match said {
        Said::Stdout(bytes) => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
        Said::Stderr(bytes) => std::io::stderr().write_all(bytes),
    };
    let _ = written; // a closed pipe stops nothing
}

/// What became of it, what speaks against it, and where that is sealed.
fn told(finished: &Finished, step: &str) -> String {
    let how = if finished.verdict() == Verdict::Pass { "ended" } else { "did not end" };
    let scenarios: Vec<&str> = finished.record.scenarios.iter().map(|record| record.scenario.as_str()).collect();
    let mut lines = vec![format!(
        "\n{}  `{step}` of {} {how} as its rehearsal did",
        finished.verdict().headline(),
        scenarios.join(", ")
    )];
    let red = finished.record.cases().flat_map(|(_, case)| case.red());
    lines.extend(red.flat_map(|check| check.findings.iter().map(|finding| format!("  {}: {finding}", check.check))));
    let bundle = finished.bundle.display();
    lines.push(format!("  evidence  {bundle}\n  verify    rehearse verify {bundle}"));
    lines.join("\n")
}
