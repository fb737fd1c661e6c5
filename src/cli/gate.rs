//! `rehearse gate`: whether a bundle is enough, under a policy.

use crate::cli::format::Format;
use crate::cli::key::machine_key;
use crate::cli::{annotate, say, say_aside};
use crate::evidence::attest::{Envelope, Slot, summary_of};
use crate::evidence::{Bundle, Sealed};
use crate::gate::{Decision, Policy, Question, Verification, decide};
use crate::model::{Stage, Verdict, canonical};
use crate::registry::Registry;
use crate::{Error, Result, clock};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit codes: 0 passed, 1 refused, 2 a policy that is not right.
#[derive(Args)]
pub(super) struct GateArgs {
    /// The directory of the bundle, or the link `latest`.
    bundle: PathBuf,
    /// local, ci, staging, release, or a file; it belongs where the writer of bundles cannot change it.
    #[arg(long, value_name = "POLICY", default_value = "local")]
    policy: String,
    /// By when signoffs have to be there.
    #[arg(long, value_parser = stages(), default_value_t)]
    stage: Stage,
    /// Only the bundle with this root, 64 digits, will do.
    #[arg(long, value_name = "ROOT")]
    root: Option<String>,
    /// Only a release with this seal, 64 digits, will do: then no signoff can have been taken away.
    #[arg(long, value_name = "SEAL")]
    seal: Option<String>,
    /// Another run that must have come to the same outcome, for policies with `replicas`; may be repeated.
    #[arg(long, value_name = "BUNDLE")]
    replica: Vec<PathBuf>,
    /// Sign the decision with this key; default: the one in REHEARSE_KEY, else nothing is written.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The stages by their words, so that help and mistakes list them.
pub(super) fn stages() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.map(Stage::word)).try_map(|word| word.parse::<Stage>())
}

/// The checkout that the question is about.
pub(super) fn working_directory() -> Result<PathBuf> {
    std::env::current_dir().map_err(|error| Error::io("find", Path::new("."), error))
}

pub(super) fn run(args: &GateArgs) -> Result<ExitCode> {
    let policy = Policy::find(&args.policy)?;
    let key = machine_key(args.key.as_deref())?;
    let here = working_directory()?;
    let question = Question {
        stage: args.stage,
        root_sha256: args.root.as_deref(),
        seal_sha256: args.seal.as_deref(),
        replicas: &args.replica,
        ..Question::new(&policy, &here)
    };
    let decision = decide(&Registry::builtin(), &args.bundle, &question)?;
    match args.format {
        Format::Text => say(&decision.text()),
        Format::Json => say(&decision.json().to_string()),
    }
    annotate::gate(&decision);
    let passed = decision.verdict() == Verdict::Pass;
    if let (Some(key), Some(root)) = (key, &decision.verification.root_sha256) {
        let bundle = Bundle::open(&args.bundle)?;
        sign(&bundle, &decision, root, &key, passed)?;
    }
    Ok(ExitCode::from(u8::from(!passed)))
}

/// A summary of the decision, over the root and over the envelope and the signoffs that it rests on. What a release has
/// sealed is left as it is.
fn sign(
    bundle: &Bundle<Sealed>,
    decision: &Decision,
    root: &str,
    key: &crate::evidence::attest::MachineKey,
    passed: bool,
) -> Result<()> {
    let Verification { envelope_sha256, signoffs, .. } = &decision.verification;
    if signoffs.seal_sha256.is_some() {
        say_aside("released already: the decision is not written into it");
        return Ok(());
    }
    let envelope = envelope_sha256.iter().map(|sha256| (Slot::TestResult.file().to_owned(), sha256.clone()));
    let inputs = envelope.chain(signoffs.sha256.clone()).collect();
    let (name, sha256) = (&decision.policy.0, &decision.policy.1);
    let run = &decision.verification.record.run;
    let summary = summary_of(root, run, (name, sha256), &inputs, &clock::now_utc(), passed);
    bundle.attach(Slot::Gate.file(), &canonical::to_file(&Envelope::seal(&summary, key)?)?)
}
