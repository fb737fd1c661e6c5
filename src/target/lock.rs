//! Locks on files that may be removed: a lock on a file without a name protects nothing, so it is taken again.

use crate::clock::Stopwatch;
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long the start of a cluster (with its initialisation, on a slow disk) may keep others waiting.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for the lock; the file is made if it is not there. Dropping the file releases it.
///
/// # Errors
/// The directory is gone, or nobody let go for two minutes.
pub(super) fn wait_for(path: &Path) -> Result<File> {
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if let Some(file) = take(path)? {
            return Ok(file);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(Error::environment(format!("{} is held by another process for {} s", path.display(), PATIENCE.as_secs())))
}

/// Takes the lock if it is free; the file is made if it is not there.
pub(super) fn take(path: &Path) -> Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(|error| Error::io("open", path, error))?;
    Ok((file.try_lock().is_ok() && still_named(&file, path)).then_some(file))
}

/// Whether somebody holds the lock; no file, nobody. Where nobody can tell, for want of a descriptor or of a right,
/// somebody does: what is nobody's is removed.
pub(super) fn is_held(path: &Path) -> bool {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn still_named(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (named.dev(), named.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_who_has_the_file_and_where_nobody_can_tell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!is_held(&path), "no file, nobody");
        let file = take(&path).unwrap().unwrap();
        assert!(is_held(&path));
        drop(file);
        assert!(!is_held(&path));
        assert!(is_held(dir.path()), "what cannot be opened may be somebody's");
    }
}
