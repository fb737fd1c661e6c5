//! Which scenarios have changed since a git ref: their file, their dataset, or what their tool is made of.
//!
//! What is not known to be untouched is rehearsed: a change of `rehearse.toml` concerns every scenario.

use crate::engine::Library;
use crate::engine::git::git;
use crate::engine::run::planning;
use crate::engine::run::tool_digest;
use crate::model::Scenario;
use crate::registry::Registry;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The paths that differ from `reference`, in the working tree as it is now, untracked ones too; absolute.
///
/// # Errors
/// `git` is not there, the library is in no repository, or there is no such ref.
pub fn changed_since(library: &Library, reference: &str) -> Result<BTreeSet<PathBuf>> {
    let here = library.root.canonicalize().map_err(|error| Error::io("read", &library.root, error))?;
    if reference.starts_with('-') {
        return Err(Error::usage(format!("`{reference}` is no git ref; write one such as main or HEAD~3")));
    }
    let top = git("--since", &here, &["rev-parse", "--show-toplevel"])?;
    let top = PathBuf::from(top.trim_end());
    let differing = git("--since", &top, &["diff", "--name-only", "--no-renames", "-z", reference, "--"])?;
    let untracked = git("--since", &top, &["ls-files", "--others", "--exclude-standard", "-z"])?;
    let names = differing.split('\0').chain(untracked.split('\0')).filter(|name| !name.is_empty());
    Ok(names.map(|name| top.join(name)).collect())
}

/// Whether one of `changed` is an input of the scenario. One whose plan cannot be made counts as changed.
pub fn has_changed(
    registry: &Registry,
    library: &Library,
    scenario: &Scenario,
    file: &Path,
    changed: &BTreeSet<PathBuf>,
) -> bool {
    let root = library.root.canonicalize().unwrap_or_else(|_| library.root.clone());
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (settings, file) = (root.join("rehearse.toml"), whole(file));
    if changed.contains(&settings) || changed.contains(&file) {
        return true;
    }
    let Ok(prepared) = planning::prepare(registry, library, scenario) else { return true };
    let dataset = whole(&prepared.dataset_dir);
    let fixtures = dataset.parent().unwrap_or(&dataset).to_owned();
    changed.iter().any(|path| {
        path.starts_with(&dataset) || tool_digest::is_input(scenario, &prepared.plan, &root, &fixtures, path)
    })
}
