//! Children, sessions, the supervisor, clusters and their databases. Needs Postgres server binaries, and says so.

#![allow(clippy::unwrap_used)] // a test that cannot go on stops

mod kills;
mod own;
mod remote;
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

// ---- children

#[tokio::test]
async fn a_child_knows_what_it_is_told_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut spawn = Spawn::new(["/bin/sh", "-c", "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; cat; exit 3"], dir.path());
    spawn.env = [("NAME".into(), "value".into()), ("PATH".into(), "/usr/bin:/bin".into())].into();
    spawn.stdout = Some(out.clone());
    let exit = spawn.start().unwrap().wait().await.unwrap();
    assert_eq!(exit, Exit { code: Some(3), signal: None });
    let mut said: Vec<String> = std::fs::read_to_string(out).unwrap().lines().map(str::to_owned).collect();
    said.sort();
    assert_eq!(said, ["NAME=value", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn a_signal_reaches_the_whole_group() {
    let mut child = Spawn::new(["/bin/sh", "-c", "sleep 600 & wait"], "/").start().unwrap();
    child.kill_group(Signal::KILL).unwrap();
    assert_eq!(child.wait().await.unwrap(), Exit { code: None, signal: Some(9) });
    child.kill_group(Signal::KILL).unwrap(); // nobody is there, and that is fine
}

#[test]
fn a_test_harness_never_takes_itself_for_rehearse() {
    match Executable::find() {
        Ok(found) => assert_eq!(found.path().file_stem().unwrap(), "rehearse"),
        Err(error) => assert!(error.to_string().contains("set REHEARSE_BIN"), "{error}"),
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async { Spawn::new(["/no/such/program", "secret"], "/").start().unwrap_err() });
    assert!(error.to_string().starts_with("cannot start `/no/such/program` in /"), "{error}");
    assert!(!error.to_string().contains("secret"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_grandchild_that_left_the_group_is_found_by_its_case_and_ended() {
    let session = format!("test-{}", std::process::id());
    let marker =
        |case: &str| Some(rehearsal::process::Marker { session: session.clone(), case: Some(case.to_owned()) });
    let script = "setsid sleep 600 & wait";
    let mut spawn = Spawn::new(["/bin/sh", "-c", script], "/");
    spawn.marker = marker("one");
    let mut one = spawn.start().unwrap();
    spawn.marker = marker("two");
    let mut two = spawn.start().unwrap();
    until("both have a grandchild", || marked(&session, None).len() == 4).await;

    one.kill_group(Signal::KILL).unwrap();
    one.wait().await.unwrap();
    assert_eq!(marked(&session, Some("one")).len(), 1, "the grandchild left the group");
    assert_eq!(kill_descendants(&session, Some("one")).unwrap(), 1, "an orphan is ours");
    assert!(marked(&session, Some("one")).is_empty());
    assert_eq!(marked(&session, Some("two")).len(), 2, "another case goes on");
    kill_marked(&session, None).unwrap();
    assert_eq!(two.wait().await.unwrap().signal, Some(9), "a child that is waited for is not reaped by others");
}

// ---- the base directory

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

// ---- sessions and their end

#[tokio::test]
async fn two_processes_share_a_cluster() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let (cluster, runner) = (scratch.join(&session).await, scratch.runner().await);
    let sql = format!("select count(*)::text from pg_database where datname = '{}'", runner.database);
    assert_eq!(text(cluster.admin("postgres"), &sql).await, "1");
    assert_ne!(runner.session, session.id());
}

#[tokio::test]
async fn two_seconds_after_kill_9_of_a_runner_nothing_is_left() {
    let scratch = Scratch::new();
    let mut runner = scratch.runner().await;
    let postmaster = scratch.postmaster();
    assert_eq!(leftovers(&scratch.base).alive, [runner.session.clone()]);

    kill(runner.child.pid(), Signal::KILL).unwrap();
    let watch = Stopwatch::start();
    runner.child.wait().await.unwrap();
    until("all is gone", || scratch.is_gone()).await;
    assert!(watch.elapsed() < Duration::from_secs(2), "took {} ms", watch.elapsed().as_millis());
    assert_eq!(memory_segments_of(postmaster), 0);
    assert_eq!(leftovers(&scratch.base), Default::default());
}

#[tokio::test]
async fn databases_of_a_killed_runner_go_while_others_work_on() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let (pool, runner) = (scratch.pool(&session).await, scratch.runner().await);
    let mine = pool.empty("mine").await.unwrap();
    let admin = pool.cluster().admin("postgres");
    execute(pool.cluster().admin(&runner.database), "begin; create table t (); prepare transaction 'held'").await;

    drop(runner); // kills it
    let mut admin = PgConnection::connect_with(&admin).await.unwrap();
    let watch = Stopwatch::start();
    loop {
        let sql = "select string_agg(datname, ',' order by datname) from pg_database where datname like 's%\\_%'";
        let names: String = sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
        if names == mine.name() {
            break;
        }
        let log = std::fs::read_to_string(scratch.base.dir().join("supervisor.log")).unwrap_or_default();
        let found = leftovers(&scratch.base);
        assert!(watch.elapsed() < Duration::from_secs(10), "{names}: {found:?} {log}");
    }
    assert_eq!(leftovers(&scratch.base).alive, [session.id()]);
}

#[tokio::test]
async fn what_a_killed_supervisor_and_runner_left_is_ended_by_the_next_session() {
    let scratch = Scratch::new();
    let runner = scratch.runner().await;
    let postmaster = scratch.postmaster();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    let dead = runner.session.clone();
    drop(runner);
    until("the runner is dead", || leftovers(&scratch.base).alive.is_empty()).await;
    assert_eq!(leftovers(&scratch.base).dead.len(), 2, "a session and a cluster");
    assert!(Path::new(&format!("/proc/{postmaster}")).exists());

    let session = scratch.session();
    assert!(!scratch.base.dir().join("sessions").join(dead).exists());
    assert!(processes_in(scratch.base.dir(), &["postgres"]).is_empty());
    assert_eq!(memory_segments_of(postmaster), 0);
    assert_eq!(text(scratch.join(&session).await.admin("postgres"), "select 'fresh'").await, "fresh");
}

#[tokio::test]
async fn a_session_that_opens_while_the_supervisor_dies_waits_for_its_death_and_takes_over() {
    let scratch = Scratch::new();
    let runner = scratch.runner().await;
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    let (dead, dir) = (runner.session.clone(), scratch.base.dir().to_owned());
    drop(runner);
    until("the runner is dead", || leftovers(&scratch.base).alive.is_empty()).await;

    // What a process that was killed shows until it is dead: its lock is held, and nobody answers.
    let dying = std::fs::File::options().write(true).open(dir.join("supervisor.lock")).unwrap();
    dying.try_lock().unwrap();
    let (opened, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| opened.send(scratch.session()));
        assert!(told.recv_timeout(Duration::from_millis(200)).is_err(), "it believes the dying");
        drop(dying);
        let session = told.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(!dir.join("sessions").join(dead).exists());
        assert!(scratch.find_supervisor().is_some());
        drop(session);
    });
}

#[tokio::test]
async fn the_last_session_ends_everything_where_the_supervisor_was_killed() {
    let scratch = Scratch::new();
    let (session, other) = (scratch.session(), scratch.session());
    let cluster = scratch.join(&session).await;
    let postmaster = scratch.postmaster();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    drop(session);
    assert_eq!(text(cluster.admin("postgres"), "select 'there'").await, "there", "another session is alive");
    drop(other);
    assert!(scratch.is_gone());
    assert_eq!(memory_segments_of(postmaster), 0);
}

#[tokio::test]
async fn who_removes_the_base_directory_leaves_no_server_and_no_supervisor() {
    let scratch = Scratch::new();
    let session = scratch.session();
    scratch.join(&session).await;
    let postmaster = scratch.postmaster();
    until("the base directory is removed", || std::fs::remove_dir_all(scratch.base.dir()).is_ok()).await;
    let servers = || processes_in(scratch.dir.path(), &["postgres"]);
    // By themselves they would need half a minute and a whole one to notice.
    let watch = Stopwatch::start();
    until("server and supervisor are gone", || servers().is_empty() && scratch.find_supervisor().is_none()).await;
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
    assert_eq!(memory_segments_of(postmaster), 0);

    let other = scratch.session();
    let cluster = scratch.join(&other).await;
    drop(session);
    assert_eq!(text(cluster.admin("postgres"), "select 'fresh'").await, "fresh");
}

#[tokio::test]
async fn a_session_whose_supervisor_was_killed_keeps_its_cluster() {
    let scratch = Scratch::new();
    let session = scratch.session();
    scratch.join(&session).await;
    let postmaster = scratch.postmaster();
    kill(scratch.supervisor(), Signal::KILL).unwrap();
    until("the supervisor is dead", || !leftovers(&scratch.base).supervised).await;
    let other = scratch.session(); // brings a supervisor
    scratch.join(&other).await;
    assert_eq!(scratch.postmaster(), postmaster);
}

#[tokio::test]
async fn a_dropped_session_ends_its_processes() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let mut spawn = Spawn::new(["/bin/sleep", "600"], "/");
    spawn.marker = Some(session.marker(Some("1")));
    let mut child = spawn.start().unwrap();
    let dir = session.dir().to_owned();
    drop(session);
    assert_eq!(child.wait().await.unwrap().signal, Some(9));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_process_that_has_the_pid_of_a_dead_server_is_left_alone() {
    let scratch = Scratch::new();
    let stale = scratch.base.dir().join("clusters/stale/data");
    std::fs::create_dir_all(&stale).unwrap();
    let mut innocent = Spawn::new(["/bin/sleep", "600"], "/").start().unwrap();
    let lines = format!("{}\n{}\n0\n5432\n\n\n 1 1\nready\n", innocent.pid(), stale.display());
    std::fs::write(stale.join("postmaster.pid"), lines).unwrap();
    let session = scratch.session();
    assert!(!stale.exists(), "reaped");
    drop(session);
    let ended = tokio::time::timeout(Duration::from_millis(1), innocent.wait()).await;
    assert!(ended.is_err(), "still asleep");
}

// ---- clusters

#[tokio::test]
async fn a_cluster_has_the_settings_and_the_roles_of_a_rehearsal() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let (cluster, database) = (pool.cluster(), pool.empty("one").await.unwrap());
    let sql = "select string_agg(current_setting(name), ' ' order by name) from unnest(array['autovacuum', 'fsync', \
               'full_page_writes', 'listen_addresses', 'synchronous_commit', 'TimeZone', 'server_encoding']) name";
    assert_eq!(text(cluster.admin("postgres"), sql).await, "UTC off off off  UTF8 on");
    let sql = "select concat_ws(' ', rolname, rolsuper, rolcreatedb, rolcreaterole, d.datname) from pg_roles r \
               join pg_database d on d.datdba = r.oid where rolname = current_user";
    let expected = format!("rehearse_tool f f f {}", database.name());
    assert_eq!(text(cluster.tool(database.name()), sql).await, expected);

    let wrong = cluster.tool(database.name()).password("wrong");
    let refused = PgConnection::connect_with(&wrong).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "28P01");
    assert!(!format!("{cluster:?}{pool:?}").contains(cluster.tool_password()));
}

