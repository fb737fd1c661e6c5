//! The files of a case.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Whether `path` is an earlier `report` that a step found and that was renamed.
pub(super) fn is_set_aside(path: &Path, report: &Path) -> bool {
    let number =
        path.extension().and_then(|extension| extension.to_str()).and_then(|text| text.strip_prefix("before-"));
    number.is_some_and(|number| number.parse::<u32>().is_ok()) && path.with_extension("") == report.with_extension("")
}

/// Every file below a folder: its length and the time of its change.
pub(super) fn list(folder: &Path, files: &mut BTreeMap<PathBuf, (u64, Option<SystemTime>)>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?.flatten() {
        let path = entry.path();
        let about = entry.metadata().map_err(|error| Error::io("read", &path, error))?;
        if about.is_dir() {
            list(&path, files)?;
        } else {
            files.insert(path, (about.len(), about.modified().ok()));
        }
    }
    Ok(())
}
