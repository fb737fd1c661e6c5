//! What a run leaves on request: the databases and directories of cases, until `rehearse clean`.
//!
//! A session that keeps something has the file `kept.json`. Its owner writes it before it lets go of its lock, so a
//! session whose lock is free is either kept or dead, never in doubt. A kept session keeps its cluster and the
//! supervisor alive; without the file it is a dead one like any other, and goes the same way.

use super::base::Base;
use super::{Session, leftovers, lock};
use crate::clock::Stopwatch;
use crate::process::Executable;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One case that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The name of the case.
    pub case: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Its Postgres databases.
    pub databases: Vec<String>,
}

/// How long the supervisor may take to remove what nobody keeps any more.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn marker(session: &Path) -> PathBuf {
    session.join("kept.json")
}

/// Whether nobody may end this session: its owner lives, or left it on purpose.
pub(super) fn is_wanted(session: &Path) -> bool {
    // In this order: the marker is written before the lock is free.
    lock::is_held(&session.join("lock")) || marker(session).exists()
}

/// Writes down what a session keeps; from now on it outlives its owner. All else in its directory goes.
pub(super) fn keep(session: &Path, kept: &[Kept]) -> Result<()> {
    for path in listed(session).into_iter().filter(|path| !path.ends_with("lock") && !path.ends_with("clusters")) {
        let inside = listed(&path).into_iter().filter(|dir| !kept.iter().any(|kept| kept.dir == *dir));
        inside.for_each(remove);
        let _ = std::fs::remove_dir(&path); // what is not empty is kept
    }
    let (path, aside) = (marker(session), session.join("kept.new"));
    lock::take(&aside)?; // makes the file, ours alone
    let text = serde_json::to_vec(kept).map_err(|error| Error::bug("kept cases are JSON").caused_by(error))?;
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &path));
    written.map_err(|error| Error::io("write", &path, error))
}

/// All cases that were kept in a base directory by sessions that are over; no base directory: none.
pub fn kept(base: &Base) -> Vec<Kept> {
    let ids = leftovers(base).kept;
    ids.iter().flat_map(|id| read(&base.sessions().join(id))).collect()
}

fn read(session: &Path) -> Vec<Kept> {
    let bytes = std::fs::read(marker(session)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Gives up all that was kept, ends what dead owners left, and waits until it is gone. Sessions that are alive stay.
///
/// # Errors
/// The base directory cannot be used; something is still there after half a minute.
pub fn clean(executable: &Executable, base: &Base) -> Result<()> {
    for id in leftovers(base).kept {
        let path = marker(&base.sessions().join(id));
        std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
    }
    if base.dir().is_dir() {
        // A new session does the work of a supervisor that was killed, and starts one.
        drop(Session::open(executable, base)?);
    }
    let watch = Stopwatch::start();
    loop {
        let left = leftovers(base);
        // Clusters go with the last session; one that comes meanwhile wants them.
        let sessions = left.dead.iter().filter(|dir| dir.starts_with(base.sessions())).count();
        match sessions == 0 && (!left.alive.is_empty() || left.dead.is_empty()) {
            true => return Ok(()),
            false if watch.elapsed() > PATIENCE => {
                let text = format!("{} is still there; look into supervisor.log beside it", base.dir().display());
                return Err(Error::environment(text));
            }
            false => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// What a cache holds that is ours to remove: initialised clusters, and what is known of binaries.
pub fn cached(base: &Base) -> Vec<PathBuf> {
    let is_image = |name: &str| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == "binaries" || is_image(name.strip_suffix(".bytes").unwrap_or(&name))
    };
    listed(base.cache()).into_iter().filter(is_ours).collect()
}

/// Removes [`cached`]; waits for whoever is filling it.
///
/// # Errors
/// Something cannot be removed.
pub fn clean_cache(base: &Base) -> Result<()> {
    let found = cached(base);
    let _filling = if found.is_empty() { None } else { Some(lock::wait_for(&base.cache().join("lock"))?) };
    found.into_iter().for_each(remove);
    match cached(base).first() {
        None => Ok(()),
        Some(left) => Err(Error::environment(format!("cannot remove {}: whose is it?", left.display()))),
    }
}

fn remove(path: PathBuf) {
    let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
}

fn listed(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
