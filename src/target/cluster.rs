//! A running Postgres server of ours, shared by all processes of the user that want the same binaries.

use super::base::{Base, own_dir, server_ids, set_mode};
use super::binaries::{Binaries, environment};
use super::copy::{copy_tree, give};
use super::guest::ToolRole;
use super::image::{ADMIN_ROLE, TOOL_ROLE, image, key};
use super::lock;
use super::postmaster::{PidFile, end_in};
use super::reach::Reach;
use super::session::{Session, random};
use super::stay::Stay;
use crate::clock::Stopwatch;
use crate::model::canonical::hex;
use crate::process::{Detached, Spawn, works_in};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A server that answers. One of ours is ended by the supervisor, some time after the last session.
#[derive(Clone)]
pub struct Cluster {
    reach: Reach,
    admin: PgConnectOptions,
    tool: PgConnectOptions,
    binaries_dir: Option<PathBuf>,
    server_version: String,
    tool_password: String,
    /// What keeps it, or our things on it, alive where the supervisor does not.
    stay: Option<Arc<Stay>>,
    /// Whether it is of this rehearsal alone, though not of this machine's programs.
    is_contained: bool,
}

impl Cluster {
    /// Joins the cluster of these binaries; the first one starts it.
    ///
    /// # Errors
    /// It does not start; shows the end of the server's log. The disk is full. The base directory is too long a path.
    pub async fn join(session: &Session, binaries: &Binaries) -> Result<Cluster> {
        let (base, binaries) = (session.base().clone(), binaries.clone());
        let place = Place { dir: base.clusters().join(key(&binaries)) };
        in_background(move || {
            let _deciding = lock::wait_for(&base.start_lock())?;
            match place.running() {
                Some(ready) => Ok(place.cluster(&binaries, ready)),
                None => place.start(&base, &binaries, &[]),
            }
        })
        .await
    }

    /// Starts a cluster of the session's own, for what would disturb others: kills of the server, roles, settings
    /// (`name=value`, which win over ours). It ends with the session.
    ///
    /// # Errors
    /// As in [`Cluster::join`].
    pub async fn private(session: &Session, binaries: &Binaries, name: &str, settings: &[&str]) -> Result<Cluster> {
        own_dir(&session.clusters())?;
        let place = Place { dir: session.clusters().join(name) };
        let (base, binaries) = (session.base().clone(), binaries.clone());
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        in_background(move || place.start(&base, &binaries, &settings)).await
    }

    /// A server that is not ours, for as long as `stay` is held.
    pub(super) fn guest(
        reach: Reach,
        (admin, tool): (PgConnectOptions, ToolRole),
        server_version: String,
        stay: Stay,
    ) -> Cluster {
        Cluster {
            reach,
            tool: admin.clone().username(&tool.name).password(&tool.password).application_name(""),
            admin,
            binaries_dir: None,
            server_version,
            tool_password: tool.password,
            stay: Some(Arc::new(stay)),
            is_contained: false,
        }
    }

    /// The same in a container of ours.
    #[cfg(feature = "docker")]
    pub(super) fn contained(self) -> Cluster {
        Cluster { is_contained: true, ..self }
    }

    /// How to connect as who makes databases: on our servers `rehearse_admin`, a superuser without a password.
    pub fn admin(&self, database: &str) -> PgConnectOptions {
        self.admin.clone().database(database)
    }

    /// How to connect as that role without touching a database of the rehearsal.
    pub fn aside(&self) -> PgConnectOptions {
        self.admin.clone()
    }

    /// How to connect as the tools do, with the password.
    pub fn tool(&self, database: &str) -> PgConnectOptions {
        self.tool.clone().database(database)
    }

