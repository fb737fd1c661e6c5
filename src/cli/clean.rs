//! `rehearse clean`: removes what runs left: kept databases, dead sessions, and the cache if asked to.

use crate::Result;
use crate::cli::say;
use crate::process::Executable;
use crate::target::{self, Base};
use clap::Args;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct CleanArgs {
    /// The cache of initialised clusters too; the next run makes it anew.
    #[arg(long)]
    cache: bool,
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &CleanArgs) -> Result<ExitCode> {
    let base = Base::find();
    let kept = target::kept(&base);
    let left = target::leftovers(&base);
    let cached = if args.cache { target::cached(&base) } else { Vec::new() };
    if !args.dry_run {
        target::clean(&Executable::find()?, &base)?;
        if args.cache {
            target::clean_cache(&base)?;
        }
    }
    let verb = if args.dry_run { "would remove" } else { "removed" };
    let shown = |path: &Path| path.display().to_string();
    let kept = kept
        .iter()
        .map(|kept| format!("{} with {} databases in {}", kept.case, kept.databases.len(), shown(&kept.dir)));
    let rest = left.dead.iter().chain(&cached).map(|path| shown(path));
    let lines: Vec<String> = kept.chain(rest).map(|what| format!("{verb} {what}")).collect();
    lines.iter().for_each(|line| say(line));
    if lines.is_empty() {
        say("nothing to remove");
    }
    match left.alive.len() {
        0 => {}
        number => say(&format!("{number} sessions are alive and stay; each ends with its run")),
    }
    Ok(ExitCode::SUCCESS)
}
