//! Questions to `git` about the caller's repository.

use crate::model::Checkout;
use crate::process::run;
use crate::{Error, Result};
use std::ffi::OsString;
use std::path::Path;

/// What is checked out around `dir`; nothing where there is no repository, no commit, or no git.
///
/// Ignored files do not count, so neither does what is built, nor evidence where the repository ignores it.
pub fn checkout(dir: &Path) -> Option<Checkout> {
    let commit = git("", dir, &["rev-parse", "--verify", "HEAD"]).ok()?.trim().to_owned();
    let status = git("", dir, &["status", "--porcelain", "--untracked-files=normal"]).ok()?;
    Some(Checkout { commit, clean: status.trim().is_empty() })
}

/// What `git` says in `dir`; `who` is named where it fails.
pub(in crate::engine) fn git(who: &str, dir: &Path, arguments: &[&str]) -> Result<String> {
    let argv: Vec<OsString> = ["git"].iter().chain(arguments).map(OsString::from).collect();
    let kept = |name: &&str| std::env::var_os(name).is_some();
    let names = ["PATH", "HOME", "GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_COUNT"];
    let env = names.iter().filter(|name| kept(name));
    let env = env.map(|name| (name.into(), std::env::var_os(name).unwrap_or_default())).collect();
    let output = run(&argv, dir, &env, None, "").map_err(|error| error.within(format!("{who} needs git")))?;
    match output.exit.is_success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(Error::environment(format!("{who}: git says in {}: {said}", dir.display())))
        }
    }
}
