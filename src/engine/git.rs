//! Questions to `git` about the caller's repository.

use crate::model::Checkout;
use crate::process::run;
use crate::{Error, Result};
use std::collections::BTreeSet;
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

/// Who runs this: what CI calls whoever has started it, else the address that git would put under a commit in `dir`.
pub(in crate::engine) fn runner(dir: &Path) -> Option<String> {
    let names = ["REHEARSE_RUNNER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"];
    let told = names.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.trim().is_empty());
    let asked = || git("", dir, &["config", "user.email"]).ok();
    told.or_else(asked).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The addresses of whoever wrote, committed or signed as a co-author `commit`, or all commits after `since` up to it.
/// In lower case.
///
/// # Errors
/// The environment: git does not know the commit here, or there is none after `since`.
pub fn authors(dir: &Path, commit: &str, since: Option<&str>) -> Result<BTreeSet<String>> {
    // It comes from a bundle: nothing in it may be an option or a range.
    if !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) || commit.len() < 40 {
        return Err(Error::environment(format!("`{commit}` is no commit")));
    }
    let range = since.map_or(commit.to_owned(), |since| format!("{since}..{commit}"));
    let count = if since.is_some() { "--max-count=10000" } else { "--max-count=1" };
    let format = "--format=%aE%n%cE%n%(trailers:key=Co-authored-by,valueonly)";
    let said = git("who wrote the commit", dir, &["log", count, format, "--end-of-options", &range])?;
    let address =
        |line: &str| line.rsplit_once('<').map_or(line, |(_, rest)| rest.trim_end_matches('>')).trim().to_lowercase();
    let found: BTreeSet<String> = said.lines().map(address).filter(|address| !address.is_empty()).collect();
    match found.is_empty() {
        true => Err(Error::environment(format!("git knows no commit of {range} in {}", dir.display()))),
        false => Ok(found),
    }
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
