//! A private Postgres server for tests: started when the first test asks, ended with the last one that holds it.
#![allow(clippy::disallowed_methods)] // to be replaced by `target`, which starts children through `process`

use rehearsal::db::{Dsn, postgres};
use sqlx::postgres::PgConnection;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// A running server, with its files in a directory that goes with it.
pub(crate) struct Server {
    child: Child,
    directory: tempfile::TempDir,
    databases: AtomicU32,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// The server that all tests of this binary share.
    pub(crate) fn shared() -> Arc<Server> {
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Server::start(&binary));
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// One of another version: its programs are in the folder that `REHEARSE_OTHER_PG_BIN` names.
    pub(crate) fn of_another_version() -> Option<Server> {
        let programs = PathBuf::from(std::env::var_os("REHEARSE_OTHER_PG_BIN")?);
        Some(Server::start(&|program| programs.join(program)))
    }

    fn start(program: &dyn Fn(&str) -> PathBuf) -> Server {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = postgres_user();
            for path in [directory.path(), &data] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let initdb = command(&program("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "--no-locale", "-E", "UTF8"])
            .output();
        assert!(initdb.unwrap().status.success(), "initdb failed");
        let child = command(&program("postgres"))
            .args(["-D", data.to_str().unwrap(), "-k", directory.path().to_str().unwrap()])
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "autovacuum=off"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        crate::shared::goes_with_us(directory.path()); // also when we are killed
        Server { child, directory, databases: AtomicU32::new(0) }
    }

    /// Where its data are, and its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The address of `database`.
    pub(crate) fn dsn(&self, database: &str) -> Dsn {
        let socket = self.directory.path().display();
        Dsn::parse(&format!("postgres://postgres@/{database}?host={socket}")).unwrap()
    }

    /// The address of a database that does not exist yet.
    pub(crate) fn unused_dsn(&self) -> Dsn {
        self.dsn(&format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed)))
    }

    /// A new database; waits for the server to be up.
    pub(crate) async fn create_database(&self) -> Dsn {
        let dsn = self.unused_dsn();
        let mut connection = self.connected().await;
        postgres::execute(&mut connection, &format!("create database {}", dsn.database())).await.unwrap();
        dsn
    }

    /// Collations that a database of this server can have, as `create database` takes them: bytes, and German.
    pub(crate) async fn collations(&self) -> Vec<&'static str> {
        let mut usable = Vec::new();
        for collation in COLLATIONS {
            let dsn = self.unused_dsn();
            if self.administer(&created(&dsn, collation)).await.is_ok() {
                self.drop_database(&dsn).await;
                usable.push(*collation);
            }
        }
        usable
    }

    /// A new database with this collation.
    pub(crate) async fn create_with_collation(&self, collation: &str) -> Dsn {
        let dsn = self.unused_dsn();
        self.administer(&created(&dsn, collation)).await.unwrap();
        dsn
    }

    /// A copy of a database to which nobody is connected any more.
    pub(crate) async fn clone_of(&self, template: &Dsn) -> Dsn {
        let clone = self.unused_dsn();
        let (name, from) = (clone.database(), template.database());
        // The backends of closed connections may live a moment longer.
        let gone = format!(
            "do $$ begin while exists (select from pg_stat_activity where datname = '{from}') loop \
             perform pg_stat_clear_snapshot(); perform pg_sleep(0.001); end loop; end $$"
        );
        self.administer(&gone).await.unwrap();
        self.administer(&format!("create database {name} template {from} strategy file_copy")).await.unwrap();
        clone
    }

    pub(crate) async fn drop_database(&self, dsn: &Dsn) {
        self.administer(&format!("drop database {} with (force)", dsn.database())).await.unwrap();
    }

    async fn administer(&self, sql: &str) -> rehearsal::Result<()> {
        postgres::execute(&mut self.connected().await, sql).await
    }

    async fn connected(&self) -> PgConnection {
        let options = self.dsn("postgres").options();
        let attempts = async {
            loop {
                match postgres::connect(&options).await {
                    Ok(connection) => return connection,
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), attempts).await.expect("the server came up")
    }
}

const COLLATIONS: &[&str] = &[
    "lc_collate 'C' lc_ctype 'C'",
    "locale_provider icu icu_locale 'de' lc_collate 'C' lc_ctype 'C'",
    "lc_collate 'en_US.UTF-8' lc_ctype 'en_US.UTF-8'",
];

fn created(dsn: &Dsn, collation: &str) -> String {
    let name = dsn.database();
    format!("create database {name} template template0 encoding 'UTF8' {collation}")
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        drop(self.child.wait());
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdout(Stdio::null()).current_dir("/");
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = postgres_user();
        command.uid(uid).gid(gid);
    }
    command
}

/// On the path, or where Debian keeps the newest version.
fn binary(program: &str) -> PathBuf {
    if let Ok(path) = which::which(program) {
        return path;
    }
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort();
    versions.pop().map(|version| version.join("bin").join(program)).filter(|path| Path::exists(path)).expect("Postgres")
}

fn postgres_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user postgres");
    let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
    (ids[0], ids[1])
}
