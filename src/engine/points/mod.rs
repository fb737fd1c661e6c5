//! From what the golden runs recorded to the points that are visited. Pure.
//!
//! A point is named by the fingerprint of its statement and by its occurrence, never by its number in the whole run:
//! the order across connections differs from run to run, the multiset of statements does not. Connections have no
//! statement and are numbered, and so are operations on files. Which of many equal points are visited is said by the fault ([`Fault::visits`]).
//!
//! ```text
//! beginning  points of kinds that strike when a step begins
//! epochs     which points leave one durable state
//! files      points of files, which are named by their number
//! pairs      compound faults: points of the way out
//! select     the points that somebody names
//! tier       how many of them there are to be
//! ```

pub(in crate::engine) mod beginning;
pub(in crate::engine) mod epochs;
pub(in crate::engine) mod files;
pub(in crate::engine) mod pairs;
pub(in crate::engine) mod select;
mod tier;

pub use tier::Tier;

use crate::engine::files::has_halves;
use crate::engine::points::epochs::Durable;
use crate::engine::points::files::Done;
use crate::engine::proxy::Trace;
use crate::fault::{Fault, Visits};
use crate::model::canonical;
use crate::model::{At, Axis, Coverage, FaultPoint, FaultSpec, Fingerprint, Place};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What the golden run recorded during one step, by endpoint.
pub type Traces = BTreeMap<String, Trace>;

/// How often each thing was counted, by endpoint, axis and fingerprint, with the label of its first occurrence.
pub(in crate::engine) type Counts = BTreeMap<(String, Axis, Option<Fingerprint>), (u32, String)>;

/// The points of a fault, and which of them are visited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Points {
    /// How many there are.
    pub coverage: Coverage,
    /// Those that are visited, sorted by address, each with the statement there for people.
    pub visited: Vec<(FaultPoint, String)>,
}

/// Of a statement that occurs often, or a stream of bytes.
const FEW: u32 = 64;

/// What two golden runs have in common, and whether that is everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    counts: Counts,
    /// How many points of each axis only one of them has.
    lost: BTreeMap<Axis, u64>,
    /// The durable states, if they were recorded.
    durable: Option<Durable>,
    /// What the first one came by, in order, by endpoint.
    order: BTreeMap<String, Vec<(Axis, Option<Fingerprint>)>>,
    /// What the first one did to files.
    files: Done,
}

impl Recorded {
    /// Compares two recordings of the same step; what only one of them has is no point.
    pub fn of(first: &Traces, second: &Traces) -> Recorded {
        let order = |trace: &Trace| trace.points.iter().map(|point| (point.axis, point.fingerprint)).collect();
        let order = first.iter().map(|(endpoint, trace)| (endpoint.clone(), order(trace))).collect();
        let files = Done::of(first);
        let (first, second) = (count(first), count(second));
        let times = |counts: &Counts, key| counts.get(key).map_or(0, |(times, _)| *times);
        let mut lost = BTreeMap::new();
        let keys = first.keys().chain(second.keys()).filter(|(_, axis, _)| !is_streamed(*axis));
        for key in keys.collect::<BTreeSet<_>>() {
            let differing = times(&first, key).abs_diff(times(&second, key));
            *lost.entry(key.1).or_default() += u64::from(differing);
        }
        let common = first.into_iter().filter_map(|(key, (times, label))| {
            let (again, _) = second.get(&key)?;
            Some((key, (times.min(*again), label)))
        });
        Recorded { counts: common.collect(), lost, durable: None, order, files }
    }

    /// Adds what a recording alone in its cluster shows: which commits left something durable.
    pub fn with_epochs(self, alone: &Traces) -> Recorded {
        Recorded { durable: Some(Durable::of(alone)), ..self }
    }

    /// Whether both recorded the same multiset.
    pub fn is_stable(&self) -> bool {
        self.lost.values().all(|lost| *lost == 0)
    }

