//! One source as it is at one moment, read without leaving a trace on it.
//!
//! SQLite itself is never let near the file with a lock or a log of its own: opening a file in WAL mode creates `-shm`,
//! closing it may checkpoint and remove `-wal`, and a hot journal is rolled back into the file. So
//!
//! - a file with nothing beside it is opened as `immutable`: no lock, no side file, no write;
//! - a file with a `-wal` or `-journal` beside it is copied together with that, and the copy is recovered;
//! - while it is looked at we hold a shared lock on all bytes of the file (and of `-shm`), which waits for a writer in
//!   the middle of a transaction and keeps the next one out. It lives in the file table of the kernel alone;
//! - what is read as `immutable` later on could change under us once that lock is gone. [`Snapshot::recheck`] sees that
//!   by size, inode, both times and the header, and nothing is published before it was asked.

use crate::clock::Stopwatch;
use crate::db::sqlite::{first_complaint, immutable_uri, open_immutable};
use crate::tool::whole::beside;
use crate::{Error, Result};
use rusqlite::Connection;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// See the module.
pub(super) struct Snapshot {
    path: PathBuf,
    fingerprint: Fingerprint,
    /// A file with all of it: the source itself, or the copy that took in what lay beside it.
    pub(super) file: PathBuf,
    /// What SQL attaches.
    pub(super) uri: String,
    /// Open on it, read-only.
    pub(super) connection: Connection,
}

/// All that tells whether a file and what lies beside it have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    files: Vec<Option<[i64; 7]>>,
    header: Vec<u8>,
}

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const BESIDE: [&str; 3] = ["", "-wal", "-journal"];
const POLL: Duration = Duration::from_millis(10);

impl Snapshot {
    /// `scratch` takes the copy where one is needed; it must be ours alone.
    ///
    /// # Errors
    /// Each with the file: it is missing, no regular file, empty, no database, in use for longer than `patience`,
    /// damaged; or the copy does not fit on the disk.
    pub(super) fn take(path: &Path, scratch: &Path, patience: Duration) -> Result<Snapshot> {
        Snapshot::of(path, scratch, patience, false).map_err(|error| error.within(path.display()))
    }

    /// The same as a copy in any case, made while the lock is held: writers may go on at once, and it is of one moment.
    pub(super) fn copied(path: &Path, scratch: &Path, patience: Duration) -> Result<Snapshot> {
        Snapshot::of(path, scratch, patience, true).map_err(|error| error.within(path.display()))
    }

    fn of(path: &Path, scratch: &Path, patience: Duration, always_copy: bool) -> Result<Snapshot> {
        // A log lies beside the file itself, not beside a link to it.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut file = open(path)?;
        let _no_writer = Quiet::wait(&file, path, patience)?;
        let fingerprint = Fingerprint::of(path, &mut file)?;
        if !fingerprint.header.starts_with(MAGIC) {
            return Err(Error::environment("it is not a SQLite database"));
        }
        let has_side = |suffix: &str| beside(path, suffix).metadata().is_ok_and(|side| side.len() > 0);
        let has_side = has_side("-wal") || has_side("-journal");
        let read = match has_side || always_copy {
            false => path.to_owned(),
            true => copy(&mut file, path, scratch, has_side)?,
        };
        let (uri, connection) = (immutable_uri(&read), open_immutable(&read)?);
        Ok(Snapshot { path: path.to_owned(), fingerprint, file: read, uri, connection })
    }

    /// Whether the file, and what lies beside it, are still what they were.
    ///
    /// # Errors
    /// Refused: somebody wrote meanwhile.
    pub(super) fn recheck(&self) -> Result<()> {
        let now = open(&self.path).and_then(|mut file| Fingerprint::of(&self.path, &mut file));
        match now.is_ok_and(|now| now == self.fingerprint) {
            true => Ok(()),
            false => Err(Error::refused(format!(
                "{}: it was written while it was read; stop whoever writes, then run the same command again",
                self.path.display()
            ))),
        }
    }

    /// What SQLite finds damaged.
    ///
    /// # Errors
    /// It is damaged; the first finding is named.
    pub(super) fn check(&self) -> Result<()> {
        match first_complaint(&self.connection, "quick_check(1)")? {
            None => Ok(()),
            Some(found) => Err(Error::environment(damage(&found))),
        }
    }

