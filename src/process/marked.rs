//! Descendants that left their process group, found by the marker in their environment.
//!
//! Not found: a process that cleared its environment, and one that began outside of us (a daemon that was asked).

use super::{Signal, kill, ours, pid};
use crate::{Error, Result};
use rustix::process::{WaitOptions, waitpid};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a child and all its descendants carry in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// `REHEARSE_SESSION`.
    pub session: String,
    /// `REHEARSE_CASE`.
    pub case: Option<String>,
}

impl Marker {
    pub(super) fn variables(&self) -> Vec<(&'static str, &str)> {
        let case = self.case.as_deref().map(|case| ("REHEARSE_CASE", case));
        [("REHEARSE_SESSION", self.session.as_str())].into_iter().chain(case).collect()
    }
}

/// The live processes of a session, or of one case of it, ascending by pid; never ourselves.
///
/// Linux only: elsewhere nobody can read the environment of a process, and the answer is empty.
pub fn marked(session: &str, case: Option<&str>) -> Vec<u32> {
    let marker = Marker { session: session.to_owned(), case: case.map(str::to_owned) };
    let wanted: Vec<Vec<u8>> = marker.variables().iter().map(|(k, v)| format!("{k}={v}").into_bytes()).collect();
    processes().filter(|pid| *pid != std::process::id() && carries(*pid, &wanted)).collect()
}

/// Kills the processes of a session, or of one case of it, until none is left; returns how many were killed.
///
/// # Errors
/// Some are still there after a second; names them.
pub fn kill_marked(session: &str, case: Option<&str>) -> Result<u32> {
    let mut found = marked(session, case);
    let mut killed = 0;
    for _ in 0..ROUNDS {
        if found.is_empty() {
            return Ok(killed);
        }
        for process in &found {
            kill(*process, Signal::KILL)?;
            killed += 1;
        }
        // The pause also lets a process that is just executing another program show its environment again.
        std::thread::sleep(PAUSE);
        found.iter().for_each(|process| reap(*process));
        found = marked(session, case);
    }
    Err(Error::environment(format!("processes of session {session} survive SIGKILL: {found:?}")))
}

const ROUNDS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(2);

/// The processes of these names that work in `directory` or below, ascending by pid.
///
/// Without `/proc` it is `lsof` that is asked; without that too, the answer is empty.
pub fn processes_in(directory: &Path, names: &[&str]) -> Vec<u32> {
    if Path::new("/proc/self/cwd").exists() {
        let named = |pid: &u32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            names.contains(&name.trim_end())
        };
        let inside = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|p| p.starts_with(directory));
        return processes().filter(|pid| inside(pid) && named(pid)).collect();
    }
    let argv = ["lsof", "-a", "-d", "cwd", "-Fpcn"].map(Into::into);
    let environment = std::env::vars_os().collect();
    let output = super::run(&argv, Path::new("/"), &environment, None, "");
    output.map_or(Vec::new(), |output| listed(&String::from_utf8_lossy(&output.stdout), directory, names))
}

// Lines of `lsof -F`: p<pid>, c<name>, n<directory>, in this order for each process.
fn listed(text: &str, directory: &Path, names: &[&str]) -> Vec<u32> {
    let (mut process, mut is_named, mut found) = (0, false, Vec::new());
    for line in text.lines() {
        match line.split_at_checked(1) {
            Some(("p", pid)) => process = pid.parse().unwrap_or(0),
            Some(("c", name)) => is_named = names.contains(&name),
            Some(("n", path)) if is_named && PathBuf::from(path).starts_with(directory) => found.push(process),
            _ => {}
        }
    }
    found
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.into_iter()
}

fn carries(pid: u32, wanted: &[Vec<u8>]) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    wanted.iter().all(|variable| environment.split(|byte| *byte == 0).any(|entry| entry == variable))
}

// An orphan came to us and must be waited for; a child that somebody of us waits for must not.
fn reap(process: u32) {
    if ours().contains(&process) {
        return;
    }
    let _ = pid(process).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsof_names_the_servers_below_a_directory() {
        let text =
            "p12\ncpostgres\nfcwd\nn/tmp/b/data\np13\ncbash\nfcwd\nn/tmp/b/data\np14\ncpostgres\nfcwd\nn/tmp/c\n";
        assert_eq!(listed(text, Path::new("/tmp/b"), &["postgres"]), [12]);
    }
}
