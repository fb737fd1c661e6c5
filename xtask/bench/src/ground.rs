//! Where it is measured: a disposable cluster, and tables of a known shape in it.

use rehearsal::clock::Stopwatch;
use rehearsal::compare::Place;
use rehearsal::db::{Dsn, postgres};
use rehearsal::process::{self, Executable, Ids};
use rehearsal::target::{ADMIN_ROLE, Base, Binaries, Cluster, Database, Pool, Session, Wanted};
use rehearsal::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A cluster of this run, and a directory beside it.
pub(crate) struct Ground {
    pub(crate) rounds: usize,
    pub(crate) rows: u64,
    pub(crate) runtime: Runtime,
    pub(crate) session: Session,
    pub(crate) binaries: Binaries,
    pub(crate) pool: Pool,
    /// The user of the servers can write here.
    pub(crate) dir: TempDir,
    rehearse: PathBuf,
}

/// The columns of a table that is narrow.
const NARROW: &str = "id int8 primary key, a int, b float8, c timestamptz, d bool";

impl Ground {
    pub(crate) fn open(rehearse: &Path, rounds: usize, rows: u64) -> Result<Ground> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::environment("cannot start threads").caused_by(error))?;
        let base = Base::find();
        let session = Session::open(&Executable::at(rehearse)?, &base)?;
        let binaries = Binaries::find(&base, &Wanted::default())?;
        let cluster = runtime.block_on(Cluster::private(&session, &binaries, "bench", &[]))?;
        let pool = Pool::new(&cluster, session.id());
        let dir = directory(base.dir())?;
        Ok(Ground { rounds, rows, runtime, session, binaries, pool, dir, rehearse: rehearse.to_owned() })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        self.pool.cluster()
    }

    /// A database with a narrow table of all rows, analysed; `sql` comes after it.
    pub(crate) fn narrow(&self, name: &str, sql: &str) -> Result<Database> {
        let rows = self.rows;
        let load = format!(
            "create table narrow ({NARROW}); insert into narrow select n, n % 1000, n * 0.37, \
             timestamptz '2024-01-01' + n * interval '1 s', n % 2 = 0 from generate_series(1, {rows}) n; \
             grant select on narrow to public"
        );
        let database = self.runtime.block_on(self.pool.empty(name))?;
        // Each in its own transaction, as VACUUM wants it.
        for statement in [load.as_str(), sql, "vacuum analyze"] {
            self.execute(database.name(), statement)?;
        }
        Ok(database)
    }

    pub(crate) fn execute(&self, database: &str, sql: &str) -> Result<()> {
        self.runtime.block_on(async {
            let mut connection = postgres::connect(&self.cluster().admin(database)).await?;
            postgres::execute(&mut connection, sql).await
        })
    }

    /// The address of a database, as a user writes it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{ADMIN_ROLE}@/{database}?host={}", self.cluster().socket().0.display())
    }

    pub(crate) fn place(&self, database: &str) -> Result<Place> {
        Dsn::parse(&self.url(database)).map(Place::Postgres)
    }

    /// Seconds that a shell script takes; `psql` in it reaches the cluster, `$REHEARSE` is our command. `codes`: with
    /// which it may end.
    pub(crate) fn sh(&self, script: &str, env: &[(&str, &str)], codes: &[i32]) -> Result<f64> {
        self.shell(script, env, codes, None).map(|(seconds, _)| seconds)
    }

    /// The same, with what it said; `ids`: as whom.
    pub(crate) fn shell(
        &self,
        script: &str,
        env: &[(&str, &str)],
        codes: &[i32],
        ids: Option<Ids>,
    ) -> Result<(f64, String)> {
        let argv = ["sh", "-c", script].map(OsString::from);
        let watch = Stopwatch::start();
        let output = process::run(&argv, self.dir.path(), &self.environment(env), ids, "")?;
        let seconds = watch.elapsed().as_secs_f64();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        match output.exit.code {
            Some(code) if codes.contains(&code) => Ok((seconds, text)),
            _ => Err(Error::environment(format!("`{script}` ended with {}: {text}", output.exit))),
        }
    }

    /// Seconds of processor time that a script and its children take: on a busy machine truer than the clock's.
    pub(crate) fn cpu(&self, script: &str, env: &[(&str, &str)]) -> Result<f64> {
        let before = children_s()?;
        self.sh(script, env, &[0])?;
        Ok(children_s()? - before)
    }

    fn environment(&self, more: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        let inherited = |name: &OsString| {
            let name = name.to_string_lossy();
            ["PATH", "HOME", "TMPDIR"].contains(&name.as_ref()) || name.starts_with("REHEARSE_")
        };
        let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().filter(|(name, _)| inherited(name)).collect();
        let (socket, port) = self.cluster().socket();
        // Debian's psql in PATH is a script that looks for the real one.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.binaries.dir.clone()).chain(std::env::split_paths(&path));
        env.extend(std::env::join_paths(path).map(|path| (OsString::from("PATH"), path)));
        env.insert("REHEARSE".into(), self.rehearse.clone().into());
        env.insert("REHEARSE_BIN".into(), self.rehearse.clone().into());
        env.insert("PGHOST".into(), socket.into());
        env.insert("PGPORT".into(), port.to_string().into());
        env.insert("PGUSER".into(), ADMIN_ROLE.into());
        env.extend(more.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        env
    }

    /// Whom the servers run as.
    pub(crate) fn server_ids(&self) -> Result<Ids> {
        let socket = self.cluster().socket().0;
        let found = std::fs::metadata(socket).map_err(|error| Error::io("read", socket, error))?;
        Ok(Ids { uid: found.uid(), gid: found.gid() })
    }

    pub(crate) fn has(&self, program: &str) -> bool {
        self.sh(&format!("command -v {program} > /dev/null"), &[], &[0]).is_ok()
    }
}

/// Processor time of the children that have ended. The name of the program stands in brackets, and may hold anything.
fn children_s() -> Result<f64> {
    let path = Path::new("/proc/self/stat");
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    let numbers = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(13).take(2);
    Ok(numbers.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S)
}

/// As Linux tells them to programs, whatever the kernel counts in.
const TICKS_PER_S: f64 = 100.0;

fn directory(base: &Path) -> Result<TempDir> {
    let parent = base.parent().unwrap_or(base);
    let dir = tempfile::Builder::new().prefix("bench-").tempdir_in(parent);
    let dir = dir.map_err(|error| Error::io("create a directory in", parent, error))?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777))
        .map_err(|error| Error::io("open", dir.path(), error))?;
    Ok(dir)
}
