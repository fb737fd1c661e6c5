//! Descendants that left their process group, found by the marker in their environment.
//!
//! Not found: a process that cleared its environment, and one that began outside of us (a daemon that was asked).

use super::child::ours;
use super::{Signal, kill, pid};
use crate::{Error, Result};
use rustix::process::{WaitOptions, waitpid};
use std::collections::BTreeSet;
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
    carriers(&processes().collect::<Vec<_>>(), session, case)
}

/// Kills the processes of a session, or of one case of it, until none is left; returns how many were killed.
///
/// # Errors
/// Some are still there after a second; names them.
pub fn kill_marked(session: &str, case: Option<&str>) -> Result<u32> {
    kill_until_none(session, case, || processes().collect())
}

/// As [`marked`], but looks only among our own descendants: a tenth of the time.
///
/// Orphans are our descendants too, for we adopt them. Where the kernel does not list children, it looks everywhere.
pub fn marked_descendants(session: &str, case: Option<&str>) -> Vec<u32> {
    carriers(&near(), session, case)
}

/// As [`kill_marked`], of [`marked_descendants`].
///
/// # Errors
/// As in [`kill_marked`].
pub fn kill_descendants(session: &str, case: Option<&str>) -> Result<u32> {
    kill_until_none(session, case, near)
}

fn near() -> Vec<u32> {
    descendants().unwrap_or_else(|| processes().collect())
}

/// Kills these processes and takes leave of those that are our children: orphans come to us, and would stay as zombies.
///
/// # Errors
/// One belongs to another user.
pub fn kill_all(processes: &[u32]) -> Result<()> {
    processes.iter().try_for_each(|process| kill(*process, Signal::KILL))?;
    std::thread::sleep(PAUSE);
    processes.iter().for_each(|process| reap(*process));
    Ok(())
}

fn kill_until_none(session: &str, case: Option<&str>, among: impl Fn() -> Vec<u32>) -> Result<u32> {
    let (mut found, mut killed) = (Vec::new(), BTreeSet::<u32>::new());
    let mut patience = PATIENCE;
    for _ in 0..ROUNDS {
        let all = among();
        found = carriers(&all, session, case);
        if found.is_empty() {
            match patience {
                1.. if all.into_iter().any(is_executing) => patience -= 1,
                _ => return Ok(killed.len() as u32),
            }
        }
        kill_all(&found)?;
        killed.extend(&found);
    }
    Err(Error::environment(format!("processes of session {session} survive SIGKILL: {found:?}")))
}

const ROUNDS: u32 = 500;
/// Rounds in which nobody is found, and somebody shows no environment at all.
const PATIENCE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(2);

/// The processes of these names that work in `directory` or below, ascending by pid.
///
/// Without `/proc` it is `lsof` that is asked; without that too, the answer is empty.
pub fn processes_in(directory: &Path, names: &[&str]) -> Vec<u32> {
    if has_proc() {
        return processes().filter(|pid| works_in(*pid, directory, names)).collect();
    }
    let argv = ["lsof", "-a", "-d", "cwd", "-Fpcn"].map(Into::into);
    let environment = std::env::vars_os().collect();
    let output = super::run(&argv, Path::new("/"), &environment, None, "");
    output.map_or(Vec::new(), |output| listed(&String::from_utf8_lossy(&output.stdout), directory, names))
}

/// Whether a process has one of these names and works in `directory` or below: so a pid that was given to somebody
/// else is not taken for the old one.
pub fn works_in(pid: u32, directory: &Path, names: &[&str]) -> bool {
    if !has_proc() {
        return processes_in(directory, names).contains(&pid);
    }
    let is_inside = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|path| path.starts_with(directory));
    is_inside && std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| names.contains(&name.trim_end()))
}

/// Whether the working directory of a process was removed under it. Linux only: elsewhere nobody can tell.
pub fn has_no_directory(pid: u32) -> bool {
    let directory = std::fs::read_link(format!("/proc/{pid}/cwd"));
    directory.is_ok_and(|path| path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)"))
}

fn has_proc() -> bool {
    Path::new("/proc/self/cwd").exists()
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

// Breadth first; a thread that ends meanwhile hands its children to another one, which may have been read already.
fn descendants() -> Option<Vec<u32>> {
    let mut found = children(std::process::id())?;
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children(*pid).unwrap_or_default());
        next += 1;
    }
    Some(found)
}

fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let listed = std::fs::read_to_string(thread.path().join("children"));
        match listed {
            Ok(listed) => found.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok())),
            Err(_) if !thread.path().exists() => {} // it ended
            Err(_) => return None,
        }
    }
    Some(found)
}

fn carriers(pids: &[u32], session: &str, case: Option<&str>) -> Vec<u32> {
    let marker = Marker { session: session.to_owned(), case: case.map(str::to_owned) };
    let wanted: Vec<Vec<u8>> = marker.variables().iter().map(|(k, v)| format!("{k}={v}").into_bytes()).collect();
    pids.iter().copied().filter(|pid| *pid != std::process::id() && carries(*pid, &wanted)).collect()
}

fn carries(pid: u32, wanted: &[Vec<u8>]) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    wanted.iter().all(|variable| environment.split(|byte| *byte == 0).any(|entry| entry == variable))
}

/// Whether a young process of ours has a program and no environment: it is just executing another program, and whoever
/// started it may know its pid already. A program that was started with an empty environment looks the same.
fn is_executing(pid: u32) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let is_empty = std::fs::read(process.join("environ")).is_ok_and(|environment| environment.is_empty());
    is_empty && std::fs::read_link(process.join("exe")).is_ok() && age_s(&process).is_some_and(|age_s| age_s < 0.2)
}

/// How long ago a process was forked: when it began after the start of the machine, against the time since then.
fn age_s(process: &Path) -> Option<f64> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name stands in brackets, and may hold anything; the 20th field after it counts ticks.
    let started_ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
    Some(uptime.split_whitespace().next()?.parse::<f64>().ok()? - started_ticks / ticks_per_s)
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
