//! What all cases of a run share: a session, servers and templates, and where children find their programs.

use crate::dataset::{self, Dataset};
use crate::engine::case::stage::seeded_name;
use crate::engine::run::need;
use crate::model::{Engine, Plan, Step};
use crate::process::Executable;
use crate::target::{Base, Binaries, Cluster, Pool, Seed, Session, SqliteTemplate, SqliteTemplates, Template, Wanted};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Mutex, OnceCell};

/// See the module.
pub struct House {
    pub(in crate::engine) executable: Executable,
    pub(in crate::engine) session: Session,
    wanted: Wanted,
    binaries: std::sync::OnceLock<Binaries>,
    postgres: OnceCell<Pool>,
    sqlite: SqliteTemplates,
    seeds: Mutex<BTreeMap<String, Arc<Seed>>>,
    cases: AtomicU32,
}

/// A database of a dataset, ready to be cloned.
pub(in crate::engine) enum Origin {
    Postgres(Template),
    Sqlite(SqliteTemplate),
}

impl House {
    /// Opens a session in the base directory; servers start when the first case needs them.
    ///
    /// # Errors
    /// The base directory cannot be used.
    pub fn open(executable: Executable, wanted: Wanted) -> Result<House> {
        let base = Base::find();
        let session = Session::open(&executable, &base)?;
        let sqlite = SqliteTemplates::new(&base);
        Ok(House {
            executable,
            session,
            wanted,
            binaries: std::sync::OnceLock::new(),
            postgres: OnceCell::new(),
            sqlite,
            seeds: Mutex::default(),
            cases: AtomicU32::new(0),
        })
    }

    /// A directory that ends with the run.
    pub fn dir(&self) -> &std::path::Path {
        self.session.dir()
    }

    /// The servers' pool, started now if it is the first time.
    ///
    /// # Errors
    /// There are no server binaries, or the server does not start.
    pub async fn postgres(&self) -> Result<&Pool> {
        let start = async || -> Result<Pool> {
            let cluster = Cluster::join(&self.session, self.binaries()?).await?;
            Ok(Pool::new(&cluster, self.session.id()))
        };
        self.postgres.get_or_try_init(start).await
    }

    /// The server's binaries, looked for once.
    ///
    /// # Errors
    /// There are none.
    pub fn binaries(&self) -> Result<&Binaries> {
        if let Some(found) = self.binaries.get() {
            return Ok(found);
        }
        let found = Binaries::find(self.session.base(), &self.wanted)?;
        Ok(self.binaries.get_or_init(|| found))
    }

