//! A server of a case's own: a copy of a seed, to be killed, stopped and started again at will. It ends with its case.
//!
//! A seed is a cluster in which all databases of a scenario have been loaded, and which was then shut down. So a case
//! copies files and starts a server; it loads and clones nothing.

use super::base::{Base, own_dir};
use super::binaries::Binaries;
use super::cluster::{Cluster, Place, Ready, in_background};
use super::image::image;
use super::pool::Pool;
use super::postmaster::kill_in;
use super::session::Session;
use crate::clock::Stopwatch;
use crate::process::{Detached, Signal, kill};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A stopped cluster that servers are copied from; it ends with its session.
pub struct Seed {
    binaries: Binaries,
    data: PathBuf,
    ready: Ready,
}

/// A running copy of a seed, with the password of the shared cluster. Dropped without [`Server::end`], it is ended, and
/// its files go with the session.
#[derive(Debug)]
pub struct Server {
    process: Arc<Process>,
    cluster: Cluster,
}

impl Seed {
    /// Starts a cluster, lets `fill` make databases in it, and shuts it down.
    ///
    /// `like` is the cluster that others share: the role of the tools gets the same password.
    ///
    /// # Errors
    /// That of `fill`; the server does not start or does not stop; the disk is full.
    pub async fn grow<F, U>(session: &Session, binaries: &Binaries, like: &Cluster, name: &str, fill: F) -> Result<Seed>
    where
        F: FnOnce(Pool) -> U,
        U: Future<Output = Result<()>>,
    {
        let binaries = binaries.clone();
        let password = like.tool_password().to_owned();
        let ready = Ready { tool_password: password, server_version: like.server_version().to_owned() };
        let process = Arc::new(Process::new(session, &binaries, name)?);
        let (base, starting) = (session.base().clone(), Arc::clone(&process));
        in_background(move || starting.start_as_copy(Origin::Image(base))).await?;
        let pool = Pool::new(&process.place.cluster(&binaries, ready.clone()), session.id());
        pool.set_tool_password(&ready.tool_password).await?;
        fill(pool).await?;
        drop_template(process.place.cluster(&binaries, ready.clone()), session).await?;
        let data = process.place.data();
        let slimmed = data.clone();
        in_background(move || process.shut_down().and_then(|()| slim(&slimmed))).await?;
        Ok(Seed { binaries, data, ready })
    }
}

impl Server {
    /// A copy of `seed` that answers; `name` is of the session, and not in use.
    ///
    /// # Errors
    /// It does not start; shows the end of the server's log. The disk is full. The base directory is too long a path.
    pub async fn start(session: &Session, seed: &Seed, name: &str) -> Result<Server> {
        let process = Arc::new(Process::new(session, &seed.binaries, name)?);
        let cluster = process.place.cluster(&seed.binaries, seed.ready.clone());
        let server = Server { process: Arc::clone(&process), cluster };
        let data = seed.data.clone();
        in_background(move || process.start_as_copy(Origin::Seed(data))).await?;
        Ok(server)
    }

    /// How to connect; the socket stays the same however often the server starts.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Kills the server and everything that it started; none of them is left when this returns.
    ///
    /// # Errors
    /// A process survives SIGKILL.
    pub async fn crash(&self) -> Result<()> {
        self.doing(Process::crash).await
    }

    /// Shuts the server down (`fast`: clients are told and cut off, what is open is rolled back).
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn shut_down(&self) -> Result<()> {
        self.doing(Process::shut_down).await
    }

    /// Starts it again, after a crash or a shutdown; returns when it has recovered and answers.
    ///
    /// # Errors
    /// It does not start; shows the end of the server's log.
    pub async fn resume(&self) -> Result<()> {
        self.doing(Process::serve).await
    }

    /// Ends the server and removes its files.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub async fn end(self) -> Result<()> {
        self.doing(Process::end).await
    }

    /// Lets it run on; it ends with the session.
    pub fn leave(self) {
        std::mem::forget(self.process);
    }

    async fn doing(&self, act: fn(&Process) -> Result<()>) -> Result<()> {
        let process = Arc::clone(&self.process);
        in_background(move || act(&process)).await
    }
}

/// Nobody makes a database in a copy.
async fn drop_template(cluster: Cluster, session: &Session) -> Result<()> {
    let pool = Pool::new(&cluster, session.id());
    pool.order("update pg_database set datistemplate = false where datname = 'template1'").await?;
    pool.order("drop database template1").await
}

/// Removes the maps of free space and of visible pages, a third of all files: the server does without, and makes them
/// again when it wants them.
fn slim(data: &Path) -> Result<()> {
    let failed = |error| Error::io("slim", data, error);
    for database in std::fs::read_dir(data.join("base")).map_err(failed)?.flatten() {
        for file in std::fs::read_dir(database.path()).map_err(failed)?.flatten() {
            let name = file.file_name();
            let name = name.to_string_lossy();
            if name.ends_with("_fsm") || name.ends_with("_vm") {
                std::fs::remove_file(file.path()).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// How long a server may take to shut down.
const PATIENCE_TO_SHUT_DOWN: Duration = Duration::from_secs(60);
/// How long a server may take to leave once it must.
const PATIENCE_TO_QUIT: Duration = Duration::from_secs(5);

/// What a seed should keep of the log is next to nothing: it is copied with every case.
const LITTLE_LOG: [&str; 2] = ["min_wal_size=2MB", "max_wal_size=4MB"];

/// Where the files of a server come from.
enum Origin {
    /// The initialised cluster in the cache.
    Image(Base),
    /// A data directory.
    Seed(PathBuf),
}

struct Process {
    place: Place,
    binaries: Binaries,
    running: Mutex<Option<Detached>>,
}

impl Process {
    fn new(session: &Session, binaries: &Binaries, name: &str) -> Result<Process> {
        own_dir(&session.clusters())?;
        let place = Place { dir: session.clusters().join(name) };
        Ok(Process { place, binaries: binaries.clone(), running: Mutex::default() })
    }

    fn start_as_copy(&self, origin: Origin) -> Result<()> {
        match origin {
            Origin::Image(base) => self.place.prepare(&image(&base, &self.binaries)?)?,
            Origin::Seed(data) => self.place.prepare(&data)?,
        }
        self.serve()
    }

    fn serve(&self) -> Result<()> {
        self.place.forget_server();
        let settings = LITTLE_LOG.map(str::to_owned);
        let started = self.place.serve(&self.binaries, &settings)?;
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
            super::postmaster::end_in(&self.place.dir);
        }
        std::fs::remove_dir_all(&self.place.dir).map_err(|error| Error::io("remove", &self.place.dir, error))
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

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seed").field("data", &self.data).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("dir", &self.place.dir).finish_non_exhaustive()
    }
}
