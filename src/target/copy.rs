//! Copies of directories: what initialised clusters and their servers are made of.

use super::base::set_mode;
use crate::process::{Ids, own_uid};
use crate::{Error, Result};
use std::path::Path;

/// Copies a tree of plain files into a directory that is not there yet, for `owner`, closed to others.
///
/// Returns the bytes of all files. Reflinks where the file system can (`std::fs::copy` asks for them).
///
/// # Errors
/// A file cannot be read or written; names the one, also when the disk is full.
pub(super) fn copy_tree(from: &Path, to: &Path, owner: Ids) -> Result<u64> {
    std::fs::create_dir(to).map_err(|error| Error::io("create", to, error))?;
    set_mode(to, 0o700)?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(from).map_err(|error| Error::io("read", from, error))? {
        let entry = entry.map_err(|error| Error::io("read", from, error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        bytes += match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => copy_tree(&source, &target, owner)?,
            false => copy_file(&source, &target, owner)?,
        };
    }
    give(to, owner)?;
    Ok(bytes)
}

fn copy_file(from: &Path, to: &Path, owner: Ids) -> Result<u64> {
    let bytes = std::fs::copy(from, to).map_err(|error| Error::io("write", to, error))?;
    give(to, owner)?;
    Ok(bytes)
}

/// Makes a path somebody else's; only root can, and only root has to.
pub(super) fn give(path: &Path, owner: Ids) -> Result<()> {
    if own_uid() != 0 {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid))
        .map_err(|error| Error::io("give away", path, error))
}