    /// Eight digits of the digest of the multiset.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for ((endpoint, axis, fingerprint), (times, _)) in
            self.counts.iter().filter(|((_, axis, _), _)| !is_streamed(*axis))
        {
            let fingerprint = fingerprint.map_or(String::new(), |fingerprint| fingerprint.to_string());
            hash.update(format!("{endpoint} {} {fingerprint} {times}\n", axis.name()));
        }
        canonical::hex(&hash.finalize()[..4])
    }

    /// The same place by its statement, where it is named by its number in the whole step.
    pub fn by_statement(&self, place: &Place) -> Place {
        let along = self.order.get(&place.endpoint).into_iter().flatten().filter(|(axis, _)| *axis == place.axis);
        let along: Vec<Option<Fingerprint>> = along.map(|(_, fingerprint)| *fingerprint).collect();
        let index = place.nth as usize - 1;
        let fingerprint = along.get(index).copied().flatten().filter(|_| place.fingerprint.is_none());
        match fingerprint {
            None => place.clone(),
            Some(_) => {
                let same = along[..=index].iter().filter(|found| **found == fingerprint).count();
                Place { fingerprint, nth: u32::try_from(same).unwrap_or(u32::MAX), ..place.clone() }
            }
        }
    }

    /// The places of an axis of an endpoint: of each statement the first few.
    pub fn places(&self, endpoint: &str, axis: Axis) -> Vec<Place> {
        let own = self.counts.iter().filter(|((of, on, _), _)| of == endpoint && *on == axis);
        own.flat_map(|((_, _, fingerprint), (times, _))| {
            (1..=(*times).min(FEW)).map(|nth| Place {
                endpoint: endpoint.to_owned(),
                axis,
                fingerprint: *fingerprint,
                nth,
                forever: false,
            })
        })
        .collect()
    }

    /// How often the golden run came by at places that differ from this one in their number only.
    pub fn times(&self, place: &Place) -> u32 {
        let key = (place.endpoint.clone(), place.axis, place.fingerprint);
        self.counts.get(&key).map_or(0, |(times, _)| *times)
    }

    /// The statement at a place, for people, if the golden run came by there.
    pub fn label(&self, place: &Place) -> Option<&str> {
        let key = (place.endpoint.clone(), place.axis, place.fingerprint);
        self.files.label(place).or_else(|| self.counts.get(&key).map(|(_, label)| label.as_str()))
    }

    /// The points of `fault`, which is of `kind`; the quick tier visits at most `sample` of them.
    pub fn points(&self, fault: &FaultSpec, kind: &dyn Fault, tier: Tier, seed: u64, sample: usize) -> Points {
        let axes = files::swept(kind).filter(|axis| *axis != Axis::Byte || tier == Tier::Nightly).collect::<Vec<_>>();
        let point = |place: Place| FaultPoint { kind: fault.kind.clone(), arg: fault.arg.clone(), place };
        if let At::Place(place) = &fault.at {
            let label = self.label(place).unwrap_or_default().to_owned();
            let coverage = Coverage { points: 1, classes: 1, visited: 1, lost: 0 };
            return Points { coverage, visited: vec![(point(place.clone()), label)] };
        }
        let counted: Vec<_> = self.counts.iter().filter(|((_, axis, _), _)| axes.contains(axis)).collect();
        let lost = axes.iter().filter_map(|axis| self.lost.get(axis)).sum();
        let all = counted.iter().map(|(_, (times, _))| u64::from(*times)).sum::<u64>() + lost;
        let durable = self.durable.as_ref().filter(|_| tier == Tier::Full && kind.needs_one_point_per_epoch());
        let classes: Vec<(FaultPoint, String)> = counted
            .into_iter()
            .flat_map(|((endpoint, axis, fingerprint), (times, label))| {
                let place = |nth| Place {
                    endpoint: endpoint.clone(),
                    axis: *axis,
                    fingerprint: *fingerprint,
                    nth,
                    forever: fault.at == At::SweepOn,
                };
                let nths = match durable {
                    Some(durable) => durable.occurrences(&self.counts, (endpoint, *axis, *fingerprint), *times),
                    None => occurrences(kind.visits(*axis), *axis, *times, tier),
                };
                nths.into_iter().map(move |nth| (place(nth), label))
            })
            .map(|(place, label)| (point(place.clone()), self.files.label(&place).unwrap_or(label).to_owned()))
            .collect();
        let number = classes.len();
        let strikes = |(_, label): &(FaultPoint, String)| !kind.needs_halves() || has_halves(label);
        let classes: Vec<_> = classes.into_iter().filter(strikes).collect();
        let all = all - (number - classes.len()) as u64;
        let coverage = Coverage { points: all, classes: classes.len() as u64, visited: 0, lost };
        let visited = if tier == Tier::Quick { spread(classes, sample, seed) } else { classes };
        Points { coverage: Coverage { visited: visited.len() as u64, ..coverage }, visited }
    }
}

