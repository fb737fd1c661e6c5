//! A server, databases of a test's own on it, and the tool in front of them.

use super::*;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

pub(super) const SOURCES: [&str; 5] = ["general", "relationship", "health", "switchboard", "messenger"];
pub(super) const PASSWORD: &str = "correct-horse-battery";

/// Rows for a source: quotes, tabs, backslashes, NaN, negative zero, nulls; more sequence numbers used than rows.
pub(super) const SOURCE_ROWS: &str = r#"
    insert into state select 'key '||n, jsonb_build_object('n', n, 't', E'tab\there'), 1 + n % 9, '2026-01-02 03:04:05.678901+00'
        from generate_series(1, 40) n;
    insert into scheduled_tasks select ('00000000-0000-4000-8000-'||lpad(n::text, 12, '0'))::uuid, 'task '||n, '* * * * *',
        case when n % 3 > 0 then make_interval(months => n, secs => -n) end, n / 7.0, array['a"b', E'c\\d', null, '{}'], n % 2 = 0, 'infinity', null
        from generate_series(1, 20) n;
    insert into sessions (token, model, prompt, cost, input_tokens, output_tokens, tool_calls, temperature, transcript, started_at)
        select ('10000000-0000-4000-8000-'||lpad(n::text, 12, '0'))::uuid, 'small', E'back\\slash\nline '||n,
        case when n % 10 = 0 then 'NaN' else n::numeric / 3 end, n, n, array[n, null], case when n % 2 = 0 then '-0'::float8 else n / 3.0 end, '\x00ff0a09', now()
        from generate_series(1, 300) n;
    insert into route_inbox (id, session_id, status, body, envelope, received_at)
        select ('20000000-0000-4000-8000-'||lpad(n::text, 12, '0'))::uuid, nullif(n % 300, 0), 'new', repeat('body ', n % 50), '{"a": [1, 1.0]}', now()
        from generate_series(1, 500) n;
    select setval('sessions_id_seq', 1000);
    insert into route_inbox (id, status, body, envelope, received_at) values (gen_random_uuid(), 'new', '', '{}', now());
    delete from route_inbox where arrival = 501;
"#;
pub(super) const SHARED_ROWS: &str =
    "insert into butler_secrets select 'k'||n, '\\x01', '{}', null from generate_series(1, 7) n;";

/// One cluster for the tests that run at the same time; the last of them ends it.
pub(super) struct Server {
    process: Child,
    pub(super) folder: tempfile::TempDir,
    binaries: PathBuf,
    pub(super) port: u16,
    next: AtomicU32,
}

static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    pub(super) fn shared() -> Arc<Server> {
        let mut known = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Server::start());
            *known = Arc::downgrade(&server);
            server
        })
    }

    pub(super) fn start() -> Server {
        let binaries = binaries();
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let account = account();
        if let Some((uid, gid)) = account {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let run = |program: &str| {
            let mut command = Command::new(binaries.join(program));
            command.current_dir(folder.path()).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
            if let Some((uid, gid)) = account {
                command.uid(uid).gid(gid);
            }
            command
        };
        let initdb =
            ["-D", "data", "-U", "postgres", "-A", "trust", "-N", "--no-locale", "-E", "UTF8", "--wal-segsize=1"];
        let made = run("initdb").args(initdb).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(
            folder.path().join("data/pg_hba.conf"),
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )
        .unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = [
            "fsync=off",
            "listen_addresses=127.0.0.1",
            "max_connections=200",
            "autovacuum=off",
            "full_page_writes=off",
        ];
        let process = run("postgres")
            .args(["-D", "data", "-p", &port.to_string(), "-k"])
            .arg(folder.path())
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { process, folder, binaries, port, next: AtomicU32::new(0) };
        until("the server to answer", || server.psql("postgres", "select 1").is_some());
        server.template();
        server
    }

    pub(super) fn template(&self) {
        let fixture = |name: &str| fs::read_to_string(Path::new("fixtures/butlers").join(name)).unwrap();
        for (database, schema, rows) in [
            ("t_source", "source.sql", SOURCE_ROWS),
            ("t_shared", "shared.sql", SHARED_ROWS),
            ("t_one", "target.sql", ""),
        ] {
            self.sql("postgres", &format!("create database {database}"));
            self.sql(database, &fixture(schema));
            self.sql(database, rows);
        }
        // Sources are only read; a test that writes into one takes a copy.
        for name in SOURCES {
            self.sql("postgres", &format!("create database {name} template t_source strategy file_copy"));
        }
        self.sql("postgres", "create database shared template t_shared strategy file_copy");
        self.sql("postgres", &format!("create role guarded login superuser password '{PASSWORD}'"));
    }

    pub(super) fn command(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.args(["-h"]).arg(self.folder.path()).args([
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-d",
            database,
        ]);
        command
    }

    pub(super) fn psql(&self, database: &str, sql: &str) -> Option<String> {
        let args = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql];
        let output = self.command("psql", database).args(args).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    pub(super) fn sql(&self, database: &str, sql: &str) -> String {
        self.psql(database, sql).unwrap_or_else(|| panic!("psql failed in {database}: {sql}"))
    }

    /// All of a database as text: rows, sequences, catalog.
    pub(super) fn dump(&self, database: &str) -> String {
        let output = self.command("pg_dump", database).args(["--inserts", "--rows-per-insert=1"]).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        // Copying order is physical order, and recent versions print a random word.
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.contains("restrict ")).collect();
        lines.sort_unstable();
        lines.join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).ok();
        self.process.wait().ok();
    }
}

