//! A server of a case's own that is processes of this machine.

use super::Act;
use crate::clock::Stopwatch;
use crate::process::{Detached, Output, Signal, kill, own_uid, processes_in, run, works_in};
use crate::target::base::{Base, own_dir, server_ids};
use crate::target::binaries::{Binaries, environment};
use crate::target::cluster::Place;
use crate::target::image::image;
use crate::target::postmaster::{PidFile, kill_in};
use crate::target::session::Session;
use crate::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a server may take to shut down.
const PATIENCE_TO_SHUT_DOWN: Duration = Duration::from_secs(60);
/// How long a server may take to leave once it must.
const PATIENCE_TO_QUIT: Duration = Duration::from_secs(5);

/// What a seed should keep of the log is next to nothing: it is copied with every case.
const LITTLE_LOG: [&str; 2] = ["min_wal_size=2MB", "max_wal_size=4MB"];

/// Where the files of a server come from.
pub(super) enum Origin {
    /// The initialised cluster in the cache.
    Image(Base),
    /// A data directory.
    Seed(PathBuf),
}

/// See the module.
pub(super) struct Process {
    pub(super) place: Place,
    binaries: Binaries,
    running: Mutex<Option<Detached>>,
    /// Besides what every server gets.
    environment: Mutex<Vec<(OsString, OsString)>>,
}

impl Process {
    pub(super) fn new(session: &Session, binaries: &Binaries, name: &str) -> Result<Process> {
        own_dir(&session.clusters())?;
        let place = Place { dir: session.clusters().join(name) };
        Ok(Process { place, binaries: binaries.clone(), running: Mutex::default(), environment: Mutex::default() })
    }

    pub(super) fn start_as_copy(&self, origin: Origin) -> Result<()> {
        match origin {
            Origin::Image(base) => self.place.prepare(&image(&base, &self.binaries)?)?,
            Origin::Seed(data) => self.place.prepare(&data)?,
        }
        self.serve()
    }

    pub(super) fn act(&self, act: Act) -> Result<()> {
        match act {
            Act::Crash => self.crash(),
            Act::ShutDown => self.shut_down(),
            Act::Resume => self.serve(),
            Act::Pause => self.pause(),
            Act::Wake => self.wake(),
            Act::Unplug => self.move_socket("socket", "unplugged"),
            Act::Plug => self.move_socket("unplugged", "socket"),
            Act::Limit { mib } => self.limit_memory(Some(mib)),
            Act::Unlimit => self.limit_memory(None),
            Act::End => self.end(),
        }
    }

    pub(super) fn set_environment(&self, environment: Vec<(OsString, OsString)>) {
        *self.environment.lock().unwrap_or_else(PoisonError::into_inner) = environment;
    }

    fn serve(&self) -> Result<()> {
        self.place.forget_server();
        let settings = LITTLE_LOG.map(str::to_owned);
        let more = self.environment.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let started = self.place.serve(&self.binaries, &settings, &more)?;
        *self.running() = Some(started);
        Ok(())
    }

    fn crash(&self) -> Result<()> {
        kill_in(&self.place.data())?;
        self.wait_for_end(PATIENCE_TO_QUIT)
    }

    fn shut_down(&self) -> Result<()> {
        self.signal(Signal::INT)?;
        self.wait_for_end(PATIENCE_TO_SHUT_DOWN)
    }

    fn end(&self) -> Result<()> {
        self.signal(Signal::QUIT)?;
        if self.wait_for_end(PATIENCE_TO_QUIT).is_err() {
            crate::target::postmaster::end_in(&self.place.dir);
        }
        std::fs::remove_dir_all(&self.place.dir).map_err(|error| Error::io("remove", &self.place.dir, error))
    }

    /// The first one stops first, so that no others are made meanwhile.
    fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        self.signal_all(Signal::STOP);
        Ok(())
    }

    fn wake(&self) -> Result<()> {
        self.signal_all(Signal::CONT);
        self.signal(Signal::CONT)
    }

    fn signal_all(&self, signal: Signal) {
        // One that has just ended needs none.
        processes_in(&self.place.data(), &["postgres"]).iter().for_each(|pid| drop(kill(*pid, signal)));
    }

    /// Without a file at the address nobody gets in; whoever is in stays.
    fn move_socket(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.place.dir.join(from), self.place.dir.join(to));
        std::fs::rename(&from, &to).map_err(|error| Error::io("rename", &from, error))
    }

    /// Each process may have so much more address space than the first one has; those to come inherit it. Done as who
    /// the server runs as: root in a container may not do it to others.
    fn limit_memory(&self, mib: Option<u32>) -> Result<()> {
        let data = self.place.data();
        let first = PidFile::read(&data).map(|file| file.pid);
        let first = first.ok_or_else(|| Error::environment("the server of the case has gone"))?;
        let most = match mib {
            Some(mib) => (address_space(first)? + (u64::from(mib) << 20)).to_string(),
            None => "unlimited".to_owned(),
        };
        // The first one first, so that no others are made without.
        limit(first, &most)?;
        let mut others = processes_in(&data, &["postgres"]).into_iter().filter(|pid| *pid != first);
        let is_there = |pid: u32| works_in(pid, &data, &["postgres"]); // another may have ended meanwhile
        let trouble = others.find_map(|pid| limit(pid, &most).err().filter(|_| is_there(pid)));
        trouble.map_or(Ok(()), Err)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.running().as_ref().map(Detached::pid);
        pid.map_or(Ok(()), |pid| kill(pid, signal))
    }

    /// The first process of a server is the last to leave.
    fn wait_for_end(&self, patience: Duration) -> Result<()> {
        let watch = Stopwatch::start();
        let mut running = self.running();
        while running.as_mut().is_some_and(|server| server.ended().is_none()) {
            if watch.elapsed() > patience {
                let text = format!("the server of a case does not end within {} s", patience.as_secs());
                return Err(Error::environment(text));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        *running = None;
        Ok(())
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Detached>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.signal(Signal::QUIT); // what is left of it goes with the session
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("dir", &self.place.dir).finish_non_exhaustive()
    }
}

/// In bytes, of what a process has now.
fn address_space(pid: u32) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{pid}/statm"));
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
    let pages: u64 = text.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or_default();
    Ok(pages * u64::try_from(rustix::param::page_size()).unwrap_or(4096))
}

fn limit(pid: u32, most: &str) -> Result<()> {
    let argv = ["prlimit".into(), "--pid".into(), pid.to_string().into(), format!("--as={most}:").into()];
    let ids = (own_uid() == 0).then(server_ids);
    let Output { exit, stderr, .. } = run(&argv, Path::new("/"), &environment(), ids, "")?;
    match exit.is_success() {
        true => Ok(()),
        false => Err(Error::environment(String::from_utf8_lossy(&stderr).trim().to_owned())),
    }
}
