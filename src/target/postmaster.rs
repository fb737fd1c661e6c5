//! Servers as processes: who they are, and how they end.

use super::binaries::environment;
use crate::clock::Stopwatch;
use crate::process::{Signal, has_no_directory, kill, kill_all, processes_in, run, works_in};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ends every server that works below a directory, and frees the shared memory of those that were killed before.
pub(super) fn end_in(dir: &Path) {
    let servers = || processes_in(dir, &["postgres", "initdb"]);
    let data_dirs = data_dirs(dir);
    let patience = match is_initialising(dir, &data_dirs) {
        true => PATIENCE_TO_INITIALISE,
        false => PATIENCE_TO_QUIT,
    };
    data_dirs.iter().for_each(|data| quit(data));
    kill_after(if data_dirs.is_empty() { Duration::ZERO } else { patience }, 4 * patience, servers);
    data_dirs.iter().filter_map(|data| PidFile::read(data)).for_each(free_memory);
}

/// Ends every server whose directory, below this one, was removed under it. Another one may be there by now, and stays.
pub(super) fn end_abandoned_in(dir: &Path) {
    let servers =
        || processes_in(dir, &["postgres", "initdb"]).into_iter().filter(|pid| has_no_directory(*pid)).collect();
    let found: Vec<u32> = servers();
    found.iter().for_each(|pid| drop(kill(*pid, Signal::QUIT)));
    kill_after(PATIENCE_TO_QUIT, 4 * PATIENCE_TO_QUIT, servers);
}

/// Waits until nobody is left, and kills who is there after a while; in the end they are in the kernel's hands.
fn kill_after(patience: Duration, end: Duration, servers: impl Fn() -> Vec<u32>) {
    let watch = Stopwatch::start();
    loop {
        let left = servers();
        if left.is_empty() || watch.elapsed() > end {
            return;
        }
        if watch.elapsed() > patience {
            left.iter().for_each(|pid| drop(kill(*pid, Signal::KILL)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends every process of the server in a data directory at once (SIGKILL), the one first that would start others.
pub(super) fn kill_in(data: &Path) -> Result<()> {
    let servers = || processes_in(data, &["postgres"]);
    let postmaster = PidFile::read(data).map(|file| file.pid).filter(|pid| works_in(*pid, data, &["postgres"]));
    postmaster.map_or(Ok(()), |pid| kill(pid, Signal::KILL))?;
    let (watch, mut left) = (Stopwatch::start(), servers());
    while !left.is_empty() {
        if watch.elapsed() > PATIENCE_TO_DIE {
            return Err(Error::environment(format!("processes of the server survive SIGKILL: {left:?}")));
        }
        kill_all(&left)?;
        left = servers();
    }
    Ok(())
}

/// How long a killed process may stay in the kernel.
const PATIENCE_TO_DIE: Duration = Duration::from_secs(10);

/// How long a server may take to leave without being killed.
const PATIENCE_TO_QUIT: Duration = Duration::from_millis(700);
/// How long an `initdb` whose starter died may go on, which is not long: a killed one would leave POSIX shared memory
/// that nobody can tell from another server's.
const PATIENCE_TO_INITIALISE: Duration = Duration::from_secs(5);

fn quit(data: &Path) {
    let postmaster = PidFile::read(data).filter(|file| !file.is_single && works_in(file.pid, data, &["postgres"]));
    let _ = postmaster.map(|file| kill(file.pid, Signal::QUIT));
}

fn is_initialising(dir: &Path, data_dirs: &[PathBuf]) -> bool {
    let is_single = |data: &PathBuf| PidFile::read(data).is_some_and(|file| file.is_single);
    data_dirs.iter().any(is_single) || !processes_in(dir, &["initdb"]).is_empty()
}

/// What `postmaster.pid` says.
pub(super) struct PidFile {
    pub(super) pid: u32,
    is_single: bool,
    memory: Option<u32>,
    pub(super) is_ready: bool,
}

impl PidFile {
    // Lines: pid, data directory, start time, port, socket directory, address, "key id" of the memory, status.
    // A server without a postmaster (`--single`, `--boot`) writes its pid with a minus.
    pub(super) fn read(data: &Path) -> Option<PidFile> {
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let memory = lines.get(6).and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        let pid: i32 = lines.first()?.parse().ok()?;
        Some(PidFile { pid: pid.unsigned_abs(), is_single: pid < 0, memory, is_ready: lines.get(7) == Some(&"ready") })
    }
}

// A postmaster that is killed leaves its (tiny) System V segment. Only if it is surely the one: made by that process,
// used by nobody. Elsewhere than on Linux it stays until the next boot.
fn free_memory(file: PidFile) {
    let Some(id) = file.memory.map(|id| id.to_string()) else { return };
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let is_its_own = segments.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|fields| {
        // key shmid perms size cpid lpid nattch ...
        fields.get(1) == Some(&id.as_str())
            && fields.get(4) == Some(&file.pid.to_string().as_str())
            && fields.get(6) == Some(&"0")
    });
    if is_its_own {
        let _ = run(&["ipcrm".into(), "-m".into(), id.into()], Path::new("/"), &environment(), None, "");
    }
}

// `<dir>/data`, `<dir>/clusters/*/data`, `<dir>/sessions/*/clusters/*/data`.
fn data_dirs(dir: &Path) -> Vec<PathBuf> {
    let below = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut clusters: Vec<PathBuf> = below(dir.join("clusters")).collect();
    clusters.extend(below(dir.join("sessions")).flat_map(|session| below(session.join("clusters"))));
    clusters.push(dir.to_owned());
    clusters.into_iter().map(|cluster| cluster.join("data")).filter(|data| data.is_dir()).collect()
}
