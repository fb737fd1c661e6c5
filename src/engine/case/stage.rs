//! The stage of one case: its own databases, a proxy before each, and its own directories. Nothing of it is shared.
//!
//! ```text
//! holding  its databases: clones, each with a proxy before it or in a file of its own
//! own      the servers of a case that does not share those of all
//! serving  the servers that its databases are on
//! watch    what is done to the files of databases
//! files    the files of a tool
//! ```

mod files;
mod holding;
mod own;
mod serving;
mod watch;

pub(in crate::engine) use holding::{Holding, Place};
pub(in crate::engine) use own::seeded_name;
pub(in crate::engine) use serving::Serving;

use crate::engine::case::checkpoint::Checkpoint;
use crate::engine::case::hazard::Undo;
use crate::engine::case::service::Services;
use crate::engine::observe::still::Looks;
use crate::engine::proxy::{Epochs, Proxy};
use crate::engine::{Rehearsed, Traces};
use crate::evidence::{CAPTURE_LIMIT, Capture};
use crate::model::{Claims, Step};
use crate::{Error, Result};
use files::{is_set_aside, list};
use futures_util::future::try_join_all;
use holding::hold;
use own::Own;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};
use watch::Watch;

/// See the module.
pub(in crate::engine) struct Stage<'a> {
    pub(in crate::engine) context: &'a Rehearsed<'a>,
    /// What children carry, so that those which left their group are found.
    pub(in crate::engine) marker: String,
    dir: PathBuf,
    holdings: Vec<Holding>,
    /// Where the case does not share the servers of all.
    own: Vec<Own>,
    /// What runs beside the steps.
    pub(in crate::engine) services: Services,
    pub(in crate::engine) looks: Looks,
    /// What faults have left standing.
    standing: std::sync::Mutex<Vec<Undo>>,
    /// Where a database is a file.
    watch: Option<Watch>,
}

/// The parts of a case's directory that are the tool's, its databases last.
const PARTS: [&str; 4] = ["work", "home", "tmp", "files"];

/// How long backends of a dead tool may go on.
const ZOMBIE_TIMEOUT: Duration = Duration::from_secs(30);