    /// The URL of a database for the tools, by way of a port of this machine.
    pub fn tool_url(&self, port: u16, database: &str) -> String {
        let [role, password, database] =
            [self.tool_role(), self.tool_password(), database].map(crate::db::Dsn::encoded);
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}")
    }

    /// How a proxy gets there.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The directory of the server's socket and the port in its name; elsewhere host and port, as libpq takes both.
    pub fn socket(&self) -> (&Path, u16) {
        match &self.reach {
            Reach::Socket(file) => {
                let port = file.extension().and_then(|port| port.to_str()?.parse().ok());
                (file.parent().unwrap_or(file), port.unwrap_or(PORT))
            }
            Reach::Tcp { host, port, .. } => (Path::new(host), *port),
        }
    }

    /// The role that makes databases, where it is another one than the tools'.
    pub fn admin_role(&self) -> Option<&str> {
        Some(self.admin.get_username()).filter(|role| *role != self.tool_role())
    }

    /// The role of the tools: it may log in, and owns its databases; on our servers nothing else.
    pub fn tool_role(&self) -> &str {
        self.tool.get_username()
    }

    /// Its password; on our servers random per cluster.
    pub fn tool_password(&self) -> &str {
        &self.tool_password
    }

    /// What no file may hold: the password as it is, and as it stands in a URL.
    pub fn secrets(&self) -> Vec<String> {
        let password = self.tool_password.clone();
        let encoded = Some(crate::db::Dsn::encoded(&password)).filter(|encoded| *encoded != password);
        [password].into_iter().chain(encoded).filter(|secret| !secret.is_empty()).collect()
    }

    /// Whether it was made by others: what we make there has a name that says so, and ends with our stay.
    pub(super) fn is_remote(&self) -> bool {
        self.stay.is_some()
    }

    /// Whether nobody else uses it, and it runs with our settings.
    pub(super) fn is_ours(&self) -> bool {
        self.stay.is_none() || self.is_contained
    }

    /// The server's own word, such as `15.18`.
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// Where `postgres` and, if installed, `psql` and `pg_dump` are, for a server of this machine.
    pub fn binaries_dir(&self) -> Option<&Path> {
        self.binaries_dir.as_deref()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.server_version;
        f.debug_struct("Cluster").field("reach", &self.reach).field("server_version", version).finish_non_exhaustive()
    }
}

/// Drops the databases whose session has no directory any more; whether none is left, as far as servers answer.
pub(super) fn drop_orphans(base: &Base) -> bool {
    let clusters = std::fs::read_dir(base.clusters()).into_iter().flatten().flatten();
    let ready = clusters.map(|entry| Place { dir: entry.path() }).filter(|place| place.running().is_some());
    let mut all_done = true;
    for place in ready {
        let is_alive = |session: &str| base.sessions().join(session).exists();
        let dropped = super::orphans::drop_dead(admin(&place.socket(), "postgres"), is_alive);
        // A server may have been stopped on purpose, and the supervisor has others to look after.
        let done = block_on(async { tokio::time::timeout(PATIENCE_TO_DROP, dropped).await });
        all_done &= matches!(done, Ok(Ok(Ok(()))));
    }
    all_done
}

/// How long a server may take to drop the databases of dead sessions.
const PATIENCE_TO_DROP: Duration = Duration::from_secs(10);
/// How long a server may take to start.
const PATIENCE_TO_START: Duration = Duration::from_secs(60);
/// Part of the name of the socket and of nothing else: there is no TCP.
const PORT: u16 = 5432;

/// What a starter tells those who join; the file is readable by us alone.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) tool_password: String,
    pub(super) server_version: String,
}

/// The directory of a cluster: `data`, `socket`, `log`.
pub(super) struct Place {
    pub(super) dir: PathBuf,
}

impl Place {
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    fn ready(&self) -> PathBuf {
        self.dir.join("ready.json")
    }

    fn running(&self) -> Option<Ready> {
        let ready = serde_json::from_slice(&std::fs::read(self.ready()).ok()?).ok()?;
        let postmaster = PidFile::read(&self.data())?.pid;
        // A crash closes the socket at once; a pid that was given to somebody else works elsewhere.
        let listens = std::os::unix::net::UnixStream::connect(self.socket().join(format!(".s.PGSQL.{PORT}"))).is_ok();
        (listens && works_in(postmaster, &self.data(), &["postgres"])).then_some(ready)
    }

