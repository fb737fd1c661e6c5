//! The one process that outlives the others for a moment, and cleans up after them.
//!
//! It believes locks, not pids: a session whose lock is free has no owner any more. One that its owner kept on purpose
//! ([`kept`]) it leaves alone, and stays for as long. What a supervisor that is killed itself leaves, the last session
//! ends in its place; if that was killed too, the next [`Session::open`](super::Session::open) does.

use super::base::Base;
use super::{cluster, docker, kept, liveness, lock, postmaster};
use crate::clock::Stopwatch;
use crate::process::{Executable, Spawn, kill_marked};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the locks of sessions are tried.
const POLL: Duration = Duration::from_millis(50);
/// How long clusters wait for a next session: test processes come one after the other.
const LINGER: Duration = Duration::from_millis(700);
/// How long cleaning up is tried.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a supervisor may take to start.
const START: Duration = Duration::from_secs(20);

/// Cleans up in a base directory until no session is left, then ends the clusters, removes it all and returns.
/// Returns at once when another one does so already.
///
/// # Errors
/// The directory cannot be read or written.
pub fn supervise(base: &Path) -> Result<()> {
    let base = Base::at(base);
    let Some(_held) = become_supervisor(&base)? else { return Ok(()) };
    liveness::serve(&base)?;
    let (mut watched, mut sound) = (Watched::new(), Stopwatch::start());
    loop {
        match watched.round(&base) {
            Ok(true) => return Ok(()),
            Ok(false) => sound = Stopwatch::start(),
            // Something may be stuck in the kernel or be full for a while; nobody else would clean up.
            Err(error) if sound.elapsed() > PATIENCE => return Err(error),
            Err(_) => {}
        }
        std::thread::sleep(POLL);
    }
}

/// What is known from one round to the next.
struct Watched {
    /// The sessions that were alive.
    alive: BTreeSet<String>,
    /// When one of them came or went last.
    changed: Option<SystemTime>,
    /// Whether servers may hold databases of sessions that are gone. To ask them costs processes of theirs, while others
    /// measure, so nobody does because a session came.
    are_orphaned: bool,
    /// Since the last one was alive.
    idle: Stopwatch,
}

impl Watched {
    /// What the supervisor before saw nobody knows.
    fn new() -> Watched {
        Watched { alive: BTreeSet::new(), changed: None, are_orphaned: true, idle: Stopwatch::start() }
    }

    // Whether all is done.
    fn round(&mut self, base: &Base) -> Result<bool> {
        if !base.dir().is_dir() {
            // Somebody has removed it, and with it what sessions hold.
            postmaster::end_abandoned_in(base.dir());
            return Ok(true);
        }
        self.look(base)?;
        if self.are_orphaned {
            // What a server refuses it may grant the next time.
            self.are_orphaned = !cluster::drop_orphans(base);
        }
        if !self.alive.is_empty() {
            self.idle = Stopwatch::start();
            return Ok(false);
        }
        if self.idle.elapsed() < LINGER {
            return Ok(false);
        }
        let all_done = ended(base)?;
        self.are_orphaned = true; // where a session came in the last moment, others may have died in it
        Ok(all_done)
    }

    fn look(&mut self, base: &Base) -> Result<()> {
        let changed = base.sessions().metadata().and_then(|found| found.modified()).ok();
        let alive = end_dead_sessions(base)?;
        // One that came and went between two rounds is never seen.
        let was_brief = alive == self.alive && changed != self.changed;
        self.are_orphaned |= was_brief || !self.alive.is_subset(&alive);
        (self.alive, self.changed) = (alive, changed);
        Ok(())
    }
}

