//! Targets and what ends them, each part in a file of its own; here the base directory. Needs Postgres server binaries, and
//! says so.

#![allow(clippy::unwrap_used)] // a test that cannot go on stops

mod child;
mod databases;
mod kills;
mod own;
mod remote;
mod supervisor;
mod untouched;

use rehearsal::process::{Executable, Exit, Signal, Spawn, kill, kill_descendants, kill_marked, marked, processes_in};
use rehearsal::target::{Base, Binaries, Cluster, Pool, Prepared, Session, SqliteTemplates, Wanted, leftovers};
use rehearsal::{ErrorKind, Result, clock::Stopwatch};
use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const REHEARSE: &str = env!("CARGO_BIN_EXE_rehearse");

/// A base directory of a test's own; at its end nothing may be left of it.
struct Scratch {
    dir: tempfile::TempDir,
    base: Base,
}

impl Scratch {
    fn new() -> Scratch {
        // Short, for sockets live below it; in memory, where there is one; open to the server's user.
        let parent = if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" };
        let dir = tempfile::Builder::new().prefix("rh").tempdir_in(parent).unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let base = Base::at(dir.path().join("b"));
        Scratch { dir, base }
    }

    fn session(&self) -> Session {
        Session::open(&Executable::at(REHEARSE).unwrap(), &self.base).unwrap()
    }

    async fn pool(&self, session: &Session) -> Pool {
        Pool::new(&self.join(session).await, session.id())
    }

    async fn join(&self, session: &Session) -> Cluster {
        Cluster::join(session, &self.binaries()).await.unwrap()
    }

    fn binaries(&self) -> Binaries {
        Binaries::find(&self.base, &Wanted::default()).expect("these tests need Postgres server binaries")
    }

    /// Another process with a session, in this base.
    async fn runner(&self) -> Runner {
        self.runner_with(&[]).await
    }

    async fn runner_with(&self, variables: &[(&str, &str)]) -> Runner {
        let stdout = self.dir.path().join(format!("said-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let argv: [OsString; 3] = [REHEARSE.into(), "__hold".into(), self.base.dir().into()];
        let mut spawn = Spawn::new(argv, self.dir.path());
        (spawn.env, spawn.stdout) = (std::env::vars_os().collect(), Some(stdout.clone()));
        spawn.env.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
        let child = spawn.start().unwrap();
        let mut said = String::new();
        until("a runner is ready", || {
            said = std::fs::read_to_string(&stdout).unwrap();
            said.ends_with('\n')
        })
        .await;
        let (session, database) = said.trim().split_once(' ').unwrap();
        Runner { child, session: session.to_owned(), database: database.to_owned() }
    }

    fn postmaster(&self) -> u32 {
        self.find_postmaster().unwrap()
    }

    fn find_postmaster(&self) -> Option<u32> {
        let clusters = std::fs::read_dir(self.base.dir().join("clusters")).ok()?.flatten();
        let files = clusters.map(|entry| entry.path().join("data/postmaster.pid"));
        let text = files.filter_map(|file| std::fs::read_to_string(file).ok()).next()?;
        text.lines().next()?.parse().ok()
    }

    fn supervisor(&self) -> u32 {
        self.find_supervisor().unwrap()
    }

    fn find_supervisor(&self) -> Option<u32> {
        let wanted = format!("__supervise\0{}\0", self.base.dir().display());
        let pids = std::fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
        let runs =
            |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.ends_with(&wanted));
        pids.into_iter().find(runs)
    }

    fn is_gone(&self) -> bool {
        !self.base.dir().exists() && processes_in(self.dir.path(), &["postgres", "initdb", "rehearse"]).is_empty()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let watch = Stopwatch::start();
        while !self.is_gone() && watch.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.is_gone() || std::thread::panicking(), "left behind: {:?}", leftovers(&self.base));
    }
}

struct Runner {
    child: rehearsal::process::Child,
    session: String,
    database: String,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// How long something may take that comes: a container on a busy machine takes a minute to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn text(options: sqlx::postgres::PgConnectOptions, sql: &str) -> String {
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let value = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    value
}

async fn execute(options: sqlx::postgres::PgConnectOptions, sql: &str) {
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn memory_segments_of(pid: u32) -> usize {
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    segments.lines().filter(|line| line.split_whitespace().nth(4) == Some(&pid.to_string())).count()
}

#[rstest]
#[case::below_a_file("file/b", "no directory to put")]
#[case::symbolic_link("link", "is a symbolic link")]
#[case::a_file("file", "is not a directory")]
#[case::no_parent("a/b/c", "no directory to put")]
#[case::unwritable("/proc/rehearse", "cannot create /proc/rehearse")]
fn a_base_that_cannot_be_used_is_an_error_of_the_environment(#[case] path: &str, #[case] expected: &str) {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    symlink("/tmp", dir.path().join("link")).unwrap();
    let base = Base::at(dir.path().join(path));
    let error = Session::open(&Executable::at(REHEARSE).unwrap(), &base).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn an_executable_that_is_no_supervisor_is_an_error_and_leaves_no_session() {
    let scratch = Scratch::new();
    let error = Session::open(&Executable::at("/bin/false").unwrap(), &scratch.base).unwrap_err();
    assert!(error.to_string().contains("__supervise` ended (exit 1)"), "{error}");
    assert_eq!(leftovers(&scratch.base).alive, Vec::<String>::new());
    drop(scratch.session()); // a right one cleans up
}

#[tokio::test]
async fn a_base_too_long_for_a_socket_is_an_error() {
    let scratch = Scratch::new();
    let long = Base::at(scratch.dir.path().join("b".repeat(80)));
    let session = Session::open(&Executable::at(REHEARSE).unwrap(), &long).unwrap();
    let error = Cluster::join(&session, &scratch.binaries()).await.unwrap_err();
    assert!(error.to_string().contains("too long a path for a socket"), "{error}");
    drop(session);
    until("the long one is gone", || !long.dir().exists()).await;
}

#[tokio::test]
async fn binaries_that_are_not_there_are_named_with_the_variable() {
    let scratch = Scratch::new();
    let log = scratch.dir.path().join("log");
    let argv: [OsString; 3] = [REHEARSE.into(), "__hold".into(), scratch.base.dir().into()];
    let mut spawn = Spawn::new(argv, "/");
    spawn.env = [("REHEARSE_PG_BIN".into(), "/no/such/bin".into())].into();
    spawn.stderr = Some(log.clone());
    assert_eq!(spawn.start().unwrap().wait().await.unwrap().code, Some(2));
    let said = std::fs::read_to_string(log).unwrap();
    assert_eq!(said, "error: REHEARSE_PG_BIN: /no/such/bin does not hold both `postgres` and `initdb`\n");
}
