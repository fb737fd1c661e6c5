//! `rehearse tool consolidate`: the commands, and the flags that the runbook has in their place.

use super::{ended, print_report};
use crate::cli::format::Format;
use crate::tool::consolidate::{self, Action, Options, Outcome, Report};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Arguments of `rehearse tool consolidate`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct ConsolidateArgs {
    #[command(subcommand)]
    command: Option<Consolidate>,
    /// As the command `dry-run`.
    #[arg(long, group = "spelling")]
    dry_run: bool,
    /// As the command `migrate`.
    #[arg(long, group = "spelling")]
    migrate: bool,
    /// As the command `verify`.
    #[arg(long, group = "spelling")]
    verify: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Consolidate {
    /// Save every database of the data folder, committed rows in `-wal` included, and look at the copies again.
    Backup,
    /// Do all that a migration does, in a temporary folder, and throw it away.
    DryRun,
    /// Make the consolidated files; all of them appear together.
    Migrate,
    /// Compare the content of both sides, table by table.
    Verify,
    /// Say whether the files of the mode are there with all that they must have.
    Health,
    /// Bring a backup back, and remove what the migration made.
    Restore,
    /// Run the stand-in application over the files of the mode.
    Serve,
}

#[derive(Debug, Args)]
struct Common {
    /// The folder of the files; default: the profile's variable, then its default.
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// The folder of one backup; default: `backup/<time>` in the data folder, for a restore the newest there.
    #[arg(long, value_name = "DIR", global = true)]
    backup_dir: Option<PathBuf>,
    /// TOML with files, tables, variables and the confirmation word.
    #[arg(long, value_name = "FILE", global = true)]
    profile: Option<PathBuf>,
    /// Where the JSON report goes; written at the start too, so an unwritable path stops before any data moves.
    #[arg(long, value_name = "PATH", global = true)]
    report_path: Option<PathBuf>,
    /// With `migrate` and `dry-run`: replace targets although they hold what no source holds.
    #[arg(long, global = true)]
    replace_target: bool,
    /// With `restore`: the profile's word (RESTORE), to show that it is meant.
    #[arg(long, value_name = "WORD", global = true)]
    confirm_restore: Option<String>,
    /// Targets built at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64), global = true)]
    jobs: u8,
    /// Longest wait for a transaction in a source to end, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=3_600_000), global = true)]
    busy_timeout: u64,
    /// With `serve`: where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", global = true)]
    listen: String,
    /// With `health`: ask the application there; with a path, for that page.
    #[arg(long, value_name = "URL", global = true)]
    url: Option<String>,
    /// Tell each table and file as it is done.
    #[arg(long, short, global = true)]
    verbose: bool,
    /// Form of the summary on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
}

impl ConsolidateArgs {
    /// Does it and prints what came of it.
    pub(super) fn run(self) -> ExitCode {
        let action = match (self.command, self.dry_run, self.migrate, self.verify) {
            (Some(command), false, false, false) => action(command),
            (None, true, _, _) => Action::DryRun,
            (None, _, true, _) => Action::Migrate,
            (None, _, _, true) => Action::Verify,
            _ => {
                eprintln!("error: say one command: backup, dry-run, migrate, verify, health, restore or serve");
                return ExitCode::from(64);
            }
        };
        let (verbose, format) = (self.common.verbose || action == Action::Serve, self.common.format);
        let progress = move |line: &str| {
            if verbose {
                eprintln!("{line}");
            }
        };
        print(&consolidate::execute(self.common.options(action), Arc::new(progress)), format)
    }
}

fn action(command: Consolidate) -> Action {
    match command {
        Consolidate::Backup => Action::Backup,
        Consolidate::DryRun => Action::DryRun,
        Consolidate::Migrate => Action::Migrate,
        Consolidate::Verify => Action::Verify,
        Consolidate::Health => Action::Health,
        Consolidate::Restore => Action::Restore,
        Consolidate::Serve => Action::Serve,
    }
}

impl Common {
    fn options(self, action: Action) -> Options {
        Options {
            action,
            profile: self.profile,
            data_dir: self.data_dir,
            backup_dir: self.backup_dir,
            report_path: self.report_path,
            replace_target: self.replace_target,
            confirm_restore: self.confirm_restore,
            jobs: usize::from(self.jobs),
            patience: Duration::from_millis(self.busy_timeout),
            listen: self.listen,
            url: self.url,
        }
    }
}

fn print(outcome: &Outcome, format: Format) -> ExitCode {
    match &outcome.health {
        Some(health) => println!("{health:#}"),
        None => print_report(&outcome.report, format, print_text),
    }
    ended(outcome.error.as_ref())
}

fn print_text(report: &Report) {
    for table in &report.tables {
        let (from, to) = (format!("{}.{}", table.source, table.table), format!("{}.{}", table.target, table.into));
        let skipped =
            table.skipped_because.as_ref().map_or(String::new(), |why| format!("  skipped {}: {why}", table.skipped));
        println!("{from:<40} {to:<34} {:>9} rows{skipped}", table.written);
    }
    report.notes.iter().for_each(|note| println!("note: {note}"));
    report.files.iter().for_each(|file| println!("{:<9} {:<28} {:>12} bytes", file.done, file.file, file.bytes));
    if let Some(backup) = &report.backup {
        println!("Backup: {backup}");
    }
    if report.success {
        println!("{}", headline(report.action));
        if report.tables_migrated > 0 {
            println!("Tables migrated: {}", report.tables_migrated);
            println!("Total rows: {}", report.total_rows);
        }
        println!("Duration: {:.2}s", report.duration_us as f64 / 1e6);
    }
}

fn headline(action: Action) -> &'static str {
    match action {
        Action::Backup => "Backup completed!",
        Action::DryRun => "Dry run completed! Nothing was written.",
        Action::Migrate => "Migration completed!",
        Action::Verify => "Verification completed! Both sides hold the same.",
        Action::Restore => "Restore completed!",
        Action::Health | Action::Serve => "Done.",
    }
}
