//! `rehearse tool`: the reference migrators, with the commands and flags of their runbooks.
#![allow(clippy::print_stdout, clippy::print_stderr)] // only the command line prints

mod consolidate;
mod one_db;

use crate::Error;
use crate::cli::format::Format;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::process::ExitCode;

/// Arguments of `rehearse tool`.
#[derive(Debug, Args)]
pub(super) struct ToolArgs {
    #[command(subcommand)]
    flow: Flow,
}

#[derive(Debug, Subcommand)]
enum Flow {
    /// Many Postgres databases into one, a schema for each.
    OneDb {
        #[command(subcommand)]
        command: one_db::OneDb,
    },
    /// Many SQLite files into few.
    Consolidate(consolidate::ConsolidateArgs),
}

impl ToolArgs {
    /// Runs the migrator and prints what came of it.
    pub(super) async fn run(self) -> ExitCode {
        match self.flow {
            Flow::OneDb { command } => command.run().await,
            Flow::Consolidate(args) => args.run(),
        }
    }
}

/// The report, in the form that was asked for.
fn print_report<R: Serialize>(report: &R, format: Format, print_text: impl Fn(&R)) {
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(report).unwrap_or_default()),
        Format::Text => print_text(report),
    }
}

/// Says what went wrong, if something did.
fn ended(error: Option<&Error>) -> ExitCode {
    error.map_or(ExitCode::SUCCESS, |error| {
        eprintln!("error: {error}");
        ExitCode::from(error.exit_code())
    })
}
