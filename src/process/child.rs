//! Running children: those that we wait for, and those that outlive us.

use super::{Exit, Signal, kill_group, pid, retry_while_busy};
use crate::{Error, Result};
use rustix::process::{WaitOptions, waitpgid};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// A running child and its process group. Dropped before its end, the group is killed.
#[derive(Debug)]
pub struct Child {
    inner: tokio::process::Child,
    pid: u32,
    ended: Option<Exit>,
}

impl Child {
    pub(super) fn spawn(command: Command) -> std::io::Result<Child> {
        adopt_orphans();
        let mut ours = ours(); // held, so that nobody reaps it before it is known as ours
        let mut command = tokio::process::Command::from(command);
        let inner = retry_while_busy(|| command.spawn())?;
        let pid = inner.id().expect("a child that nobody waited for has a pid");
        ours.insert(pid);
        Ok(Child { inner, pid, ended: None })
    }

    /// The process, and the process group, of the child.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end; asked again, answers the same. A wait that is dropped loses nothing.
    ///
    /// # Errors
    /// Somebody else waited for the child.
    pub async fn wait(&mut self) -> Result<Exit> {
        if let Some(exit) = self.ended {
            return Ok(exit);
        }
        let status = self.inner.wait().await;
        let status = status.map_err(|error| Error::bug(format!("nobody ended child {}", self.pid)).caused_by(error))?;
        let exit = Exit::from(status);
        self.end(exit);
        Ok(exit)
    }

    /// How it ended, if it did already.
    ///
    /// # Errors
    /// As in [`Child::wait`].
    pub fn ended(&mut self) -> Result<Option<Exit>> {
        if self.ended.is_none() {
            let status = self.inner.try_wait();
            let lost = |error| Error::bug(format!("nobody ended child {}", self.pid)).caused_by(error);
            if let Some(status) = status.map_err(lost)? {
                self.end(Exit::from(status));
            }
        }
        Ok(self.ended)
    }

    fn end(&mut self, exit: Exit) {
        self.ended = Some(exit);
        ours().remove(&self.pid);
        reap_group(self.pid);
    }

    /// Sends a signal to the whole group, also after the child's own end; a group that is gone is fine.
    ///
    /// # Errors
    /// The group belongs to another user.
    pub fn kill_group(&self, signal: Signal) -> Result<()> {
        kill_group(self.pid, signal)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.kill_group(Signal::KILL); // tokio reaps in the background
            ours().remove(&self.pid);
        }
    }
}

/// A child that outlives us. Dropping it does nothing to it.
#[derive(Debug)]
pub struct Detached {
    child: Option<std::process::Child>,
}

impl Detached {
    pub(super) fn spawn(mut command: Command) -> std::io::Result<Detached> {
        detached().retain_mut(|child| matches!(child.try_wait(), Ok(None))); // those that ended meanwhile
        Ok(Detached { child: Some(retry_while_busy(|| command.spawn())?) })
    }

    /// Process and process group.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, std::process::Child::id)
    }

    /// How it ended, if it did already; nothing is known of one of which somebody else took leave ([`super::kill_all`]).
    pub fn ended(&mut self) -> Option<Exit> {
        match self.child.as_mut()?.try_wait() {
            Ok(status) => status.map(Exit::from),
            Err(_) => Some(Exit { code: None, signal: None }),
        }
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        detached().extend(self.child.take());
    }
}

// Children that a [`Child`] waits for. Nobody else may reap them: tokio waits for each by its own pid and would find
// it gone. For the same reason we never wait for "any child", only for pids and groups that we know.
pub(super) fn ours() -> MutexGuard<'static, BTreeSet<u32>> {
    static OURS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn detached() -> MutexGuard<'static, Vec<std::process::Child>> {
    static DETACHED: Mutex<Vec<std::process::Child>> = Mutex::new(Vec::new());
    DETACHED.lock().unwrap_or_else(PoisonError::into_inner)
}

// Orphans of the group became our children (see `adopt_orphans`) and would stay as zombies until our end.
fn reap_group(group: u32) {
    let Ok(group) = pid(group) else { return };
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
}

// Orphans come to us instead of to init, so that what a tool leaves behind can be reaped. Linux only; elsewhere init
// reaps them.
fn adopt_orphans() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    });
}
