//! The connections of a command, opened once and used by all its phases, and the lanes that work side by side: tables
//! go to a lane by their position, never by who is free first, so that each connection speaks the same statements in
//! every run.

use super::Run;
use super::session::Session;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use tokio::task::JoinSet;

/// All connections of a command. A source has one from the start, at home in one lane, and more where other lanes
/// read it too.
pub(super) struct Connections {
    /// To the target, beside those of the lanes: it holds the advisory lock, and no table that fails takes it along.
    pub(super) target: Session,
    lanes: Vec<Lane>,
    /// Bytes of each source.
    weights: BTreeMap<usize, u64>,
    snapshots: Arc<Snapshots>,
}

/// Bytes of a database from which on its tables are read side by side: what is less is copied before a second
/// connection has paid for itself.
const LARGE: u64 = 32 * 1024 * 1024;

/// What is read now: one snapshot for each source, and the target's when it is only read.
#[derive(Debug, Default)]
struct Snapshots {
    phase: &'static str,
    sources: Vec<String>,
    target: Option<String>,
}

impl Connections {
    pub(super) async fn open(run: &Run, target: Session) -> Result<Connections> {
        let lanes = (0..run.options.jobs.max(1)).map(|number| Lane { number, ..Lane::default() }).collect();
        let (weights, snapshots) = (BTreeMap::new(), Arc::default());
        let mut connections = Connections { target, lanes, weights, snapshots };
        for (index, endpoint) in run.layout.sources.iter().enumerate() {
            let session = Session::open(endpoint).await?;
            connections.home(index).sources.insert(index, session);
        }
        Ok(connections)
    }

    /// The first connection to source `index`, and the target's beside the lanes.
    pub(super) fn pair(&mut self, index: usize) -> Result<(&mut Session, &mut Session)> {
        let home = index % self.lanes.len();
        let source =
            self.lanes[home].sources.get_mut(&index).ok_or_else(|| Error::bug("a source without connection"))?;
        Ok((source, &mut self.target))
    }

    /// Asks how large source `index` is, which decides whether one lane reads it or all.
    pub(super) async fn weigh(&mut self, index: usize, step: &str) -> Result<()> {
        let size = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())::text";
        let bytes = self.pair(index)?.0.number(step, size).await?;
        self.weights.insert(index, bytes);
        Ok(())
    }

    /// The sources of at least so many bytes.
    pub(super) fn of_weight(&self, bytes: u64) -> BTreeSet<usize> {
        self.weights.iter().filter(|(_, weight)| **weight >= bytes).map(|(source, _)| *source).collect()
    }

    /// From here on all sides are read as they are now, on all connections.
    pub(super) async fn take_snapshots(&mut self, run: &Run, phase: &'static str) -> Result<()> {
        let mut sources = Vec::new();
        for (index, endpoint) in run.layout.sources.iter().enumerate() {
            sources.push(self.pair(index)?.0.take_snapshot(&format!("{phase} {} snapshot", endpoint.name)).await?);
        }
        let target = Some(self.target.take_snapshot(&format!("{phase} target snapshot")).await?);
        self.snapshots = Arc::new(Snapshots { phase, sources, target });
        Ok(())
    }

    /// From here on the target is written: its snapshot must not hold back what TRUNCATE leaves.
    pub(super) async fn write_target(&mut self, phase: &'static str) -> Result<()> {
        self.target.leave_snapshot(&format!("{phase} target begins")).await?;
        let sources = self.snapshots.sources.clone();
        self.snapshots = Arc::new(Snapshots { phase, sources, target: None });
        Ok(())
    }

    /// Does `work` on all of `tables`. A lane stops at its first error, the others finish theirs; the first error in
    /// the order of the lanes is returned.
    pub(super) async fn each<W>(&mut self, run: &Run, tables: &[usize], work: W) -> Result<()>
    where
        W: for<'l> Fn(&'l mut Lane, usize) -> Work<'l> + Clone + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        let source = |table: usize| run.layout.jobs[table].source;
        let shares = shares(
            &tables.iter().map(|table| (*table, source(*table))).collect::<Vec<_>>(),
            &self.of_weight(LARGE),
            self.lanes.len(),
        );
        for (mut lane, mine) in std::mem::take(&mut self.lanes).into_iter().zip(shares) {
            let work = work.clone();
            lane.snapshots = Arc::clone(&self.snapshots);
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

    /// Says goodbye on all connections, so that no server log speaks of a lost client.
    pub(super) async fn close(self) {
        for lane in self.lanes {
            for session in lane.sources.into_values().chain(lane.target) {
                session.close().await;
            }
        }
        self.target.close().await;
    }

    fn home(&mut self, source: usize) -> &mut Lane {
        let home = source % self.lanes.len();
        &mut self.lanes[home]
    }

    async fn gather(&mut self, mut tasks: JoinSet<(Lane, Result<()>)>) -> Result<()> {
        let mut ended = Vec::new();
        while let Some(task) = tasks.join_next().await {
            ended.push(task.map_err(|e| Error::bug("a lane ended badly").caused_by(e))?);
        }
        ended.sort_by_key(|(lane, _)| lane.number);
        let (lanes, results): (Vec<Lane>, Vec<Result<()>>) = ended.into_iter().unzip();
        self.lanes = lanes;
        results.into_iter().collect()
    }
}