#[rstest]
#[case::half_started(false)]
#[case::crashed(true)]
#[tokio::test]
async fn a_cluster_that_is_not_whole_is_replaced(#[case] is_killed: bool) {
    let scratch = Scratch::new();
    let session = scratch.session();
    let first = scratch.join(&session).await;
    let old = scratch.postmaster();
    assert_eq!(memory_segments_of(old), usize::from(cfg!(target_os = "linux")));
    if is_killed {
        kill(old, Signal::KILL).unwrap();
        let socket = first.socket().0.join(format!(".s.PGSQL.{}", first.socket().1));
        until("it listens no more", || std::os::unix::net::UnixStream::connect(&socket).is_err()).await;
    } else {
        let dir = std::fs::read_dir(scratch.base.dir().join("clusters")).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(dir.join("ready.json")).unwrap();
    }
    let cluster = scratch.join(&session).await;
    assert_eq!(text(cluster.admin("postgres"), "select 'fresh'").await, "fresh");
    assert_ne!(scratch.postmaster(), old);
    assert_eq!(memory_segments_of(old), 0);
}

#[tokio::test]
async fn a_private_cluster_ends_with_its_session_and_disturbs_nobody() {
    let scratch = Scratch::new();
    let (session, other) = (scratch.session(), scratch.session());
    let shared = scratch.join(&other).await;
    let own = Cluster::private(&session, &scratch.binaries(), "c", &["fsync=on"]).await.unwrap();
    assert_eq!(text(own.admin("postgres"), "show fsync").await, "on");
    drop(session);
    assert!(!own.socket().0.exists());
    assert_eq!(text(shared.admin("postgres"), "show fsync").await, "off");
}

