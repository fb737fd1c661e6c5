//! Snapshots that several connections share, and lanes: tables go to a lane by their position, never by who is
//! free first, so that each connection speaks the same statements in every run.

use super::session::{Endpoint, Session};
use super::{Run, catalog};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use tokio::task::JoinSet;

/// A read-only snapshot of a database; it lives as long as its connection.
pub(super) struct Snapshot {
    pub(super) session: Session,
    pub(super) id: String,
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Snapshot {
    pub(super) async fn take(endpoint: &Endpoint, label: &str) -> Result<Snapshot> {
        let mut session = Session::open(endpoint).await?;
        session.execute(&format!("{label} snapshot begin"), BEGIN).await?;
        let rows = session.rows(&format!("{label} snapshot"), "SELECT pg_catalog.pg_export_snapshot()").await?;
        let id = rows.into_iter().flatten().next().flatten().ok_or_else(|| Error::bug("a snapshot without a name"))?;
        Ok(Snapshot { session, id })
    }

    async fn join(endpoint: &Endpoint, id: &str, label: &str) -> Result<Session> {
        let mut session = Session::open(endpoint).await?;
        session.execute(&format!("{label} begin"), BEGIN).await?;
        let sql = format!("SET TRANSACTION SNAPSHOT {}", catalog::literal(id));
        let gone =
            |e| Error::environment(format!("the snapshot of {} is gone; run again", endpoint.place())).caused_by(e);
        session.execute(&format!("{label} join snapshot"), &sql).await.map_err(gone)?;
        Ok(session)
    }

    /// Ends snapshots in peace, so that no server log speaks of a lost client.
    pub(super) async fn close(snapshots: Vec<Snapshot>) {
        for snapshot in snapshots {
            snapshot.session.close().await;
        }
    }
}

/// The names of the snapshots to join: one for each source, and the target's when it is read.
#[derive(Debug, Clone, Default)]
pub(super) struct SnapshotIds {
    pub(super) phase: &'static str,
    pub(super) sources: Vec<String>,
    pub(super) target: Option<String>,
}

/// One of the parallel workers and its connections, opened when they are first needed.
pub(super) struct Lane {
    number: usize,
    ids: Arc<SnapshotIds>,
    target: Option<Session>,
    sources: BTreeMap<usize, Session>,
}

impl Lane {
    fn new(number: usize, ids: &Arc<SnapshotIds>) -> Lane {
        Lane { number, ids: Arc::clone(ids), target: None, sources: BTreeMap::new() }
    }

    /// The connection to source `index`, in its snapshot, and the one to the target.
    pub(super) async fn sessions(&mut self, run: &Run, index: usize) -> Result<(&mut Session, &mut Session)> {
        let label = |what: &str| format!("{} {what} lane {}", self.ids.phase, self.number);
        if self.target.is_none() {
            let endpoint = &run.layout.target;
            self.target = Some(match &self.ids.target {
                Some(id) => Snapshot::join(endpoint, id, &label("target")).await?,
                None => Session::open(endpoint).await?,
            });
        }
        if !self.sources.contains_key(&index) {
            let endpoint = &run.layout.sources[index];
            let session = Snapshot::join(endpoint, &self.ids.sources[index], &label(&endpoint.name)).await?;
            self.sources.insert(index, session);
        }
        match (self.sources.get_mut(&index), &mut self.target) {
            (Some(source), Some(target)) => Ok((source, target)),
            _ => Err(Error::bug("a lane without its connections")),
        }
    }

    /// Drops all connections: after an error nobody knows what is still on them. The servers roll back.
    pub(super) fn reset(&mut self) {
        self.target = None;
        self.sources.clear();
    }
}

/// What a lane does with one table.
pub(super) type Work<'l> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'l>>;

/// The lanes of one phase.
pub(super) struct Lanes(Vec<Lane>);

impl Lanes {
    pub(super) fn new(run: &Run, ids: SnapshotIds) -> Lanes {
        let ids = Arc::new(ids);
        Lanes((0..run.options.jobs.max(1)).map(|number| Lane::new(number, &ids)).collect())
    }

    /// Does `work` on all of `tables`. A lane stops at its first error, the others finish theirs; the first error in
    /// the order of the lanes is returned.
    pub(super) async fn each<W>(&mut self, tables: &[usize], work: W) -> Result<()>
    where
        W: for<'l> Fn(&'l mut Lane, usize) -> Work<'l> + Clone + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        let count = self.0.len();
        for (number, mut lane) in std::mem::take(&mut self.0).into_iter().enumerate() {
            let mine: Vec<usize> = tables.iter().copied().skip(number).step_by(count).collect();
            let work = work.clone();
            tasks.spawn(async move {
                for table in mine {
                    if let Err(error) = work(&mut lane, table).await {
                        return (lane, Err(error));
                    }
                }
                (lane, Ok(()))
            });
        }
        self.gather(tasks).await
    }

    /// Says goodbye on all connections.
    pub(super) async fn close(self) {
        for lane in self.0 {
            for session in lane.sources.into_values().chain(lane.target) {
                session.close().await;
            }
        }
    }

    async fn gather(&mut self, mut tasks: JoinSet<(Lane, Result<()>)>) -> Result<()> {
        let mut ended = Vec::new();
        while let Some(task) = tasks.join_next().await {
            ended.push(task.map_err(|e| Error::bug("a lane ended badly").caused_by(e))?);
        }
        ended.sort_by_key(|(lane, _)| lane.number);
        let (lanes, results): (Vec<Lane>, Vec<Result<()>>) = ended.into_iter().unzip();
        self.0 = lanes;
        results.into_iter().collect()
    }
}