    fn start(&self, base: &Base, binaries: &Binaries, settings: &[String]) -> Result<Cluster> {
        self.prepare(&image(base, binaries)?)?;
        self.serve(binaries, settings, &[])?;
        let ready = block_on(self.introduce())??;
        let text = serde_json::to_vec(&ready).expect("two strings are JSON");
        let aside = self.dir.join("ready.new");
        lock::take(&aside)?; // makes the file, ours alone
        let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, self.ready()));
        written.map_err(|error| Error::io("write", &self.ready(), error))?;
        Ok(self.cluster(binaries, ready))
    }

    /// Removes what a killed server left to say that it runs: there is no process any more that it could protect, and
    /// its number may be given to another.
    pub(super) fn forget_server(&self) {
        let socket = self.socket().join(format!(".s.PGSQL.{PORT}"));
        for file in [self.data().join("postmaster.pid"), socket.with_extension(format!("{PORT}.lock")), socket] {
            let _ = std::fs::remove_file(file); // one that is not there says nothing
        }
    }

    /// Starts the server and waits until it answers; `more`: of its environment.
    pub(super) fn serve(
        &self,
        binaries: &Binaries,
        settings: &[String],
        more: &[(OsString, OsString)],
    ) -> Result<Detached> {
        let mut server = self.spawn(binaries, settings, more)?;
        self.wait_until_ready(&mut server)?;
        Ok(server)
    }

    /// A copy of `image`, not running yet. Whatever is there is half of a start that was killed, or a server that
    /// crashed.
    pub(super) fn prepare(&self, image: &Path) -> Result<()> {
        let socket = self.socket();
        if socket.as_os_str().len() > 85 {
            let text =
                format!("{} is too long a path for a socket: set REHEARSE_BASE to a shorter one", socket.display());
            return Err(Error::environment(text));
        }
        if self.dir.exists() {
            end_in(&self.dir);
            std::fs::remove_dir_all(&self.dir).map_err(|error| Error::io("remove", &self.dir, error))?;
        }
        own_dir(&self.dir)?;
        copy_tree(image, &self.data(), server_ids())?;
        std::fs::create_dir(&socket).map_err(|error| Error::io("create", &socket, error))?;
        set_mode(&socket, 0o700)?;
        give(&socket, server_ids())
    }

    // Its working directory says whose it is, from the first instant on. No marker: it belongs to no session.
    fn spawn(&self, binaries: &Binaries, settings: &[String], more: &[(OsString, OsString)]) -> Result<Detached> {
        let data = self.data();
        let mut argv: Vec<OsString> = vec![binaries.program("postgres"), "-D".into(), data.clone().into()];
        argv.extend(["-p".into(), PORT.to_string().into(), "-k".into(), self.socket().into()]);
        argv.extend(settings.iter().flat_map(|setting| ["-c".into(), setting.into()]));
        let log = Some(self.dir.join("log"));
        let spawn = Spawn {
            env: environment().into_iter().chain(more.iter().cloned()).collect(),
            ids: Some(server_ids()),
            stdout: log.clone(),
            stderr: log,
            ..Spawn::new(argv, data)
        };
        spawn.start_detached()
    }

    // The file that `pg_ctl` reads, a hundred times as often as `pg_ctl` does.
    fn wait_until_ready(&self, server: &mut Detached) -> Result<()> {
        let watch = Stopwatch::start();
        while PidFile::read(&self.data()).is_none_or(|file| !file.is_ready) {
            let ended = server.ended();
            if ended.is_some() || watch.elapsed() > PATIENCE_TO_START {
                let how = ended.map_or("no answer".to_owned(), |exit| exit.to_string());
                end_in(&self.dir);
                return Err(Error::environment(format!("the server did not start ({how}): {}", self.log_end())));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }

    async fn introduce(&self) -> Result<Ready> {
        let tool_password = hex(&random::<16>()?);
        let mut connection = connect(&admin(&self.socket(), "postgres")).await?;
        let sql = format!("alter role {TOOL_ROLE} password '{tool_password}'");
        let failed = |error| Error::environment("the new server does not take orders").caused_by(error);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map_err(failed)?;
        let version = sqlx::query_scalar("select split_part(current_setting('server_version'), ' ', 1)");
        let server_version = version.fetch_one(&mut connection).await.map_err(failed)?;
        let _ = connection.close().await;
        Ok(Ready { tool_password, server_version })
    }

    pub(super) fn cluster(&self, binaries: &Binaries, ready: Ready) -> Cluster {
        let admin = admin(&self.socket(), "postgres");
        Cluster {
            reach: Reach::Socket(self.socket().join(format!(".s.PGSQL.{PORT}"))),
            tool: admin.clone().username(TOOL_ROLE).password(&ready.tool_password).application_name(""),
            admin,
            binaries_dir: Some(binaries.dir.clone()),
            server_version: ready.server_version,
            tool_password: ready.tool_password,
            stay: None,
            is_contained: false,
        }
    }
}

/// Connects as an administrator; the error names the database.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let database = options.get_database().unwrap_or_default().to_owned();
    let failed = |error| Error::environment(format!("cannot connect to database {database}")).caused_by(error);
    PgConnection::connect_with(options).await.map_err(failed)
}

fn admin(socket: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .port(PORT)
        .username(ADMIN_ROLE)
        .database(database)
        .application_name(APPLICATION)
        .ssl_mode(PgSslMode::Disable)
        .disable_statement_logging()
}

/// By what our own connections are known.
pub(super) const APPLICATION: &str = "rehearse";

// Waiting for a lock, copying and starting block, so they are no work for the caller's runtime.
pub(super) async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::bug("the start of a cluster panicked").caused_by(error))?
}

// A runtime of its own: the caller's may be waiting for the lock that we hold.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::environment("cannot make a tokio runtime").caused_by(error))?;
    Ok(runtime.block_on(future))
}

/// The same from a thread of its own: whoever asks may be in a runtime, which must not wait.
pub(super) fn block_aside<T: Send, F: Future<Output = Result<T>>>(ask: impl FnOnce() -> F + Send) -> Result<T> {
    let asked = std::thread::scope(|scope| scope.spawn(|| block_on(ask())?).join());
    asked.unwrap_or_else(|_| Err(Error::bug("a thread that waits has panicked")))
}