    /// That it is damaged, with its path.
    pub(super) fn damaged(&self, found: &str) -> Error {
        Error::environment(damage(found)).within(self.path.display())
    }
}

fn damage(found: &str) -> String {
    format!("it is damaged: {found}; restore this file from a backup")
}

fn damaged(error: rusqlite::Error) -> Error {
    Error::environment("SQLite cannot read it").caused_by(error)
}

fn open(path: &Path) -> Result<File> {
    let about = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::environment("it is missing")),
        about => about.map_err(|error| Error::environment("it cannot be read").caused_by(error))?,
    };
    if !about.is_file() {
        return Err(Error::environment("it is no regular file"));
    }
    if about.len() == 0 {
        return Err(Error::environment("it is empty: not even a header of a database is there"));
    }
    File::open(path).map_err(|error| Error::environment("it cannot be read").caused_by(error))
}

/// As long as it lives no writer of the file begins. Dropping it, or closing the file anywhere in this process, ends it.
struct Quiet {
    _shm: Option<File>,
}

impl Quiet {
    fn wait(file: &File, path: &Path, patience: Duration) -> Result<Quiet> {
        let watch = Stopwatch::start();
        let shm = File::open(beside(path, "-shm")).ok();
        for file in [Some(file), shm.as_ref()].into_iter().flatten() {
            while fcntl_lock(file, FlockOperation::NonBlockingLockShared).is_err() {
                if watch.elapsed() > patience {
                    let who = holder(file).map_or(String::new(), |pid| format!(" by process {pid}"));
                    let text = format!("it is locked{who}: a transaction is open in it; end it, then run again");
                    return Err(Error::environment(text));
                }
                std::thread::park_timeout(POLL);
            }
        }
        Ok(Quiet { _shm: shm })
    }
}

fn holder(file: &File) -> Option<i32> {
    let whole = Flock { start: 0, length: 0, pid: None, typ: FlockType::ReadLock, offset_type: FlockOffsetType::Set };
    let blocking = fcntl_getlk(file, &whole).ok()??;
    blocking.pid.map(|pid| pid.as_raw_nonzero().get())
}

/// Copies the file with its log or journal, and lets SQLite put the copy in order where there is one. `file` is the
/// locked handle: another one, once closed, would end the lock.
fn copy(file: &mut File, path: &Path, scratch: &Path, has_side: bool) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let copy = scratch.join(name);
    let written = |error| Error::environment("it cannot be copied").caused_by(error);
    std::fs::create_dir_all(scratch).map_err(|error| Error::io("create", scratch, error))?;
    file.seek(SeekFrom::Start(0)).map_err(written)?;
    io::copy(file, &mut File::create(&copy).map_err(written)?).map_err(written)?;
    if !has_side {
        return Ok(copy);
    }
    for suffix in ["-wal", "-journal"] {
        match std::fs::copy(beside(path, suffix), beside(&copy, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(written(error)),
            _ => {}
        }
    }
    let connection = Connection::open(&copy).map_err(damaged)?;
    // The first read recovers. Then the log goes into the copy, which keeps its journal mode.
    let settle = "pragma synchronous = off; select count(*) from sqlite_master; pragma wal_checkpoint(truncate)";
    connection.execute_batch(settle).map_err(damaged)?;
    connection.close().map_err(|(_, error)| damaged(error))?;
    Ok(copy)
}

impl Fingerprint {
    /// `file` is the handle that may hold the lock: another one, once closed, would end it.
    fn of(path: &Path, file: &mut File) -> Result<Fingerprint> {
        let about = |suffix: &str| {
            let about = beside(path, suffix).metadata().ok()?;
            let inode = [about.dev() as i64, about.ino() as i64, about.len() as i64];
            let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
            Some([inode[0], inode[1], inode[2], times[0], times[1], times[2], times[3]])
        };
        let mut header = Vec::new();
        let read = file.take(100).read_to_end(&mut header);
        read.map_err(|error| Error::environment("it cannot be read").caused_by(error))?;
        Ok(Fingerprint { files: BESIDE.iter().map(|suffix| about(suffix)).collect(), header })
    }
}
