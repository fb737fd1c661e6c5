//! `rehearse tool one-db`: its commands and flags, and what it prints.

use super::{ended, print_report};
use crate::cli::format::Format;
use crate::tool::one_db::{self, Action, Options, Report, Status, TableResult, TableStatus};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum OneDb {
    /// Check everything and write nothing: fails on whatever a run would refuse.
    Plan(OneDbArgs),
    /// Copy the tables, each in one transaction.
    Migrate {
        /// Only plan: write nothing to any database.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        args: OneDbArgs,
    },
    /// Compare the content of both sides, and name the rows that differ.
    Verify(OneDbArgs),
    /// plan, migrate, verify.
    Run(OneDbArgs),
    /// Empty the migrated tables of the target.
    Rollback {
        /// The profile's word (ROLLBACK), to show that it is meant.
        #[arg(long, value_name = "WORD")]
        confirm_rollback: Option<String>,
        #[command(flatten)]
        args: OneDbArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct OneDbArgs {
    /// Variable with the DSN of the target.
    #[arg(long, value_name = "VAR")]
    target_env: Option<String>,
    /// A source, and the variable with its DSN; may be repeated.
    #[arg(long, value_name = "NAME=VAR", value_parser = source)]
    source_env: Vec<(String, String)>,
    /// Variable with the DSN of the shared source.
    #[arg(long, value_name = "VAR")]
    shared_source_env: Option<String>,
    /// Where the JSON report goes; written at the start too, so an unwritable path stops before any data moves.
    #[arg(long, value_name = "PATH")]
    report_path: Option<PathBuf>,
    /// Empty the target's tables first.
    #[arg(long, conflicts_with = "upsert")]
    replace_target: bool,
    /// Keep the target's rows; those with a key of the source are overwritten.
    #[arg(long)]
    upsert: bool,
    /// TOML with schemas, tables, variables and the confirmation word.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Tables handled at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Longest wait for a lock on a table, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    lock_timeout: u64,
    /// Form of the summary on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn source(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, variable)) if !name.is_empty() && !variable.is_empty() => {
            Ok((name.to_owned(), variable.to_owned()))
        }
        _ => Err("expected NAME=VARIABLE, such as general=GENERAL_URL".to_owned()),
    }
}

impl OneDb {
    /// Does it and prints what came of it.
    pub(super) async fn run(self) -> ExitCode {
        let (action, dry_run, confirm, args) = match self {
            OneDb::Plan(args) => (Action::Plan, false, None, args),
            OneDb::Migrate { dry_run, args } => (Action::Migrate, dry_run, None, args),
            OneDb::Verify(args) => (Action::Verify, false, None, args),
            OneDb::Run(args) => (Action::Run, false, None, args),
            OneDb::Rollback { confirm_rollback, args } => (Action::Rollback, false, confirm_rollback, args),
        };
        let format = args.format;
        let options = args.options(action, dry_run, confirm);
        let outcome = one_db::execute(options, Arc::new(|line: &str| eprintln!("{line}"))).await;
        print_report(&outcome.report, format, print_text);
        ended(outcome.error.as_ref())
    }
}

impl OneDbArgs {
    fn options(self, action: Action, dry_run: bool, confirm_rollback: Option<String>) -> Options {
        Options {
            action,
            dry_run,
            profile: self.profile,
            target_env: self.target_env,
            source_env: self.source_env,
            shared_source_env: self.shared_source_env,
            report_path: self.report_path,
            replace_target: self.replace_target,
            upsert: self.upsert,
            confirm_rollback,
            jobs: usize::from(self.jobs),
            lock_timeout: Duration::from_millis(self.lock_timeout),
        }
    }
}

fn print_text(report: &Report) {
    report.results.iter().for_each(|row| println!("{}", line(row)));
    if report.results.iter().any(|row| row.status == TableStatus::Mismatch) {
        println!("PARITY CHECK FAILED");
    }
    let summary = report.summary;
    let status = if report.status == Status::Ok { "ok" } else { "error" };
    println!(
        "{status}: {} tables, {} ok, {} failed, {} rows{}",
        summary.tables_total,
        summary.tables_ok,
        summary.tables_failed,
        summary.rows,
        if report.dry_run { "; nothing was written" } else { "" }
    );
}

fn line(row: &TableResult) -> String {
    let count = |rows: Option<u64>| rows.map_or("-".to_owned(), |rows| rows.to_string());
    let status = format!("{:?}", row.status).to_lowercase();
    format!(
        "{status:<9} {:<40} source {:>9} target {:>9}",
        row.name(),
        count(row.source_count),
        count(row.target_count)
    )
}