// ---- databases

#[tokio::test]
async fn a_template_is_loaded_once_and_cloned_often() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let loads = AtomicU32::new(0);
    let load = async |access: rehearsal::target::Access| -> Result<()> {
        loads.fetch_add(1, Ordering::Relaxed);
        execute(access.tool, "create table t as select 7 as n").await;
        Ok(())
    };
    let (one, two) = tokio::join!(pool.template("data", &load), pool.template("data", &load));
    assert_eq!(one.unwrap(), two.unwrap());
    let template = pool.template("data", &load).await.unwrap();
    assert_eq!(loads.load(Ordering::Relaxed), 1);

    let (one, two) = (pool.clone(&template, "one").await.unwrap(), pool.clone(&template, "two").await.unwrap());
    execute(pool.cluster().tool(one.name()), "update t set n = 8").await;
    assert_eq!(text(pool.cluster().tool(one.name()), "select n::text from t").await, "8");
    assert_eq!(text(pool.cluster().tool(two.name()), "select n::text from t").await, "7");
    pool.drop(one).await.unwrap();
    let taken = pool.clone(&template, "two").await.unwrap_err();
    assert!(taken.to_string().contains("already exists"), "{taken}");
    assert!(pool.clone(&template, "Two").await.is_err(), "a name that needs quotes");
}