/// What one statement has many of, however the tool or the network cuts its stream. Two recordings may differ in how
/// many: that is the same stream, with the same first, middle and last.
fn is_streamed(axis: Axis) -> bool {
    matches!(axis, Axis::Copyin | Axis::Copyout | Axis::Byte)
}

fn count(traces: &Traces) -> Counts {
    let mut counts = Counts::new();
    for (endpoint, trace) in traces {
        for point in &trace.points {
            let key = (endpoint.clone(), point.axis, point.fingerprint);
            counts.entry(key).or_insert_with(|| (0, point.label.to_string())).0 += 1;
        }
        for ((axis, fingerprint), tally) in &trace.counts {
            let times = u32::try_from(tally.times).unwrap_or(u32::MAX);
            counts.insert((endpoint.clone(), *axis, *fingerprint), (times, tally.label.to_string()));
        }
    }
    counts
}

/// The nightly tier visits all. Of the bytes it takes the first two, the first after a header, the middle and the last.
fn occurrences(visits: Visits, axis: Axis, times: u32, tier: Tier) -> Vec<u32> {
    match (tier, axis) {
        (Tier::Nightly, Axis::Byte) => {
            let mut bytes = Visits::Ends.pick(times);
            bytes.extend([6].iter().filter(|nth| **nth < times));
            bytes.sort_unstable();
            bytes.dedup();
            bytes
        }
        (Tier::Nightly, _) => Visits::Every.pick(times),
        _ => visits.pick(times),
    }
}

/// How many points of all its faults together the quick tier visits in a scenario, but at least one of each.
const SAMPLE: usize = 12;

/// How many points of one of so many faults the quick tier visits.
pub(in crate::engine) fn sample(faults: usize) -> usize {
    (SAMPLE / faults.max(2)).max(1)
}

