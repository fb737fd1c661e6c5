//! The command line: arguments to calls, and nothing else. One file per command.
//!
//! Only this module prints.

mod annotate;
mod check;
mod clean;
mod compare;
mod doctor;
mod evidence;
mod format;
mod gate;
mod hold;
mod init;
mod key;
mod list;
mod matrix;
mod merge;
mod pause;
mod record;
mod release;
mod replay;
mod run;
mod server;
mod shrink;
mod signoff;
mod tool;
mod verify;

use crate::engine::{Entry, Library};
use crate::registry::Registry;
use crate::target::supervise;
use crate::{Error, Result};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prove a database migration before it is real: rehearse it, injure it, recover it, compare, keep the evidence.
///
/// Exit codes: 0 GO, 1 NO-GO, 2 INCONCLUSIVE or bad configuration, 3 evidence invalid, 64 usage, 70 a bug of ours.
#[derive(Parser)]
#[command(name = "rehearse", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a first scenario that runs.
    Init(init::InitArgs),
    /// Look whether scenarios are right, without running them.
    Check(check::CheckArgs),
    /// List scenarios, and why some cannot run here.
    List(list::ListArgs),
    /// Run rehearsals and seal the evidence.
    Run(run::RunArgs),
    /// Run one case again by its token.
    Replay(replay::ReplayArgs),
    /// Make a failure as small as it still fails, and write it down as a scenario.
    Shrink(shrink::ShrinkArgs),
    /// Look whether two databases hold the same, and name what differs.
    Compare(compare::CompareArgs),
    /// Look whether a bundle is what was sealed: files, journal, reports, claims.
    Verify(verify::VerifyArgs),
    /// Look whether a bundle is enough, under a policy.
    Gate(gate::GateArgs),
    /// Approve or reject a bundle, with your SSH key.
    Signoff(signoff::SignoffArgs),
    /// Seal a bundle that everybody has signed, with a page that shows it.
    Release(release::ReleaseArgs),
    /// Join the bundles of the parts of a run (`run --shard`) into one.
    Merge(merge::MergeArgs),
    /// Keep the signoffs of a bundle beside it, and take them over.
    Evidence(evidence::EvidenceArgs),
    /// Do a step of the real migration, as it was rehearsed and signed or not at all, and seal what happened.
    Record(record::RecordArgs),
    /// Make a key that signs what is sealed.
    Key(key::KeyArgs),
    /// Say what this machine can rehearse, and what to do for what is missing.
    Doctor,
    /// Remove what runs left: kept databases, dead sessions, the cache.
    Clean(clean::CleanArgs),
    /// The reference migrators.
    Tool(tool::ToolArgs),
    #[command(name = "__supervise", hide = true)]
    Supervise { base: PathBuf },
    #[command(name = "__hold", hide = true)]
    Hold { base: PathBuf },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            let _ = error.print(); // nobody is left to tell
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    match execute(command) {
        Ok(code) => code,
        Err(error) => {
            say_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(args) => in_runtime(run::run(args)),
        Command::Record(args) => in_runtime(record::run(args)),
        Command::Replay(args) => in_runtime(replay::run(args)),
        Command::Shrink(args) => in_runtime(shrink::run(args)),
        Command::Init(args) => init::run(args),
        Command::Doctor => doctor::run(),
        Command::Clean(args) => clean::run(&args),
        Command::List(args) => list::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Release(args) => release::run(&args),
        Command::Evidence(args) => evidence::run(&args),
        Command::Signoff(args) => signoff::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Key(args) => key::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Compare(args) => in_runtime(compare::run(args)),
        Command::Tool(args) => in_runtime(async { Ok(args.run().await) }),
        Command::Supervise { base } => supervise(&base).map(|()| ExitCode::SUCCESS),
        Command::Hold { base } => in_runtime(hold::run(base)),
    }
}

fn in_runtime(future: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::environment("cannot start threads").caused_by(error))?;
    runtime.block_on(future)
}

fn say_error(error: &Error) {
    say_aside(&format!("error: {error}"));
}

/// A line for people, on stderr.
fn say_aside(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}"); // a closed pipe is nobody's trouble
}

/// A line of the answer, on stdout.
fn say(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// The scenarios that `names` mean, in the repository around the working directory.
fn select(registry: &Registry, unpack: &std::path::Path, names: &[String]) -> Result<(Library, Vec<Entry>)> {
    let here = std::env::current_dir().map_err(|error| Error::io("find", std::path::Path::new("."), error))?;
    let library = Library::find(&here, unpack)?;
    let entries = library.select(&registry.known(), names)?;
    Ok((library, entries))
}

/// The scenarios, or all problems of all files at once.
fn parsed(entries: Vec<Entry>) -> Result<Vec<crate::model::Scenario>> {
    let problems: Vec<&str> =
        entries.iter().filter_map(|entry| entry.scenario.as_ref().err()).map(String::as_str).collect();
    match problems.is_empty() {
        true => Ok(entries.into_iter().filter_map(|entry| entry.scenario.ok()).collect()),
        false => Err(Error::environment(format!("the scenarios are not right\n{}", problems.join("\n\n")))),
    }
}