#[tokio::test]
async fn a_template_whose_loading_was_cut_off_is_made_again() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let cut = pool.template("data", async |access| {
        execute(access.tool, "create table half ()").await;
        std::future::pending().await
    });
    assert!(tokio::time::timeout(Duration::from_secs(1), cut).await.is_err());
    let failed = pool.template("data", async |_| Err(rehearsal::Error::environment("no such file"))).await;
    assert_eq!(failed.unwrap_err().to_string(), "no such file");

    let template = pool.template("data", async |_| Ok(())).await.unwrap();
    let database = pool.clone(&template, "one").await.unwrap();
    let sql = "select count(*)::text from pg_class where relname = 'half'";
    assert_eq!(text(pool.cluster().tool(database.name()), sql).await, "0");
}

#[tokio::test]
async fn backends_and_prepared_transactions_are_listed_until_they_are_gone() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let database = pool.empty("one").await.unwrap();
    let names = [database.name()];
    let mut tool = PgConnection::connect_with(&pool.cluster().tool(database.name())).await.unwrap();
    sqlx::raw_sql("begin; create table t ()").execute(&mut tool).await.unwrap();

    let found = pool.backends(&names).await.unwrap();
    assert_eq!(
        found.iter().map(|b| (b.database.as_str(), b.state.as_str())).collect::<Vec<_>>(),
        [(names[0], "idle in transaction")]
    );
    let error = pool.wait_gone(&names, Duration::from_millis(10)).await.unwrap_err();
    assert!(error.to_string().starts_with("1 backends are left after 10 ms"), "{error}");

    sqlx::raw_sql("prepare transaction 'it''s'").execute(&mut tool).await.unwrap();
    tool.close().await.unwrap();
    pool.wait_gone(&names, Duration::from_secs(10)).await.unwrap();
    let prepared = Prepared { gid: "it's".to_owned(), database: names[0].to_owned() };
    assert_eq!(pool.prepared(&names).await.unwrap(), [prepared]);
    pool.drop(database).await.unwrap();
}

#[tokio::test]
async fn a_session_is_busy_in_a_transaction_or_with_a_lock_and_not_while_it_waits() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let database = pool.empty("one").await.unwrap();
    let names = [database.name()];
    let options = pool.cluster().tool(database.name()).application_name("loader");
    let mut tool = PgConnection::connect_with(&options).await.unwrap();
    for (sql, expected) in [
        ("select 1", None),
        ("begin", Some("a session of loader is idle in transaction")),
        ("commit", None),
        ("select pg_advisory_lock(1)", Some("a session of loader is idle and holds advisory lock")),
        ("select pg_advisory_unlock(1)", None),
        (
            "begin; lock pg_class in access share mode",
            Some("a session of loader is idle in transaction and holds relation lock"),
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut tool).await.unwrap();
        assert_eq!(pool.busy(&names).await.unwrap(), expected.into_iter().collect::<Vec<_>>(), "{sql}");
    }
    pool.drop(database).await.unwrap();
}

// ---- SQLite

#[test]
fn a_sqlite_template_is_one_file_with_what_was_in_the_log() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let templates = SqliteTemplates::new(&scratch.base);
    let load = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("pragma journal_mode = wal; create table t (n); insert into t values (7)").unwrap();
        std::mem::forget(connection); // as if killed: the log stays
        Ok(())
    };
    let template = templates.template("data", load).unwrap();
    assert_eq!(templates.template("data", |_| panic!("loaded twice")).unwrap(), template);

    let clone = session.dir().join("core.db");
    template.clone_to(&clone).unwrap();
    let connection = rusqlite::Connection::open(&clone).unwrap();
    assert_eq!(connection.query_row("select n from t", [], |row| row.get::<_, i64>(0)), Ok(7));
    connection.close().unwrap();
}

#[rstest]
#[case("core.db")]
#[case("core.db-wal")]
#[case("core.db-journal")]
fn a_sqlite_clone_never_meets_an_older_file(#[case] found: &str) {
    let scratch = Scratch::new();
    let session = scratch.session();
    let template = SqliteTemplates::new(&scratch.base).template("empty", |path| {
        rusqlite::Connection::open(path).unwrap().execute_batch("create table t (n)").unwrap();
        Ok(())
    });
    let found: PathBuf = session.dir().join(found);
    std::fs::write(&found, "old").unwrap();
    let error = template.unwrap().clone_to(&session.dir().join("core.db")).unwrap_err();
    assert!(error.to_string().contains(&format!("{} is there already", found.display())), "{error}");
}