    /// Which server was asked for.
    pub(in crate::engine) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The server that was started, if one was.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.pool_if_started().map(Pool::cluster)
    }

    pub(in crate::engine) fn pool_if_started(&self) -> Option<&Pool> {
        self.postgres.get()
    }

    /// The database of a dataset as a template, loaded once per server and content.
    pub(in crate::engine) async fn origin(&self, dataset: &Dataset, name: &str, engine: Engine) -> Result<Origin> {
        let database = dataset.database(name)?;
        // The generators are part of the content: two versions of ours may share a server.
        let key = format!("{} {}", crate::engine::SOURCE_SHA256, database.digest());
        match engine {
            Engine::Postgres => {
                let pool = self.postgres().await?;
                let load = |access: crate::target::Access| dataset::load_postgres(access.tool, database);
                pool.template(&key, load).await.map(Origin::Postgres)
            }
            Engine::Sqlite => {
                let load = |path: &std::path::Path| dataset::load_sqlite(path, database);
                self.sqlite.template(&key, load).map(Origin::Sqlite)
            }
        }
    }

    /// The Postgres databases of a plan as a seed for servers of cases' own, grown when the first case asks.
    pub(in crate::engine) async fn seed(&self, dataset: &Dataset, plan: &Plan) -> Result<Arc<Seed>> {
        let targets = plan.targets.iter().filter(|target| target.engine == Engine::Postgres);
        let databases = targets
            .map(|target| Ok((seeded_name(target), dataset.database(&target.database)?)))
            .collect::<Result<Vec<_>>>()?;
        let key =
            databases.iter().map(|(name, database)| format!("{name} {}\n", database.digest())).collect::<String>();
        let mut seeds = self.seeds.lock().await;
        if let Some(seed) = seeds.get(&key) {
            return Ok(Arc::clone(seed));
        }
        let name = format!("seed{}", seeds.len());
        let seed =
            Seed::grow(&self.session, self.binaries()?, self.postgres().await?.cluster(), &name, |pool| async move {
                for (name, database) in databases {
                    let made = pool.empty(&name).await?;
                    dataset::load_postgres(pool.cluster().tool(made.name()), database).await?;
                }
                Ok(())
            });
        let seed = Arc::new(seed.await?);
        seeds.insert(key, Arc::clone(&seed));
        Ok(seed)
    }

    /// A number that no other case of this session has.
    pub(in crate::engine) fn next_case(&self) -> u32 {
        self.cases.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes the directory of a case. Its path is as the kernel names it, for what is watched is told by that, and as long
    /// as that of any other case.
    pub(in crate::engine) fn case_dir(&self, number: u32) -> Result<PathBuf> {
        let dir = self.session.dir().join("cases").join(format!("{number:06}"));
        std::fs::create_dir_all(&dir).map_err(|error| Error::io("create", &dir, error))?;
        dir.canonicalize().map_err(|error| Error::io("open", &dir, error))
    }

    /// `PATH` of children: the server's own programs, then the caller's. So `psql` is of the server's version; Debian's
    /// is a wrapper in Perl that costs more than the query.
    pub(in crate::engine) fn path(&self) -> OsString {
        let own = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let servers = self.cluster().map(|cluster| cluster.binaries_dir().to_owned());
        let folders = servers.into_iter().chain(std::env::split_paths(&own));
        std::env::join_paths(folders).unwrap_or(own.clone())
    }
}

/// What a plan needs and this machine has not: `postgres`, programs and variables by name. Empty is good.
pub fn missing(plan: &Plan, needs: &[String], wanted: &Wanted) -> Vec<Missing> {
    let base = Base::find();
    let wants_postgres = plan.targets.iter().any(|target| target.engine == Engine::Postgres);
    let binaries = wants_postgres.then(|| Binaries::find(&base, wanted));
    let folder = binaries.as_ref().and_then(|found| found.as_ref().ok()).map(|found| found.dir.clone());
    let postgres = match binaries {
        Some(Err(error)) => Some(Missing { what: "postgres".to_owned(), how: error.to_string() }),
        _ => None,
    };
    let programs = needs.iter().chain(plan.steps.iter().filter_map(own_program)).collect::<BTreeSet<_>>();
    let lacks = |need: &String| Some(Missing { what: need.clone(), how: need::lacks(need, folder.as_ref())? });
    let programs = programs.into_iter().filter_map(lacks);
    let variables = plan.steps.iter().flat_map(|step| &step.env_from).collect::<BTreeSet<_>>();
    let variables = variables
        .into_iter()
        .filter(|name| std::env::var_os(name).is_none())
        .map(|name| Missing { what: name.clone(), how: format!("variable {name}, which a step asks for, is not set") });
    postgres.into_iter().chain(programs).chain(variables).collect()
}

/// The program of a step, where it is looked up in `PATH`.
fn own_program(step: &Step) -> Option<&String> {
    step.argv.first().filter(|program| !program.contains(['/', '{']))
}

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name for `--allow-missing`.
    pub what: String,
    /// What was tried and how to get it.
    pub how: String,
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Error {
        Error::environment(missing.how)
    }
}

/// What cannot be done on this platform, in a sentence; nothing on Linux, where everything can.
pub fn platform_limits() -> Option<&'static str> {
    match std::env::consts::OS {
        "linux" => None,
        "macos" => Some("macOS: processes that leave their group are not found; /dev/shm is not used"),
        _ => Some("this platform is not promised: Linux in full, macOS nearly, nothing else"),
    }
}
