//! A server of a case's own, to be killed, stopped and started again at will. It ends with its case.
//!
//! On this machine it is a copy of a seed: a cluster in which all databases of a scenario have been loaded, and which was
//! then shut down. So a case copies files and starts a server; it loads and clones nothing. Where servers are containers,
//! it is a container.

mod process;

use super::binaries::Binaries;
use super::cluster::{Cluster, Ready, in_background};
use super::docker::Container;
use super::pool::Pool;
use super::session::Session;
use crate::{Error, Result};
use process::{Origin, Process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A stopped cluster that servers are copied from; it ends with its session.
pub struct Seed {
    binaries: Binaries,
    data: PathBuf,
    ready: Ready,
}

/// A running server. Dropped without [`Server::end`], it is ended, and what is left of it goes with the session.
#[derive(Debug, Clone)]
pub struct Server {
    body: Body,
    cluster: Cluster,
}

#[derive(Debug, Clone)]
enum Body {
    /// A copy of a seed, with the password of the shared cluster.
    Process(Arc<Process>),
    /// A container of the same image as the shared one.
    Container(Box<Container>),
}

/// What is done to a server from outside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Crash,
    ShutDown,
    Resume,
    Pause,
    Wake,
    Unplug,
    Plug,
    Limit { mib: u32 },
    Unlimit,
    End,
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
        in_background(move || process.act(Act::ShutDown).and_then(|()| slim(&slimmed))).await?;
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
        let server = Server { body: Body::Process(Arc::clone(&process)), cluster };
        let data = seed.data.clone();
        in_background(move || process.start_as_copy(Origin::Seed(data))).await?;
        Ok(server)
    }

    pub(super) fn in_container((container, cluster): (Container, Cluster)) -> Server {
        Server { body: Body::Container(Box::new(container)), cluster }
    }

    /// The folder of its files.
    ///
    /// # Errors
    /// They are in a container.
    pub fn data(&self) -> Result<PathBuf> {
        self.process().map(|process| process.place.data())
    }

    /// What it gets in its environment from its next start on, besides what every server gets.
    ///
    /// # Errors
    /// It is in a container.
    pub fn set_environment(&self, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<()> {
        self.process().map(|process| process.set_environment(environment.into_iter().collect()))
    }

    fn process(&self) -> Result<&Process> {
        match &self.body {
            Body::Process(process) => Ok(process),
            Body::Container(_) => Err(Error::environment("the files of a server in a container are out of reach")),
        }
    }

    /// How to connect; the address stays the same however often the server starts.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Kills the server and everything that it started; none of them is left when this returns.
    ///
    /// # Errors
    /// A process survives SIGKILL.
    pub async fn crash(&self) -> Result<()> {
        self.doing(Act::Crash).await
    }

    /// Shuts the server down (`fast`: clients are told and cut off, what is open is rolled back).
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn shut_down(&self) -> Result<()> {
        self.doing(Act::ShutDown).await
    }

    /// Starts it again, after a crash or a shutdown; returns when it has recovered and answers.
    ///
    /// # Errors
    /// It does not start; shows the end of the server's log.
    pub async fn resume(&self) -> Result<()> {
        self.doing(Act::Resume).await
    }

    /// Stops all its processes where they are, until [`Server::wake`].
    ///
    /// # Errors
    /// The server has gone; the engine refuses.
    pub async fn pause(&self) -> Result<()> {
        self.doing(Act::Pause).await
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// As in [`Server::pause`].
    pub async fn wake(&self) -> Result<()> {
        self.doing(Act::Wake).await
    }

    /// Takes its network away: nobody gets in. Connections to a server of this machine are the caller's to end.
    ///
    /// # Errors
    /// As in [`Server::pause`].
    pub async fn unplug(&self) -> Result<()> {
        self.doing(Act::Unplug).await
    }

    /// Gives it back; returns when the server answers.
    ///
    /// # Errors
    /// As in [`Server::pause`].
    pub async fn plug(&self) -> Result<()> {
        self.doing(Act::Plug).await
    }

    /// Lets it have only so many MiB more than it has now: each of its processes for itself, in a container all together.
    /// `None` takes the limit away, and returns when the server answers.
    ///
    /// # Errors
    /// As in [`Server::pause`]; there is no `prlimit`.
    pub async fn limit_memory(&self, mib: Option<u32>) -> Result<()> {
        self.doing(mib.map_or(Act::Unlimit, |mib| Act::Limit { mib })).await
    }

    /// Ends the server and removes what it has written.
    ///
    /// # Errors
    /// A file cannot be removed; the engine refuses.
    pub async fn end(self) -> Result<()> {
        self.doing(Act::End).await
    }

    async fn doing(&self, act: Act) -> Result<()> {
        match &self.body {
            Body::Container(container) => container.act(act).await,
            Body::Process(process) => {
                let process = Arc::clone(process);
                in_background(move || process.act(act)).await
            }
        }
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

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seed").field("data", &self.data).finish_non_exhaustive()
    }
}
