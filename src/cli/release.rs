//! `rehearse release`: seals what people have signed, so that nothing of it can be taken away unseen.

use crate::Result;
use crate::cli::gate::{stages, working_directory};
use crate::cli::say;
use crate::evidence::{Bundle, RELEASE_PAGE};
use crate::gate::{Policy, Question, decide, release};
use crate::model::Stage;
use crate::registry::Registry;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit codes: 0 released, 1 the gate refuses, 2 a policy that is not right.
#[derive(Args)]
pub(super) struct ReleaseArgs {
    /// The directory of the bundle, or the link `latest`.
    bundle: PathBuf,
    /// release, or a file with [signoffs].
    #[arg(long, default_value = "release")]
    policy: String,
    /// By when signoffs have to be there.
    #[arg(long, value_parser = stages(), default_value_t)]
    stage: Stage,
    /// Only the bundle with this root, 64 digits, will do.
    #[arg(long, value_name = "ROOT")]
    root: Option<String>,
}

pub(super) fn run(args: &ReleaseArgs) -> Result<ExitCode> {
    let (policy, here) = (Policy::find(&args.policy)?, working_directory()?);
    let question = Question { stage: args.stage, root_sha256: args.root.as_deref(), ..Question::new(&policy, &here) };
    let bundle = Bundle::open(&args.bundle)?;
    let decision = decide(&Registry::builtin(), bundle.root(), &question)?;
    say(&decision.text());
    let seal = release(&bundle, &decision)?;
    say(&format!("page     {}\nseal     {seal}", bundle.root().join(RELEASE_PAGE).display()));
    say(&format!("next     rehearse gate BUNDLE --policy {} --seal {seal}", args.policy));
    Ok(ExitCode::SUCCESS)
}