/// One of each of `number` equal parts, which one depends on the seed.
pub(in crate::engine) fn spread<T: Clone>(all: Vec<T>, number: usize, seed: u64) -> Vec<T> {
    if all.len() <= number {
        return all;
    }
    let part = |index: usize| index * all.len() / number..(index + 1) * all.len() / number;
    let pick = |range: std::ops::Range<usize>| {
        let mixed = seed.wrapping_add(range.start as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        all[range.start + (mixed as usize) % range.len()].clone()
    };
    (0..number).map(part).map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::proxy::{Point, Tally};
    use crate::fault;

    fn traces(statements: &[&str]) -> Traces {
        let point = |sql: &&str| Point {
            conn: 1,
            axis: Axis::Stmt,
            fingerprint: Some(Fingerprint::of(sql)),
            label: (*sql).into(),
        };
        Traces::from([(
            "pg.target".to_owned(),
            Trace { points: statements.iter().map(point).collect(), ..Trace::default() },
        )])
    }

    fn points(recorded: &Recorded, kind: &str, at: At, tier: Tier) -> Points {
        recorded.points(&fault(kind, at), fault::find(kind).unwrap(), tier, 1, 6)
    }

    fn fault(kind: &str, at: At) -> FaultSpec {
        FaultSpec { kind: kind.into(), arg: None, during: "run".into(), at, then: None }
    }

    #[test]
    fn another_order_is_the_same_recording() {
        let (first, second) = (traces(&["a", "b", "a"]), traces(&["b", "a", "a"]));
        let recorded = Recorded::of(&first, &second);
        assert!(recorded.is_stable());
        assert_eq!(recorded.digest(), Recorded::of(&second, &first).digest());
    }

    #[test]
    fn the_name_of_a_database_makes_no_other_recording() {
        let with_label = |label: &str| {
            let point = Point { conn: 1, axis: Axis::Conn, fingerprint: None, label: label.into() };
            Traces::from([("pg.target".to_owned(), Trace { points: vec![point], ..Trace::default() })])
        };
        assert!(Recorded::of(&with_label("database c1_target"), &with_label("database c2_target")).is_stable());
    }

    #[test]
    fn what_only_one_recording_has_is_no_point() {
        let recorded = Recorded::of(&traces(&["a", "a", "b"]), &traces(&["a", "c"]));
        assert!(!recorded.is_stable());
        let points = points(&recorded, "proc.kill", At::Sweep, Tier::Full);
        assert_eq!(points.visited.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_kill_visits_every_occurrence_and_a_reset_first_second_middle_and_last() {
        let statements = vec!["a"; 9];
        let recorded = Recorded::of(&traces(&statements), &traces(&statements));
        let nths = |kind: &str, tier| -> Vec<u32> {
            let points = points(&recorded, kind, At::Sweep, tier);
            assert_eq!(points.coverage.points, 9);
            points.visited.iter().map(|(point, _)| point.place.nth).collect()
        };
        assert_eq!(nths("proc.kill", Tier::Full), (1..=9).collect::<Vec<_>>());
        assert_eq!(nths("net.reset", Tier::Full), [1, 2, 5, 9]);
        assert_eq!(nths("net.reset", Tier::Nightly), (1..=9).collect::<Vec<_>>());
        assert_eq!(nths("proc.kill", Tier::Quick).len(), 6);
    }

    /// A COPY of so many messages and bytes.
    fn copied(messages: u64, bytes: u64) -> Traces {
        let mut traces = traces(&["copy"]);
        let trace = traces.get_mut("pg.target").unwrap();
        for (axis, times) in [(Axis::Copyin, messages), (Axis::Byte, bytes)] {
            trace.counts.insert((axis, Some(Fingerprint::of("copy"))), Tally { times, label: "copy".into() });
        }
        traces
    }

    #[test]
    fn a_stream_that_is_cut_another_way_is_the_same_recording() {
        let recorded = Recorded::of(&copied(1000, 9000), &copied(900, 8000));
        assert!(recorded.is_stable());
        assert_eq!(recorded.digest(), Recorded::of(&copied(7, 9), &copied(7, 9)).digest());
        let points = points(&recorded, "net.reset", At::Sweep, Tier::Full);
        assert_eq!((points.coverage.points, points.coverage.classes, points.coverage.lost), (901, 4, 0));
        let nths: Vec<u32> = points.visited.iter().map(|(point, _)| point.place.nth).collect();
        assert_eq!(nths, [1, 1, 450, 900]);
    }

    #[test]
    fn bytes_are_struck_in_the_nightly_tier_and_a_few_stand_for_all() {
        let recorded = Recorded::of(&copied(1, 9000), &copied(1, 9000));
        let points = points(&recorded, "net.reset", At::Sweep, Tier::Nightly);
        assert_eq!(points.coverage.points, 9002);
        let bytes = points.visited.iter().filter(|(point, _)| point.place.axis == Axis::Byte);
        assert_eq!(bytes.map(|(point, _)| point.place.nth).collect::<Vec<_>>(), [1, 2, 6, 4500, 9000]);
    }

    #[test]
    fn a_number_in_the_whole_step_is_an_occurrence_of_a_statement() {
        let recorded = Recorded::of(&traces(&["a", "b", "a"]), &traces(&["a", "b", "a"]));
        let place = |text: &str| text.parse::<Place>().unwrap();
        let a = Fingerprint::of("a");
        let named = place(&format!("pg.target:stmt-{a}.2"));
        assert_eq!(recorded.by_statement(&place("pg.target:stmt.3")), named);
        assert_eq!(recorded.by_statement(&named), named);
        assert_eq!(recorded.by_statement(&place("pg.target:stmt.4")), place("pg.target:stmt.4"));
    }

    #[test]
    fn a_place_is_visited_also_where_the_golden_run_never_was() {
        let recorded = Recorded::of(&traces(&["a"]), &traces(&["a"]));
        let place: Place = "pg.target:stmt.9".parse().unwrap();
        let points = points(&recorded, "proc.kill", At::Place(place.clone()), Tier::Full);
        assert_eq!(points.visited[0].0.place, place);
    }
}