pub(super) fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()))
        .filter(|folder| folder.join("initdb").exists() && folder.join("psql").exists())
        .collect();
    found.sort();
    found.pop().expect("these tests need the Postgres server binaries: install postgresql")
}

/// Postgres refuses root.
pub(super) fn account() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:") || line.starts_with("nobody:")).unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited too long for {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A target of its own for each test, and the sources that it wants to change; the others are shared.
pub(super) struct Stage {
    pub(super) server: Arc<Server>,
    number: u32,
    own: Vec<&'static str>,
    reports: tempfile::TempDir,
}

impl Stage {
    pub(super) fn new() -> Stage {
        Stage::with(&[])
    }

    pub(super) fn with(sources: &[&'static str]) -> Stage {
        let server = Server::shared();
        let number = server.next.fetch_add(1, Ordering::Relaxed);
        let own = sources.iter().copied().chain(["one"]).collect();
        let stage = Stage { server, number, own, reports: tempfile::tempdir().unwrap() };
        for name in &stage.own {
            let template = if *name == "one" { "t_one" } else { "t_source" };
            let database = stage.database(name);
            let sql = format!("create database {database} template {template} strategy file_copy");
            // Two tests that copy a template at the same time disturb each other for a moment.
            until("a copy of the template", || stage.server.psql("postgres", &sql).is_some());
        }
        stage
    }

    pub(super) fn database(&self, name: &str) -> String {
        if self.own.contains(&name) { format!("{name}_{}", self.number) } else { name.to_owned() }
    }

    pub(super) fn dsn(&self, name: &str) -> String {
        let folder = self.server.folder.path().display();
        format!("postgres://postgres@localhost:{}/{}?host={folder}", self.server.port, self.database(name))
    }

    pub(super) fn sql(&self, name: &str, sql: &str) -> String {
        self.server.sql(&self.database(name), sql)
    }

    pub(super) fn dump(&self, name: &str) -> String {
        self.server.dump(&self.database(name))
    }

    pub(super) fn dumps(&self) -> Vec<String> {
        SOURCES.iter().chain(&["shared", "one"]).map(|name| self.dump(name)).collect()
    }

    /// The tool with all variables set, and a report.
    pub(super) fn tool(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
        command.args(["tool", "one-db"]).args(args).arg("--report-path").arg(self.report_path());
        command.env("BUTLERS_DATABASE_URL", self.dsn("one"));
        command.env("BUTLER_SHARED_DATABASE_URL", self.dsn("shared"));
        for name in SOURCES {
            command.env(format!("BUTLER_{}_DATABASE_URL", name.to_uppercase()), self.dsn(name));
        }
        command
    }

    pub(super) fn report_path(&self) -> PathBuf {
        self.reports.path().join("new-folder/report.json")
    }

    pub(super) fn report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.report_path()).unwrap()).unwrap()
    }

    /// Runs the tool, expects this exit code and a report that agrees with it.
    #[track_caller]
    pub(super) fn expect(&self, code: i32, args: &[&str]) -> Seen {
        Seen::new(self.tool(args).output().unwrap()).expect(code, &self.report())
    }

    pub(super) fn spawn(&self, args: &[&str]) -> Child {
        self.tool(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(super) fn waits_for_lock(&self) -> bool {
        let sql =
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        self.sql("one", sql) != "0"
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for name in &self.own {
            let database = self.database(name);
            self.server.psql("postgres", &format!("drop database if exists {database} with (force)"));
        }
    }
}

/// What the tool said.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) code: Option<i32>,
    #[expect(dead_code, reason = "for the message of a failed assertion")]
    stdout: String,
    pub(super) stderr: String,
}

impl Seen {
    pub(super) fn new(output: Output) -> Seen {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Seen { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub(super) fn expect(self, code: i32, report: &Value) -> Seen {
        assert_eq!(self.code, Some(code), "{self:#?}\n{report:#}");
        assert!(!format!("{self:?}{report}").contains(PASSWORD), "{self:#?}");
        let rows = report["results"].as_array().unwrap();
        let bad = rows.iter().filter(|row| row["status"] == "error" || row["status"] == "mismatch").count();
        assert_eq!(report["status"], if code == 0 { "ok" } else { "error" });
        assert_eq!(report["summary"]["tables_failed"], bad);
        assert!(code != 0 || bad == 0);
        assert_eq!(report["error"].is_null(), code == 0);
        self
    }
}

/// A session that holds a lock until it is released.
pub(super) struct Holder(Child);

impl Holder {
    pub(super) fn lock(stage: &Stage, table: &str) -> Holder {
        let script = format!("begin; lock table {table} in share mode; \\echo held\n");
        let mut psql = stage.server.command("psql", &stage.database("one"));
        let mut child = psql.args(["-X", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Holder(child)
    }

    pub(super) fn release(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}
