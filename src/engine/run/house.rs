//! What all cases of a run share: a session, servers and templates, and where children find their programs.

use crate::dataset::{self, Dataset};
use crate::engine::case::stage::seeded_name;
use crate::engine::files::Library;
use crate::model::{Engine, Plan, TargetSpec};
use crate::process::Executable;
use crate::target::{
    Binaries, Capability, Cluster, Pool, Seed, Server, Session, Sites, SqliteTemplate, SqliteTemplates, Template,
};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use tokio::sync::{Mutex, OnceCell};

/// See the module.
pub struct House {
    pub(in crate::engine) executable: Executable,
    pub(in crate::engine) session: Session,
    pub(in crate::engine) sites: Sites,
    /// By the version that [`Sites::version`] gives them; the run's own first.
    servers: std::sync::Mutex<BTreeMap<Option<u32>, Started>>,
    sqlite: SqliteTemplates,
    shim: OnceCell<Library>,
    seeds: Mutex<BTreeMap<String, Arc<Seed>>>,
    cases: AtomicU32,
}

/// The server of all cases, once somebody has wanted it.
type Started = Arc<OnceCell<Arc<Pool>>>;

/// A database of a dataset, ready to be cloned.
pub(in crate::engine) enum Origin {
    Postgres(Arc<Pool>, Template),
    Sqlite(SqliteTemplate),
}

impl House {
    /// Opens a session in the base directory; servers start when the first case needs them.
    ///
    /// # Errors
    /// The base directory cannot be used.
    pub fn open(executable: Executable, sites: Sites) -> Result<House> {
        let session = Session::open(&executable, sites.base())?;
        let sqlite = SqliteTemplates::new(sites.base());
        Ok(House {
            executable,
            session,
            sites,
            servers: std::sync::Mutex::default(),
            sqlite,
            shim: OnceCell::new(),
            seeds: Mutex::default(),
            cases: AtomicU32::new(0),
        })
    }

    /// A directory that ends with the run.
    pub fn dir(&self) -> &Path {
        self.session.dir()
    }

    /// What children preload, unpacked for the first case that is watched.
    ///
    /// # Errors
    /// There is no shim on this platform; the disk is full.
    pub(in crate::engine) async fn shim(&self) -> Result<&Library> {
        self.shim.get_or_try_init(async || Library::unpack(self.session.dir())).await
    }

    /// The pool of the server that all endpoints share which ask for a version, started now if it is the first time.
    ///
    /// # Errors
    /// There are no server binaries, or the server does not start.
    pub async fn postgres(&self, version: Option<u32>) -> Result<Arc<Pool>> {
        let start = async || -> Result<Arc<Pool>> {
            let cluster = self.sites.of(version).join(&self.session).await?;
            Ok(Arc::new(Pool::new(&cluster, self.session.id())))
        };
        let server = Arc::clone(self.servers().entry(self.sites.version(version)).or_default());
        server.get_or_try_init(start).await.cloned()
    }

    fn servers(&self) -> std::sync::MutexGuard<'_, BTreeMap<Option<u32>, Started>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pools of the servers that were started, with the version that was asked for; the run's own first.
    pub(in crate::engine) fn started(&self) -> Vec<(Option<u32>, Arc<Pool>)> {
        let servers = self.servers();
        servers.iter().filter_map(|(version, server)| Some((*version, server.get()?.clone()))).collect()
    }

    /// The versions by which the servers of a plan are known, each once.
    pub(in crate::engine) fn versions(&self, plan: &Plan) -> BTreeSet<Option<u32>> {
        plan.versions().into_iter().map(|version| self.sites.version(version)).collect()
    }

    /// Whether the servers of a plan let us do something.
    pub(in crate::engine) fn can(&self, plan: &Plan, what: Capability) -> bool {
        let can =
            |version: &Option<u32>| self.sites.of(*version).offer().is_ok_and(|offer| offer.lacks(what).is_none());
        plan.versions().iter().all(can)
    }

    /// The database of a target as the dataset has it, as a template that is loaded once per server and content.
    pub(in crate::engine) async fn origin(&self, dataset: &Dataset, target: &TargetSpec) -> Result<Origin> {
        let database = dataset.database(&target.database)?;
        // The generators are part of the content: two versions of ours may share a server.
        let key = format!("{} {}", crate::engine::SOURCE_SHA256, database.digest());
        match target.engine {
            Engine::Postgres => {
                let pool = self.postgres(target.version).await?;
                let load = |access: crate::target::Access| dataset::load_postgres(access.tool, database);
                let template = pool.template(&key, load).await?;
                Ok(Origin::Postgres(pool, template))
            }
            Engine::Sqlite => {
                let load = |path: &Path| dataset::load_sqlite(path, database);
                self.sqlite.template(&key, load).map(Origin::Sqlite)
            }
        }
    }

    /// A server of a case's own with those databases of a plan that are on servers of `version`; `name` is of the session,
    /// and not in use.
    pub(in crate::engine) async fn own_server(
        &self,
        dataset: &Dataset,
        plan: &Plan,
        version: Option<u32>,
        name: &str,
    ) -> Result<Server> {
        let is_there =
            |target: &&TargetSpec| target.engine == Engine::Postgres && self.sites.version(target.version) == version;
        let databases = plan
            .targets
            .iter()
            .filter(is_there)
            .map(|target| Ok((seeded_name(target), dataset.database(&target.database)?)))
            .collect::<Result<Databases<'_>>>()?;
        let pool = self.postgres(version).await?;
        let (like, site) = (pool.cluster(), self.sites.of(version));
        let Some(binaries) = &site.offer()?.binaries else {
            let server = site.container(&self.session, like).await?;
            fill(Pool::new(server.cluster(), self.session.id()), databases).await?;
            return Ok(server);
        };
        Server::start(&self.session, &*self.seed(databases, binaries, like).await?, name).await
    }

    /// Databases as a seed for servers of cases' own, grown when the first case asks.
    async fn seed(&self, databases: Databases<'_>, binaries: &Binaries, like: &Cluster) -> Result<Arc<Seed>> {
        let of_databases = databases.iter().map(|(name, database)| format!("{name} {}\n", database.digest()));
        let key = [format!("{}\n", binaries.sha256)].into_iter().chain(of_databases).collect::<String>();
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

    /// `PATH` of children: the servers' own programs, then the caller's. So `psql` is of the server's version, and of the
    /// newest where there are two, which knows the older; Debian's is a wrapper in Perl that costs more than the query.
    pub(in crate::engine) fn path(&self, plan: &Plan) -> OsString {
        let own = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let wanted = self.versions(plan);
        let mut pools: Vec<Arc<Pool>> =
            self.started().into_iter().filter(|(version, _)| wanted.contains(version)).map(|(_, pool)| pool).collect();
        pools.sort_by_key(|pool| std::cmp::Reverse(pool.major()));
        let servers = pools.iter().filter_map(|pool| pool.cluster().binaries_dir().map(Path::to_owned));
        let folders = servers.chain(std::env::split_paths(&own));
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
