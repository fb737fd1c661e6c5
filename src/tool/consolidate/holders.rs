//! Who has a file open: what is replaced under a running server goes on in it unseen, and its writes are lost.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Other processes that have one of `paths` open; each with the first such file. Empty where the system does not tell.
pub(super) fn holders(paths: &[PathBuf]) -> BTreeMap<u32, PathBuf> {
    let identity = |path: &Path| path.metadata().ok().map(|about| (about.dev(), about.ino()));
    let known: BTreeMap<(u64, u64), &PathBuf> = paths.iter().filter_map(|path| Some((identity(path)?, path))).collect();
    let mut found = BTreeMap::new();
    if known.is_empty() {
        return found; // nothing is there yet, and nobody has it
    }
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in numbers.filter(|pid| *pid != std::process::id()) {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let hit = open.filter_map(|entry| identity(&entry.path())).find_map(|file| known.get(&file));
        if let Some(path) = hit {
            found.insert(pid, (*path).clone());
        }
    }
    found
}

/// # Errors
/// Refused: a process has one of `paths` open.
pub(super) fn nobody_holds(paths: &[PathBuf]) -> Result<()> {
    let Some((pid, path)) = holders(paths).into_iter().next() else { return Ok(()) };
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Err(Error::refused(format!(
        "{} is open in process {pid} ({}): stop it first, it would go on in the old file",
        path.display(),
        name.trim()
    )))
}
