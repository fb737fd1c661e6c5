//! Files and folders that are there as a whole or not at all, and still are after a loss of power.

use crate::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// `path` with more after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A reader finds the old file or the new one, whole, whatever happens in between. Makes the folder where there is none.
///
/// # Errors
/// It cannot be written, or a folder is in its place: the old file stays.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let part = beside(path, ".new");
    let put = || -> std::io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        File::open(folder)?.sync_all()
    };
    let failed = |error| Error::io("write", path, error);
    fs::create_dir_all(folder).map_err(failed)?;
    put().map_err(|error| {
        let _ = fs::remove_file(&part); // the trouble that counts is the first
        failed(error)
    })
}

/// What a folder lists is durable.
///
/// # Errors
/// It cannot be opened or synced.
pub(super) fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::io("sync", path, error))
}

/// # Errors
/// It is there and cannot be removed.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    gone(path, fs::remove_file(path))
}

/// # Errors
/// It is there and cannot be removed.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    gone(path, fs::remove_dir_all(path))
}

fn gone(path: &Path, removed: std::io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_replaced_stays_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("report.json");
        fs::create_dir_all(taken.join("inside")).unwrap();
        assert!(write_whole(&taken, b"{}").unwrap_err().to_string().contains("report.json"));
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["report.json"]);
    }

    #[test]
    fn what_is_not_there_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(remove_file(&folder.path().join("a")).is_ok() && remove_folder(&folder.path().join("b")).is_ok());
        assert!(remove_file(folder.path()).is_err(), "a folder is no file");
    }
}
