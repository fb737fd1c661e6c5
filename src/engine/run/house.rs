//! What all cases of a run share: a session, servers and templates, and where children find their programs.

use crate::dataset::{self, Dataset};
use crate::engine::case::stage::seeded_name;
use crate::engine::files::{Library, Shim};
use crate::engine::points::pairs;
use crate::engine::run::need;
use crate::fault::Hazard;
use crate::model::{Engine, FaultSpec, Plan, Scenario, Step};
use crate::process::Executable;
use crate::registry::Registry;
use crate::target::{
    Binaries, Capability, Cluster, Offer, Pool, Seed, Server, Session, Site, SqliteTemplate, SqliteTemplates, Template,
};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Mutex, OnceCell};

/// See the module.
pub struct House {
    pub(in crate::engine) executable: Executable,
    pub(in crate::engine) session: Session,
    pub(in crate::engine) site: Site,
    postgres: OnceCell<Pool>,
    sqlite: SqliteTemplates,
    shim: Option<Library>,
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
    pub fn open(executable: Executable, site: Site) -> Result<House> {
        let session = Session::open(&executable, site.base())?;
        let sqlite = SqliteTemplates::new(site.base());
        let shim = if Shim::is_there() { Some(Library::unpack(session.dir())?) } else { None };
        Ok(House {
            executable,
            session,
            site,
            postgres: OnceCell::new(),
            sqlite,
            shim,
            seeds: Mutex::default(),
            cases: AtomicU32::new(0),
        })
    }

    /// A directory that ends with the run.
    pub fn dir(&self) -> &Path {
        self.session.dir()
    }

    /// What children preload; nothing on platforms without it.
    pub(in crate::engine) fn shim(&self) -> Option<&Library> {
        self.shim.as_ref()
    }

    /// The servers' pool, started now if it is the first time.
    ///
    /// # Errors
    /// There are no server binaries, or the server does not start.
    pub async fn postgres(&self) -> Result<&Pool> {
        let start = async || -> Result<Pool> {
            let cluster = self.site.join(&self.session).await?;
            Ok(Pool::new(&cluster, self.session.id()))
        };
        self.postgres.get_or_try_init(start).await
    }

    /// Whether the servers let us do something.
    pub(in crate::engine) fn can(&self, what: Capability) -> bool {
        self.site.offer().is_ok_and(|offer| offer.lacks(what).is_none())
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
                let load = |path: &Path| dataset::load_sqlite(path, database);
                self.sqlite.template(&key, load).map(Origin::Sqlite)
            }
        }
    }

    /// A server of a case's own with the Postgres databases of a plan; `name` is of the session, and not in use.
    pub(in crate::engine) async fn own_server(&self, dataset: &Dataset, plan: &Plan, name: &str) -> Result<Server> {
        let targets = plan.targets.iter().filter(|target| target.engine == Engine::Postgres);
        let databases = targets
            .map(|target| Ok((seeded_name(target), dataset.database(&target.database)?)))
            .collect::<Result<Databases<'_>>>()?;
        let like = self.postgres().await?.cluster();
        let Some(binaries) = &self.site.offer()?.binaries else {
            let server = self.site.container(&self.session, like).await?;
            fill(Pool::new(server.cluster(), self.session.id()), databases).await?;
            return Ok(server);
        };
        Server::start(&self.session, &*self.seed(databases, binaries, like).await?, name).await
    }

    /// Databases as a seed for servers of cases' own, grown when the first case asks.
    async fn seed(&self, databases: Databases<'_>, binaries: &Binaries, like: &Cluster) -> Result<Arc<Seed>> {
        let key =
            databases.iter().map(|(name, database)| format!("{name} {}\n", database.digest())).collect::<String>();
        let mut seeds = self.seeds.lock().await;
        if let Some(seed) = seeds.get(&key) {
            return Ok(Arc::clone(seed));
        }
        let name = format!("seed{}", seeds.len());
        let seed = Seed::grow(&self.session, binaries, like, &name, |pool| fill(pool, databases));
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
        let servers = self.cluster().and_then(|cluster| cluster.binaries_dir().map(Path::to_owned));
        let folders = servers.into_iter().chain(std::env::split_paths(&own));
        std::env::join_paths(folders).unwrap_or(own.clone())
    }
}

