//! One private server for all tests here, and a database with a proxy in front of it for each.
#![allow(clippy::disallowed_methods)] // the server of a test is not a child of the product

use rehearsal::engine::proxy::{Act, Armed, Proxy, ProxyRules, Strike};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};
use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The most that any wait in these tests lasts.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
const PORT: u16 = 5432;
/// Starts the server on line 1 of its input, says so, and takes everything away when the input ends: also when the
/// tests were killed.
const SUPERVISE: &str = r#"
    "$1/initdb" -D "$2/data" -U postgres -A trust --no-sync >"$2/initdb.log" 2>&1 || exit 1
    printf '%s\n' 'local all secret scram-sha-256' 'local all all trust' >"$2/data/pg_hba.conf"
    "$1/postgres" -D "$2/data" -k "$2" -p 5432 -c listen_addresses= -c fsync=off >"$2/log" 2>&1 &
    until grep -q "ready to accept connections" "$2/log"; do kill -0 $! || exit 1; done
    echo ready; read -r _; kill -QUIT $!; wait; rm -rf "$2"
"#;

struct Server {
    dir: PathBuf,
    _supervisor: Child,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let dir = tempfile::Builder::new().prefix("rehearse-proxy-").tempdir().unwrap().keep();
    let mut command = Command::new("sh");
    if let Some((uid, gid)) = postgres_account().filter(|_| nobody_may_run_postgres(&dir)) {
        chown(&dir, Some(uid), Some(gid)).unwrap();
        command.uid(uid).gid(gid);
    }
    command.args(["-c", SUPERVISE, "sh"]).arg(binaries()).arg(&dir).current_dir(&dir);
    // A group of its own: Ctrl-C ends the tests, and their end ends the server.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut supervisor = command.spawn().unwrap();
    let mut ready = [0; 6];
    let answered = supervisor.stdout.as_mut().unwrap().read_exact(&mut ready);
    assert!(answered.is_ok(), "the server did not start, see {}", dir.display());
    Server { dir, _supervisor: supervisor }
}

/// True of root, which owns what it makes.
fn nobody_may_run_postgres(dir: &Path) -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir).unwrap()) == 0
}

fn postgres_account() -> Option<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields: Vec<_> = accounts.lines().find(|line| line.starts_with("postgres:"))?.split(':').collect();
    Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
}

/// The first directory that has a `postgres`.
fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        packaged.map(|entry| entry.path().join("bin")).chain(std::env::split_paths(&path)).collect();
    found.retain(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file());
    found.sort();
    found.pop().expect("these tests need the server binaries of Postgres (initdb, postgres) in PATH")
}

/// A fresh database, and a proxy in front of it.
pub(super) struct Case {
    pub(super) proxy: Proxy,
    pub(super) database: String,
}

impl Case {
    pub(super) async fn new() -> Case {
        static CASES: AtomicU32 = AtomicU32::new(0);
        let database = format!("case_{}", CASES.fetch_add(1, Ordering::Relaxed));
        let mut admin = direct("postgres").await;
        let roles = "do $$ begin perform pg_advisory_xact_lock(1); if to_regrole('tool') is null then \
                     create role tool login; create role secret login password 'open sesame'; end if; end $$";
        sqlx::raw_sql(roles).execute(&mut admin).await.unwrap();
        let create = format!("create database {database} owner tool");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
        let side = PgConnectOptions::new_without_pgpass().socket(&server().dir).port(PORT).username("postgres");
        let rules = ProxyRules { forbidden_role: Some("postgres".to_owned()), side: Some(side.database("postgres")) };
        let socket = server().dir.join(format!(".s.PGSQL.{PORT}"));
        let proxy = Proxy::start("pg.target", socket, rules).await.unwrap();
        Case { proxy, database }
    }

    /// A case whose database has `create table t (a int, b text)`.
    pub(super) async fn with_table() -> Case {
        let case = Case::new().await;
        case.admin("create table t (a int, b text); alter table t owner to tool").await;
        case
    }

    /// Does `sql` as superuser, not through the proxy.
    pub(super) async fn admin(&self, sql: &str) {
        let mut connection = direct(&self.database).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }

    /// The one number that `sql` asks for, not through the proxy.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        let mut connection = direct(&self.database).await;
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap().get(0)
    }

    /// Waits until `sql` gives `number`.
    pub(super) async fn until(&self, sql: &str, number: i64) {
        let reached = async { while self.number(sql).await != number {} };
        assert!(tokio::time::timeout(DEADLINE, reached).await.is_ok(), "`{sql}` never gave {number}");
    }

    /// Waits until the server has no backend that serves a client of the proxy.
    pub(super) async fn until_no_backend(&self) {
        let sql = "select count(*) from pg_stat_activity where datname = current_database() and usename <> 'postgres'";
        self.until(sql, 0).await;
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.proxy.port());
        options.username("tool").database(&self.database)
    }

    pub(super) async fn connect(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }

    pub(super) fn arm(&self, place: &str, act: Act) -> Armed {
        self.proxy.arm(Strike { place: format!("pg.target:{place}").parse().unwrap(), act })
    }

    /// Waits until the trace has this line; what was traced up to then is taken.
    pub(super) async fn until_traced(&self, line: &str) {
        let traced = async {
            while !self.trace().iter().any(|traced| traced == line) {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, traced).await.is_ok(), "`{line}` was never traced");
    }

    /// The trace, one line per point: `conn axis label`.
    pub(super) fn trace(&self) -> Vec<String> {
        let points = self.proxy.take_trace().points;
        points.iter().map(|point| format!("{} {} {}", point.conn, point.axis.name(), point.label)).collect()
    }
}

async fn direct(database: &str) -> PgConnection {
    let dir = tokio::task::spawn_blocking(|| server().dir.clone()).await.unwrap();
    let options = PgConnectOptions::new_without_pgpass().socket(&dir).port(PORT).username("postgres");
    PgConnection::connect_with(&options.database(database)).await.unwrap()
}

/// What psql says to `script`: exit code, output, errors.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
}

/// Runs `script` with psql, through the proxy or on the server's own socket.
pub(super) async fn psql(case: &Case, proxied: bool, script: &str) -> Said {
    let (host, port) = match proxied {
        true => (PathBuf::from("127.0.0.1"), case.proxy.port()),
        false => (server().dir.clone(), PORT),
    };
    let mut command = Command::new("psql");
    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.args(["-X", "-A", "-t", "-U", "tool", "-d", &case.database, "-p", &port.to_string(), "-h"]).arg(host);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let script = script.to_owned();
    let run = move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}
