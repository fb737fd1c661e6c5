//! `rehearse key`: the key with which a machine signs what it has seen.

use crate::cli::say;
use crate::evidence::attest::MachineKey;
use crate::{Error, Result};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The variable that holds a key itself, as PEM: a secret of a CI system.
const VARIABLE: &str = "REHEARSE_KEY";

#[derive(Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a new key, ECDSA P-256: FILE for the owner alone, FILE.pub for everybody.
    New {
        /// Where it goes; nothing is overwritten.
        file: PathBuf,
    },
}

pub(super) fn run(args: &KeyArgs) -> Result<ExitCode> {
    let KeyCommand::New { file } = &args.command;
    let key = MachineKey::of_random(&crate::target::random()?)?;
    let mut public = file.clone().into_os_string();
    public.push(".pub");
    if Path::new(&public).exists() {
        return Err(Error::environment(format!("{} exists; nothing is overwritten", Path::new(&public).display())));
    }
    key.write(file)?;
    std::fs::write(&public, key.public().pem()).map_err(|error| Error::io("write", Path::new(&public), error))?;
    say(&format!("key     {}\npublic  {}", key.public().id(), Path::new(&public).display()));
    Ok(ExitCode::SUCCESS)
}

/// The key in `file`, else the one in the variable; none: what is sealed stays unsigned.
pub(super) fn machine_key(file: Option<&Path>) -> Result<Option<MachineKey>> {
    match (file, std::env::var(VARIABLE)) {
        (Some(file), _) => MachineKey::read(file).map(Some),
        (None, Ok(pem)) if !pem.trim().is_empty() => MachineKey::parse(&pem, VARIABLE).map(Some),
        (None, _) => Ok(None),
    }
}
