//! `rehearse verify`: whether a bundle is what was sealed.

use crate::cli::format::Format;
use crate::cli::gate::{stages, working_directory};
use crate::cli::run::time;
use crate::cli::say;
use crate::evidence::attest::PublicKey;
use crate::gate::{Expected, Policy, Question, Status, TrustedKey, verify};
use crate::model::Stage;
use crate::registry::Registry;
use crate::{Error, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Exit codes: 0 verified, whatever the run's own verdict; 2 written by another version; 3 incomplete or invalid.
#[derive(Args)]
pub(super) struct VerifyArgs {
    /// The directory of the bundle, or the link `latest`.
    bundle: PathBuf,
    /// Refuse also fields and spellings that this version does not write.
    #[arg(long)]
    strict: bool,
    /// Refuse a run that ended longer ago, such as 24h.
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_age: Option<Duration>,
    /// Look for the value of this variable in every file, in eight encodings; may be repeated.
    #[arg(long, value_name = "VAR")]
    secret_env: Vec<String>,
    /// Refuse a run of another commit than this one.
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
    /// Refuse a run of a tree in which something was changed.
    #[arg(long)]
    clean: bool,
    /// Refuse a run of another tool: its digest as `scenario.started` has it; may be repeated.
    #[arg(long, value_name = "SHA256")]
    tool: Vec<String>,
    /// Refuse a run on another dataset or seed: its digest; may be repeated.
    #[arg(long, value_name = "SHA256")]
    dataset: Vec<String>,
    /// The public key of somebody who may have sealed it; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Ask also what this policy asks of machines, people and age: local, ci, staging, release, or a file.
    #[arg(long, value_name = "POLICY", conflicts_with = "trust")]
    policy: Option<String>,
    /// By when signoffs have to be there, with --policy.
    #[arg(long, value_parser = stages(), default_value_t)]
    stage: Stage,
    /// Refuse all but a release with this seal, 64 digits.
    #[arg(long, value_name = "SEAL")]
    seal: Option<String>,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn trusted(path: &Path) -> Result<TrustedKey> {
    let name = path.display().to_string();
    PublicKey::read(path).map(|key| TrustedKey { name, key, until: None, revoked: false })
}

impl VerifyArgs {
    fn asked(&self) -> Result<Expected> {
        let Some(policy) = &self.policy else {
            let trusted = self.trust.iter().map(|path| trusted(path)).collect::<Result<_>>()?;
            return Ok(Expected { trusted, ..Expected::default() });
        };
        let (policy, here) = (Policy::find(policy)?, working_directory()?);
        Question { stage: self.stage, ..Question::new(&policy, &here) }.expected()
    }
}

pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let secret = |name: &String| {
        let unset = |_| Error::environment(format!("variable {name}, whose value is to be looked for, is not set"));
        std::env::var(name).map_err(unset)
    };
    let mut expected = args.asked()?;
    expected.strict = args.strict;
    expected.secrets = args.secret_env.iter().map(secret).collect::<Result<_>>()?;
    expected.commit = args.commit.clone();
    expected.clean_tree = args.clean;
    expected.tools = args.tool.clone();
    expected.datasets = args.dataset.clone();
    expected.seal_sha256.clone_from(&args.seal);
    let max_age_s = args.max_age.map(|age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    expected.max_age_s = max_age_s.or(expected.max_age_s);
    let verification = verify(&Registry::builtin(), &args.bundle, &expected)?;
    match args.format {
        Format::Text => say(&verification.text()),
        Format::Json => say(&verification.json().to_string()),
    }
    Ok(ExitCode::from(match verification.status() {
        Status::Verified => 0,
        Status::OtherVersion => 2,
        Status::Incomplete | Status::Invalid => 3,
    }))
}