/// Databases of a plan, by the names that they have on a server of a case's own.
type Databases<'d> = Vec<(String, &'d dataset::Database)>;

async fn fill(pool: Pool, databases: Databases<'_>) -> Result<()> {
    for (name, database) in databases {
        let made = pool.empty(&name).await?;
        dataset::load_postgres(pool.cluster().tool(made.name()), database).await?;
    }
    Ok(())
}

/// What a scenario needs and this machine or its server has not: `postgres`, capabilities, programs and variables by
/// name. Empty is good.
pub fn missing(registry: &Registry, plan: &Plan, scenario: &Scenario, site: &Site) -> Vec<Missing> {
    let wants_postgres = plan.targets.iter().any(|target| target.engine == Engine::Postgres);
    let offer = wants_postgres.then(|| site.offer());
    let folder = offer.as_ref().and_then(|offer| offer.as_ref().ok()?.binaries.as_ref());
    let folder = folder.map(|found| found.dir.clone());
    let needed = needed(registry, scenario);
    let lacking = |offer: &Offer| -> Vec<Missing> {
        let lacks = |need: &Capability| {
            let missing = Missing::new(need.name(), offer.lacks(*need)?);
            Some(Missing { is_essential: need.is_essential(), ..missing })
        };
        needed.iter().filter_map(lacks).collect()
    };
    let postgres = match offer {
        Some(Err(error)) => vec![Missing::new("postgres", error.to_string())],
        Some(Ok(offer)) => lacking(offer),
        None => Vec::new(),
    };
    let needs = &scenario.needs;
    let programs = needs.iter().chain(plan.steps.iter().filter_map(own_program)).collect::<BTreeSet<_>>();
    let lacks = |need: &String| Some(Missing::new(need, need::lacks(need, folder.as_ref())?));
    let programs = programs.into_iter().filter_map(lacks);
    let variables = plan.steps.iter().flat_map(|step| &step.env_from).collect::<BTreeSet<_>>();
    let variables = variables
        .into_iter()
        .filter(|name| std::env::var_os(name).is_none())
        .map(|name| Missing::new(name, format!("variable {name}, which a step asks for, is not set")));
    postgres.into_iter().chain(programs).chain(variables).collect()
}

/// What a scenario needs of its server.
fn needed(registry: &Registry, scenario: &Scenario) -> BTreeSet<Capability> {
    let hazard = |fault: &FaultSpec| registry.fault(&fault.kind)?.hazard(fault.arg.as_deref()).ok();
    let hazards: Vec<Hazard> = scenario.faults.iter().filter_map(hazard).collect();
    let is_alone = scenario.own_server
        || hazards.iter().any(|hazard| hazard.needs_own_server())
        || scenario.faults.iter().any(pairs::strike_server_files);
    let own = is_alone.then_some(Capability::OwnServer);
    [Capability::Sessions, Capability::Superuser]
        .into_iter()
        .chain(own)
        .chain(hazards.into_iter().filter_map(needs))
        .collect()
}

/// What a hazard needs beside a server of the case's own.
fn needs(hazard: Hazard) -> Option<Capability> {
    match hazard {
        Hazard::PauseServer { .. } => Some(Capability::Pause),
        Hazard::LimitMemory { .. } => Some(Capability::Memory),
        _ => None,
    }
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
    /// Whether the scenario cannot be rehearsed at all without it.
    pub is_essential: bool,
}

impl Missing {
    fn new(what: &str, how: String) -> Missing {
        Missing { what: what.to_owned(), how, is_essential: true }
    }
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