impl<'a> Stage<'a> {
    /// Fresh clones of all databases of the plan, as the dataset has them or as they were at a checkpoint.
    pub(in crate::engine) async fn set(context: &'a Rehearsed<'a>, from: Option<&Checkpoint>) -> Result<Stage<'a>> {
        Stage::build(context, from, context.scenario.own_server).await
    }

    /// The same on servers that nobody else uses, with the databases as the dataset has them.
    pub(in crate::engine) async fn set_alone(context: &'a Rehearsed<'a>) -> Result<Stage<'a>> {
        Stage::build(context, None, true).await
    }

    async fn build(context: &'a Rehearsed<'a>, from: Option<&Checkpoint>, is_alone: bool) -> Result<Stage<'a>> {
        let house = &context.run.house;
        let number = house.next_case();
        let dir = house.case_dir(number)?;
        for path in PARTS.iter().chain(&["logs"]).map(|part| dir.join(part)) {
            fs::create_dir_all(&path).map_err(|error| Error::io("create", &path, error))?;
        }
        let marker = format!("c{number}");
        let own = if is_alone { Own::start(context, &marker).await? } else { Vec::new() };
        let whole = (own.as_slice(), from);
        let holdings = context.plan.targets.iter().map(|target| hold(context, target, whole, number, &dir));
        let holdings = try_join_all(holdings).await?;
        let watch = Watch::over(house, &dir, &holdings).await?;
        let (services, looks) = (Services::of(context.scenario)?, Looks::default());
        Ok(Stage { context, marker, dir, holdings, own, services, looks, standing: std::sync::Mutex::default(), watch })
    }

    pub(in crate::engine) fn folder(&self, part: &str) -> PathBuf {
        self.dir.join(part)
    }

    pub(in crate::engine) fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// What placeholders stand for, without braces: URLs, paths, folders.
    pub(in crate::engine) fn placeholders(&self) -> BTreeMap<String, String> {
        let context = self.context;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut values = BTreeMap::from([
            ("rehearse".to_owned(), text(context.run.house.executable.path())),
            ("dataset".to_owned(), text(&context.dataset_dir)),
            ("fixtures".to_owned(), text(&context.fixtures_dir)),
            ("root".to_owned(), text(&context.root)),
            ("work".to_owned(), text(&self.folder("work"))),
            ("files".to_owned(), text(&self.folder("files"))),
        ]);
        for holding in &self.holdings {
            values.insert(holding.name.clone(), url(holding));
        }
        values.extend(self.services.placeholders());
        values
    }

    /// The proxy of an endpoint.
    pub(in crate::engine) fn proxy(&self, endpoint: &str) -> Option<&Proxy> {
        self.holdings.iter().find(|holding| holding.endpoint == endpoint).and_then(|holding| match &holding.place {
            Place::Postgres { proxy, .. } => Some(proxy),
            Place::Sqlite { .. } => None,
        })
    }

    pub(in crate::engine) fn proxies(&self) -> impl Iterator<Item = (&str, &Proxy)> {
        self.holdings.iter().filter_map(|holding| match &holding.place {
            Place::Postgres { proxy, .. } => Some((holding.endpoint.as_str(), proxy)),
            Place::Sqlite { .. } => None,
        })
    }

    /// What passed the proxies since the last call, and what was done to files.
    pub(in crate::engine) fn take_traces(&self) -> Result<Traces> {
        let mut traces = self.file_traces(&self.take_file_ops()?);
        traces.extend(self.proxies().map(|(endpoint, proxy)| (endpoint.to_owned(), proxy.take_trace())));
        Ok(traces)
    }

    /// The proxies record durable states from now on, each server's for itself; it must be the case's own.
    pub(in crate::engine) fn watch_epochs(&self) {
        for server in self.servers() {
            let epochs = Epochs::default();
            server.proxies.iter().for_each(|proxy| proxy.watch_epochs(epochs.clone()));
        }
    }

    /// Nothing passes any more, so that what a killed tool has reached is well defined.
    pub(in crate::engine) fn freeze(&self) {
        self.proxies().for_each(|(_, proxy)| proxy.freeze());
    }

    /// What was frozen flows on, and nothing is armed any more.
    pub(in crate::engine) fn thaw(&self) {
        self.proxies().for_each(|(_, proxy)| proxy.disarm());
    }

    /// All connections of the tool end, frozen or not.
    pub(in crate::engine) async fn sever(&self) {
        for (_, proxy) in self.proxies() {
            proxy.sever().await;
        }
    }

    /// What faults have left standing.
    pub(in crate::engine) fn standing(&self) -> std::sync::MutexGuard<'_, Vec<Undo>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of a tool: path, length and time of change; the report of `step` itself does not count.
    pub(in crate::engine) fn files(&self, step: &Step) -> Result<BTreeMap<PathBuf, (u64, Option<SystemTime>)>> {
        let own = match &step.claims {
            Claims::Report { report, .. } => Some(self.folder("work").join(report)),
            Claims::None => None,
        };
        let is_own = |path: &Path| own.as_ref().is_some_and(|own| path == own || is_set_aside(path, own));
        let mut files = BTreeMap::new();
        for part in &PARTS[..3] {
            list(&self.folder(part), &mut files)?;
        }
        files.retain(|path, _| !is_own(path));
        Ok(files)
    }

    /// The files of a tool by their paths in the directories of the case, without reports that were set aside.
    pub(in crate::engine) fn file_names(&self) -> Result<BTreeSet<String>> {
        let mut files = BTreeMap::new();
        for part in PARTS {
            list(&self.folder(part), &mut files)?;
        }
        let name = |path: PathBuf| path.strip_prefix(&self.dir).ok().map(|path| path.to_string_lossy().into_owned());
        Ok(files.into_keys().filter_map(name).filter(|name| !name.contains(".before-")).collect())
    }

    /// Keeps what the steps printed, without the password of the run.
    pub(in crate::engine) fn keep_logs(&self, case: &str) -> Result<()> {
        let logs = self.folder("logs");
        let mut names: Vec<PathBuf> = fs::read_dir(&logs)
            .map_err(|error| Error::io("read", &logs, error))?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        names.sort();
        for path in names {
            let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !bytes.is_empty() {
                self.context
                    .run
                    .bundle
                    .write(&format!("cases/{case}/{name}.log"), &limited(&self.context.run.redactor.mask(&bytes)))?;
            }
        }
        Ok(())
    }

    /// Closes what is open, takes the fault away, and `waits` until the servers have noticed; microseconds.
    pub(in crate::engine) async fn heal(&self, waits: bool) -> Result<u64> {
        self.sever().await;
        self.thaw();
        self.disarm_files()?;
        let standing = std::mem::take(&mut *self.standing());
        for undo in standing {
            undo.undo().await?;
        }
        let mut waited_us = 0;
        for server in self.servers().iter().filter(|_| waits) {
            waited_us += server.pool.wait_gone(&server.databases, ZOMBIE_TIMEOUT).await?;
        }
        Ok(waited_us)
    }

    /// Drops everything.
    pub(in crate::engine) async fn clear(mut self) -> Result<()> {
        self.sever().await;
        if self.own.is_empty() {
            self.drop_databases().await?;
        }
        for own in std::mem::take(&mut self.own) {
            own.server.end().await?; // and everything on it
        }
        fs::remove_dir_all(&self.dir).map_err(|error| Error::io("remove", &self.dir, error))
    }
}

/// How a tool gets there: the path of a file, or the URL of a database behind its proxy.
fn url(holding: &Holding) -> String {
    match &holding.place {
        Place::Sqlite { path } => path.to_string_lossy().into_owned(),
        Place::Postgres { pool, database, proxy, .. } => pool.cluster().tool_url(proxy.port(), database.name()),
    }
}

/// Head and tail of what is too long.
fn limited(bytes: &[u8]) -> Vec<u8> {
    let mut capture = Capture::new(CAPTURE_LIMIT);
    capture.push(bytes);
    capture.finish().bytes
}
