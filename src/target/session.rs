//! One process, or one run in it: a name, a directory, and a lock that says that the owner lives.

use super::base::{Base, own_dir};
use super::{Kept, liveness, lock, postmaster, supervisor};
use crate::process::{Executable, Marker, kill_marked};
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A lifetime: what was made under it ends with it, also when its owner dies by SIGKILL.
#[derive(Debug)]
pub struct Session {
    id: String,
    base: Base,
    dir: PathBuf,
    _alive: File,
}

impl Session {
    /// Opens a session; the first one ends what dead owners left, and starts the supervisor.
    ///
    /// # Errors
    /// The base directory cannot be used, or the supervisor does not start.
    pub fn open(executable: &Executable, base: &Base) -> Result<Session> {
        loop {
            base.create()?;
            match lock::wait_for(&base.start_lock()) {
                Ok(_deciding) if base.sessions().is_dir() => return Session::open_deciding(executable, base),
                Err(error) if base.dir().is_dir() => return Err(error),
                _ => {} // the last supervisor removed the base just now
            }
        }
    }

    /// Opens a session of this very program, where the environment says: for what is unpacked, which then goes with us, or,
    /// where we are killed, with the supervisor.
    ///
    /// # Errors
    /// As in [`Session::open`].
    pub fn here() -> Result<Session> {
        Session::open(&Executable::find()?, &Base::find())
    }

    fn open_deciding(executable: &Executable, base: &Base) -> Result<Session> {
        if !liveness::is_alive(base) {
            supervisor::reap(base)?;
            supervisor::start(executable, base)?;
        }
        Session::create(base)
    }

    // Made aside and renamed, so that nobody sees a session whose lock is not held yet.
    fn create(base: &Base) -> Result<Session> {
        let id = fresh_id()?;
        let (aside, dir) = (base.sessions().join(format!(".{id}")), base.sessions().join(&id));
        own_dir(&aside)?;
        let alive = lock::take(&aside.join("lock"))?.ok_or_else(|| Error::bug(format!("session {id} exists twice")))?;
        std::fs::rename(&aside, &dir).map_err(|error| Error::io("create", &dir, error))?;
        Ok(Session { id, base: base.clone(), dir, _alive: alive })
    }

    /// Eight characters of `[a-z0-9]`, the first a letter; names of databases begin with it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The directory for directories of cases; removed at the end.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keeps these cases beyond the life of the session, until `rehearse clean`; everything else in its directory goes.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn keep(&self, kept: &[Kept]) -> Result<()> {
        super::kept::keep(&self.dir, kept)
    }

    pub(super) fn clusters(&self) -> PathBuf {
        self.dir.join("clusters")
    }

    /// The base directory that it lives in.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// The marker for children of a case, or of the session as a whole.
    pub fn marker(&self, case: Option<&str>) -> Marker {
        Marker { session: self.id.clone(), case: case.map(str::to_owned) }
    }
}

impl Drop for Session {
    // Databases are dropped by the supervisor, which sees the directory go; so is what is left after an error here.
    fn drop(&mut self) {
        let _ = kill_marked(&self.id, None);
        if self.clusters().exists() {
            postmaster::end_in(&self.clusters());
            let _ = std::fs::remove_dir_all(self.clusters());
        }
        if !super::kept::marker(&self.dir).exists() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
        let _ = supervisor::stand_in(&self.base);
    }
}

/// `N` random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|error| Error::io("read", source, error))
}

fn fresh_id() -> Result<String> {
    let letters = b"abcdefghijklmnopqrstuvwxyz012345";
    let digits = random::<7>()?.map(|byte| char::from(letters[usize::from(byte % 32)]));
    Ok(format!("s{}", digits.iter().collect::<String>()))
}
