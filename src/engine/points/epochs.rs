//! Durable states: which points leave a database in states that differ, when all that matters is what is durable.
//!
//! Between two commits that left something in the server's log, whatever is killed is rolled back: all points there
//! leave one state, and one stands for them. That one is the commit itself, held before the tool learns of it: so it is
//! named by its statement and struck by counting that statement, which needs no look at the log. Not equal, and so
//! visited besides:
//! - the very beginning;
//! - what was executed inside a transaction (`ack`), for a sequence that has moved on stays where it is: the first,
//!   the second, the middle one and the last of each statement.
//!
//! The log belongs to the whole cluster. So this is recorded in one more uninjured run, alone on a server, and only
//! where the step wrote no file: a file is durable too.

use crate::engine::points::{Counts, Tier, Traces};
use crate::engine::run::context::Rehearsed;
use crate::engine::run::golden::Golden;
use crate::engine::run::rehearsal::Options;
use crate::fault::Visits;
use crate::model::{Axis, Engine, Fingerprint};
use crate::target::Capability;
use std::collections::{BTreeMap, BTreeSet};

/// The commits that left something durable: the how-manieth of a statement, by endpoint and statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct Durable(BTreeMap<(String, Option<Fingerprint>), BTreeSet<u32>>);

impl Durable {
    /// Reads a recording in which epochs were watched.
    pub(in crate::engine) fn of(alone: &Traces) -> Durable {
        let mut durable = Durable::default();
        for (endpoint, trace) in alone {
            let mut commits: BTreeMap<Option<Fingerprint>, u32> = BTreeMap::new();
            for point in &trace.points {
                let count = commits.entry(point.fingerprint).or_default();
                match point.axis {
                    Axis::Commit => *count += 1,
                    Axis::Epoch => {
                        durable.0.entry((endpoint.clone(), point.fingerprint)).or_default().insert(*count);
                    }
                    _ => {}
                }
            }
        }
        durable
    }

    /// Which of `times` equal points are visited.
    pub(in crate::engine) fn occurrences(
        &self,
        counts: &Counts,
        (endpoint, axis, fingerprint): (&String, Axis, Option<Fingerprint>),
        times: u32,
    ) -> Vec<u32> {
        let times_of = |axis| counts.get(&(endpoint.clone(), axis, fingerprint)).map_or(0, |(times, _)| *times);
        match axis {
            Axis::Conn => Visits::First.pick(times),
            Axis::Commit => {
                let commits = self.0.get(&(endpoint.clone(), fingerprint)).into_iter().flatten();
                commits.copied().filter(|nth| *nth <= times).collect()
            }
            // Acknowledged inside a transaction: there are more of them than commits of this statement.
            Axis::Ack if times > times_of(Axis::Commit) => Visits::Ends.pick(times),
            _ => Vec::new(),
        }
    }
}

/// Whether the run alone is worth it: the full tier sweeps a fault that visits one point of each durable state.
pub(in crate::engine) fn are_wanted(context: &Rehearsed<'_>, golden: &Golden, options: &Options) -> bool {
    let is_postgres = context.plan.targets.iter().all(|target| target.engine == Engine::Postgres);
    let kind = |name: &str| context.run.registry.fault(name);
    let mut faults = context.scenario.faults.iter().filter(|fault| options.wants(fault) && fault.at.is_sweep());
    options.tier == Tier::Full
        && options.only.is_none()
        && options.hunt.is_none()
        && is_postgres
        && context.run.house.can(context.plan, Capability::OwnServer)
        && faults.any(|fault| {
            kind(&fault.kind).is_some_and(|kind| kind.needs_one_point_per_epoch()) && can_be_told(golden, &fault.during)
        })
}

/// Whether all that is durable of a step is in the log: it wrote no file.
pub(in crate::engine) fn can_be_told(golden: &Golden, step: &str) -> bool {
    [&golden.first, &golden.second].iter().all(|recording| recording.leaves_files.contains(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::proxy::{Point, Trace};

    const RUN: [(Axis, &str); 12] = [
        (Axis::Conn, ""),
        (Axis::Stmt, "read"),
        (Axis::Ack, "read"),
        (Axis::Commit, "read"),
        (Axis::Ack, "write"),
        (Axis::Commit, "write"),
        (Axis::Epoch, "write"),
        (Axis::Ack, "write"),
        (Axis::Commit, "write"),
        (Axis::Ack, "begin"),
        (Axis::Commit, "commit"),
        (Axis::Epoch, "commit"),
    ];

    fn fingerprint(sql: &str) -> Option<Fingerprint> {
        Some(sql).filter(|sql| !sql.is_empty()).map(Fingerprint::of)
    }

    fn recorded() -> (Durable, Counts) {
        let point = |(axis, sql): &(Axis, &str)| Point {
            conn: 1,
            axis: *axis,
            fingerprint: fingerprint(sql),
            label: (*sql).into(),
        };
        let trace = Trace { points: RUN.iter().map(point).collect(), ..Trace::default() };
        let mut counts = Counts::new();
        for (axis, sql) in RUN {
            counts.entry(("pg.target".to_owned(), axis, fingerprint(sql))).or_default().0 += 1;
        }
        (Durable::of(&Traces::from([("pg.target".to_owned(), trace)])), counts)
    }

    #[test]
    fn one_point_stands_for_each_durable_state_and_what_is_not_equal_is_visited_besides() {
        let (durable, counts) = recorded();
        let endpoint = "pg.target".to_owned();
        let nths = |axis, sql| {
            let times = counts.get(&(endpoint.clone(), axis, fingerprint(sql))).map_or(0, |(times, _)| *times);
            durable.occurrences(&counts, (&endpoint, axis, fingerprint(sql)), times)
        };
        assert_eq!(nths(Axis::Conn, ""), [1]);
        assert_eq!(nths(Axis::Stmt, "read"), [0; 0]);
        assert_eq!(nths(Axis::Ack, "read"), [0; 0]);
        assert_eq!(nths(Axis::Commit, "read"), [0; 0]);
        assert_eq!(nths(Axis::Commit, "write"), [1], "the second one changed nothing");
        assert_eq!(nths(Axis::Ack, "begin"), [1], "inside a transaction");
        assert_eq!(nths(Axis::Commit, "commit"), [1]);
        assert_eq!(nths(Axis::Epoch, "commit"), [0; 0], "it is visited as the commit that it is");
    }
}
