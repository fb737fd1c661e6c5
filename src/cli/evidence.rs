//! `rehearse evidence`: signoffs of a bundle that lives as an artifact of CI, kept beside it.

use crate::Result;
use crate::cli::say;
use crate::evidence::{Bundle, attach, pull, push};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct EvidenceArgs {
    #[command(subcommand)]
    command: EvidenceCommand,
}

#[derive(Subcommand)]
enum EvidenceCommand {
    /// Copy the signoffs of a bundle into a store: a folder with one folder per root; nothing is overwritten.
    Push {
        /// The directory of the bundle, or the link `latest`.
        bundle: PathBuf,
        /// The folder, such as a checkout of a protected branch.
        store: PathBuf,
    },
    /// Copy the signoffs of a store into the bundle.
    Pull {
        /// The directory of the bundle, or the link `latest`.
        bundle: PathBuf,
        /// The folder.
        store: PathBuf,
    },
    /// Add one signoff that somebody has sent; its signature lies beside it.
    Attach {
        /// The directory of the bundle, or the link `latest`.
        bundle: PathBuf,
        /// The statement, such as 0001-engineer.json.
        file: PathBuf,
    },
}

pub(super) fn run(args: &EvidenceArgs) -> Result<ExitCode> {
    let names = match &args.command {
        EvidenceCommand::Push { bundle, store } => push(&Bundle::open(bundle)?, store)?,
        EvidenceCommand::Pull { bundle, store } => pull(&Bundle::open(bundle)?, store)?,
        EvidenceCommand::Attach { bundle, file } => vec![attach(&Bundle::open(bundle)?, file)?],
    };
    match names.is_empty() {
        true => say("nothing to copy: both sides have the same signoffs"),
        false => names.iter().for_each(|name| say(&format!("copied    {name}"))),
    }
    Ok(ExitCode::SUCCESS)
}
