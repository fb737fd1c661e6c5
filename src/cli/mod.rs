//! The command line: arguments to calls, and nothing else. One file per command.

pub mod tool;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Prove a database migration before it is real.
#[derive(Debug, Parser)]
#[command(name = "rehearse", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The reference migrators.
    Tool(tool::ToolArgs),
}

/// Runs the command line of this process.
pub async fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command: Command::Tool(args) }) => args.run().await,
        Err(error) => {
            error.print().ok();
            ExitCode::from(if error.use_stderr() { 64 } else { 0 })
        }
    }
}
