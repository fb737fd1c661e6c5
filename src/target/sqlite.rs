//! SQLite files as targets: a template file is made once per content, a case gets a copy.

use super::base::Base;
use super::lock;
use crate::model::canonical::hex;
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags, backup::Backup};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The template files of a base directory, shared by its processes.
#[derive(Debug, Clone)]
pub struct SqliteTemplates {
    dir: PathBuf,
}

/// A database in one file, or with the log beside it that `load` left; never opened again, only copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteTemplate {
    path: PathBuf,
}

impl SqliteTemplates {
    /// The templates in a base directory that a session keeps alive.
    pub fn new(base: &Base) -> SqliteTemplates {
        SqliteTemplates { dir: base.sqlite() }
    }

    /// The template of a key, made now if no process did it before.
    ///
    /// `load` writes a database at the path it is given, in any journal mode, and closes it. The key must name the
    /// content: what is there under the same key is taken.
    ///
    /// # Errors
    /// The error of `load`, or SQLite's; nothing is kept of the template.
    pub fn template(&self, key: &str, load: impl FnOnce(&Path) -> Result<()>) -> Result<SqliteTemplate> {
        let name = hex(&Sha256::digest(key.as_bytes()))[..16].to_owned();
        let path = self.dir.join(format!("{name}.sqlite"));
        let _making = lock::wait_for(&self.dir.join(format!("{name}.lock")))?;
        if !path.exists() {
            let workshop = self.dir.join(format!("{name}.new")); // may be there, half-made
            let _ = std::fs::remove_dir_all(&workshop);
            std::fs::create_dir(&workshop).map_err(|error| Error::io("create", &workshop, error))?;
            let made = make(&workshop, &path, load);
            let _ = std::fs::remove_dir_all(&workshop);
            made?;
        }
        Ok(SqliteTemplate { path })
    }
}

impl SqliteTemplate {
    /// Copies the database to a path where nothing is yet, neither a file nor a log that SQLite would apply to it.
    ///
    /// # Errors
    /// Something is there; the disk is full.
    pub fn clone_to(&self, path: &Path) -> Result<()> {
        let beside = ["", "-wal", "-shm", "-journal"].map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        });
        if let Some(found) = beside.iter().find(|file| file.exists()) {
            return Err(Error::environment(format!(
                "{} is there already: clone into a fresh directory",
                found.display()
            )));
        }
        let log = log_of(&self.path);
        if log.exists() {
            std::fs::copy(&log, log_of(path)).map_err(|error| Error::io("write", &log_of(path), error))?;
        }
        std::fs::copy(&self.path, path).map(drop).map_err(|error| Error::io("write", path, error))
    }
}

// A log that is left on purpose stays one. Else the backup writes a single file.
fn make(workshop: &Path, path: &Path, load: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (loaded, copy) = (workshop.join("loaded"), workshop.join("copy"));
    load(&loaded)?;
    if log_of(&loaded).exists() {
        let moved = std::fs::rename(log_of(&loaded), log_of(path)).and_then(|()| std::fs::rename(&loaded, path));
        return moved.map_err(|error| Error::io("create", path, error));
    }
    back_up(&loaded, &copy).map_err(|error| Error::environment("cannot copy the template").caused_by(error))?;
    std::fs::rename(&copy, path).map_err(|error| Error::io("create", path, error))
}

fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

fn back_up(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut target = Connection::open(to)?;
    Backup::new(&source, &mut target)?.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    target.close().map_err(|(_, error)| error)
}
