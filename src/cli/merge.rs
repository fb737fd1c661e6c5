//! `rehearse merge`: the parts of a run in, one bundle out.

use crate::cli::format::Format;
use crate::cli::key::machine_key;
use crate::cli::run::conclude;
use crate::cli::say;
use crate::cli::verify::trusted;
use crate::gate::{Complaint, Expected, Merged, merge};
use crate::registry::Registry;
use crate::{Error, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit codes: those of the run; 3 where the parts do not make one, and then nothing is written.
#[derive(Args)]
pub(super) struct MergeArgs {
    /// The bundles of all parts, in any order.
    #[arg(required = true, value_name = "SHARD")]
    shards: Vec<PathBuf>,
    /// Where the merged bundle goes; default: target/rehearsal in the working directory.
    #[arg(long, value_name = "DIR", default_value = "target/rehearsal")]
    out: PathBuf,
    /// The public key of somebody who may have sealed the parts; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Sign the merged bundle with this key; default: the one in REHEARSE_KEY, else it stays unsigned.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Form of the answer where the parts do not make a run.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: &MergeArgs) -> Result<ExitCode> {
    let key = machine_key(args.key.as_deref())?;
    let trusted = args.trust.iter().map(|path| trusted(path)).collect::<Result<_>>()?;
    let expected = Expected { trusted, ..Expected::default() };
    match merge(&Registry::builtin(), &args.shards, &args.out, &expected, key.as_ref())? {
        Merged::Done(finished) => Ok(conclude(&finished, false)),
        Merged::Refused(complaints) => {
            match args.format {
                Format::Json => say(&json!({ "format": 1, "complaints": complaints }).to_string()),
                Format::Text => say(&complaints.iter().map(Complaint::text).collect::<String>()),
            }
            Err(Error::new(crate::error::ErrorKind::Evidence, "the parts do not make a run; nothing was written"))
        }
    }
}