// Whoever asks whether the lock is held holds it for an instant, so one refusal means nothing.
fn become_supervisor(base: &Base) -> Result<Option<File>> {
    for _ in 0..50 {
        if let Some(held) = lock::take(&base.supervisor_lock())? {
            return Ok(Some(held));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(None)
}

/// What is there of sessions and clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Whether a supervisor is alive, who will remove the rest.
    pub supervised: bool,
    /// Sessions whose owner lives, by id.
    pub alive: Vec<String>,
    /// Sessions that were kept beyond their owner's life, by id.
    pub kept: Vec<String>,
    /// Directories of sessions whose owner is dead, and of clusters, when no session is alive.
    pub dead: Vec<PathBuf>,
}

/// Looks what is there, and changes nothing. No base directory: nothing.
pub fn leftovers(base: &Base) -> Leftovers {
    let (wanted, mut dead): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(&base.sessions()).into_iter().partition(|dir| kept::is_wanted(dir));
    if wanted.is_empty() {
        dead.extend(entries(&base.clusters()));
    }
    let names = |dirs: Vec<PathBuf>| dirs.iter().map(|dir| name(dir)).collect();
    let (alive, kept) = wanted.into_iter().partition(|dir| lock::is_held(&dir.join("lock")));
    Leftovers { supervised: lock::is_held(&base.supervisor_lock()), alive: names(alive), kept: names(kept), dead }
}

/// Ends what dead owners left. The caller holds the start lock, and there is no supervisor.
pub(super) fn reap(base: &Base) -> Result<()> {
    if end_dead_sessions(base)?.is_empty() {
        postmaster::end_in(base.dir());
        for dir in [base.sessions(), base.clusters(), base.sqlite()] {
            remove(&dir)?;
        }
    }
    base.create()
}

/// Starts a supervisor, and waits until it is one. The caller holds the start lock, and there is none.
pub(super) fn start(executable: &Executable, base: &Base) -> Result<()> {
    let argv: [OsString; 3] = [executable.path().into(), "__supervise".into(), base.dir().into()];
    let log = base.dir().join("supervisor.log");
    let mut spawn = Spawn::new(argv, "/");
    spawn.stderr = Some(log.clone());
    let mut started = spawn.start_detached()?;
    let watch = Stopwatch::start();
    while !liveness::is_alive(base) {
        if let Some(exit) = started.ended() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let program = executable.path().display();
            return Err(Error::environment(format!("`{program} __supervise` ended ({exit}): {}", said.trim())));
        }
        if watch.elapsed() > START {
            return Err(Error::environment(format!("`{} __supervise` does not start", executable.path().display())));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

// The ids of those whose owner lives, or left them on purpose. The others are gone after this, or as many as can be.
fn end_dead_sessions(base: &Base) -> Result<BTreeSet<String>> {
    let (alive, dead): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(&base.sessions()).into_iter().partition(|dir| kept::is_wanted(dir));
    let troubles: Vec<Error> = dead.iter().filter_map(|dir| end_session(dir).err()).collect();
    match troubles.into_iter().next() {
        Some(first) => Err(first),
        None => Ok(alive.iter().map(|dir| name(dir)).collect()),
    }
}

fn end_session(dir: &Path) -> Result<()> {
    kill_marked(&name(dir), None)?;
    postmaster::end_in(dir);
    docker::end_in(dir);
    remove(dir)
}

/// Does the work of a supervisor that was killed, where no session is alive that would do it at its own end.
///
/// # Errors
/// Something cannot be removed; the next session finds it.
pub(super) fn stand_in(base: &Base) -> Result<()> {
    if liveness::is_alive(base) || !base.dir().is_dir() {
        return Ok(());
    }
    let _deciding = lock::wait_for(&base.start_lock())?;
    if liveness::is_alive(base) { Ok(()) } else { end_all(base).map(drop) }
}

// The decision to end, under the lock under which sessions are made.
fn ended(base: &Base) -> Result<bool> {
    let _deciding = lock::wait_for(&base.start_lock())?;
    end_all(base)
}

// Whether no session is alive, and so nothing is left.
fn end_all(base: &Base) -> Result<bool> {
    if !end_dead_sessions(base)?.is_empty() {
        return Ok(false);
    }
    postmaster::end_in(base.dir());
    for dir in [base.sessions(), base.clusters(), base.sqlite()] {
        remove(&dir)?;
    }
    let log = base.dir().join("supervisor.log");
    for file in liveness::socket(base).into_iter().chain([log, base.supervisor_lock(), base.start_lock()]) {
        let _ = std::fs::remove_file(file);
    }
    let _ = std::fs::remove_dir(base.dir()); // somebody else's files in it are not ours to remove
    Ok(true)
}

fn remove(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if dir.exists() => Err(Error::io("remove", dir, error)),
        _ => Ok(()),
    }
}

// Without those that begin with a dot: they are being made, and must not even be tried.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    paths.retain(|path| !name(path).starts_with('.'));
    paths.sort();
    paths
}

fn name(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