/// The tables of each lane, from pairs of a table and its source: those of a source stay at its home, those of a large
/// one go round from there.
fn shares(tables: &[(usize, usize)], large: &BTreeSet<usize>, lanes: usize) -> Vec<Vec<usize>> {
    let mut rounds: BTreeMap<usize, usize> = BTreeMap::new();
    let mut shares = vec![Vec::new(); lanes];
    for (table, source) in tables {
        let round = rounds.entry(*source).or_default();
        shares[(source + *round) % lanes].push(*table);
        *round += usize::from(large.contains(source));
    }
    shares
}

/// One of the parallel workers and its connections; those it was not given are opened when they are first needed.
#[derive(Default)]
pub(super) struct Lane {
    number: usize,
    snapshots: Arc<Snapshots>,
    target: Option<Session>,
    sources: BTreeMap<usize, Session>,
}

/// What a lane does with one table.
pub(super) type Work<'l> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'l>>;

impl Lane {
    /// The connection to source `index`, in its snapshot, and the one to the target.
    pub(super) async fn sessions(&mut self, run: &Run, index: usize) -> Result<(&mut Session, &mut Session)> {
        let Lane { number, snapshots, target, sources } = self;
        let step = |what: &str| format!("{} {what} lane {number} snapshot", snapshots.phase);
        let target = match target {
            Some(target) => target,
            None => target.insert(Session::open(&run.layout.target).await?),
        };
        if let Some(id) = &snapshots.target {
            target.join_snapshot(&step("target"), id).await?;
        }
        let endpoint = &run.layout.sources[index];
        let source = match sources.entry(index) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => new.insert(Session::open(endpoint).await?),
        };
        source.join_snapshot(&step(&endpoint.name), &snapshots.sources[index]).await?;
        Ok((source, target))
    }

    /// Drops the connection to the target, where the server rolls back.
    pub(super) fn drop_target(&mut self) {
        self.target = None;
    }

    /// Whether source `index` can be read once more: its snapshot does not survive an error of its own.
    pub(super) async fn still_reads(&mut self, index: usize) -> bool {
        match self.sources.get_mut(&index) {
            Some(source) => source.number("source again", "SELECT 1::text").await.is_ok(),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three tables of each of two sources.
    const TABLES: [(usize, usize); 6] = [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)];

    #[test]
    fn a_small_source_is_read_by_one_lane() {
        assert_eq!(shares(&TABLES, &BTreeSet::new(), 2), [vec![0, 1, 2], vec![3, 4, 5]]);
    }

    #[test]
    fn a_large_source_is_read_by_all_lanes() {
        assert_eq!(shares(&TABLES, &BTreeSet::from([0]), 2), [vec![0, 2], vec![1, 3, 4, 5]]);
    }
}
