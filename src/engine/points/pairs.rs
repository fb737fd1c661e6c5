//! Compound faults: the second one strikes the way out of the first. Pure.
//!
//! The points of a way out are those of the way out itself, recorded when the first fault struck alone: after a fault a
//! tool may do something else than in the golden run.

use crate::engine::case::way_out::Taken;
use crate::engine::{Recorded, Tier, Traces};
use crate::fault::Fault;
use crate::model::{Address, At, Coverage, FaultPoint, FaultSpec, Place, Then};

/// A case of a single fault that was run: its address, the statement there for people, the way out that was taken.
pub(in crate::engine) struct Single {
    pub(in crate::engine) address: Address,
    pub(in crate::engine) label: String,
    pub(in crate::engine) taken: Taken,
}

/// How many pairs of a fault are visited, drawn by the seed of the scenario.
pub(in crate::engine) const SAMPLE: usize = 48;

/// The address of a fault with the one place at which its second fault strikes, if it has one.
pub(in crate::engine) fn chained(fault: &FaultSpec, first: FaultPoint) -> Address {
    match &fault.then {
        Some(Then { kind, arg, at: At::Place(place), .. }) => {
            Address::one(first).then(FaultPoint { kind: kind.clone(), arg: arg.clone(), place: place.clone() })
        }
        _ => Address::one(first),
    }
}

/// The kinds of the cases of a fault as they are counted: `proc.kill,net.reset` where each has both.
pub(in crate::engine) fn kinds(fault: &FaultSpec) -> String {
    match &fault.then {
        Some(Then { kind, at: At::Place(_), .. }) => format!("{},{kind}", fault.kind),
        _ => fault.name(),
    }
}

/// All pairs whose first fault was seen to need a way out, and the sample of them that is visited.
pub(in crate::engine) fn pairs(
    singles: &[Single],
    then: &Then,
    kind: &dyn Fault,
    seed: u64,
) -> (Coverage, Vec<(Address, String)>) {
    let all: Vec<(Address, String)> = singles.iter().flat_map(|single| of_single(single, then, kind)).collect();
    let points = all.len() as u64;
    let visited = crate::engine::points::spread(all, SAMPLE, seed);
    (Coverage { points, classes: points, visited: visited.len() as u64, lost: 0 }, visited)
}

fn of_single(single: &Single, then: &Then, kind: &dyn Fault) -> Vec<(Address, String)> {
    let is_struck = |(step, _): &&(String, Traces)| then.during.as_ref().is_none_or(|during| during == step);
    let Some((step, traces)) = single.taken.iter().find(is_struck) else { return Vec::new() };
    let (name, arg) = (then.kind.clone(), then.arg.clone());
    let spec = FaultSpec { kind: name, arg, during: step.clone(), at: then.at.clone(), then: None };
    let points = Recorded::of(traces, traces).points(&spec, kind, Tier::Nightly, 0, SAMPLE);
    let pair =
        |(point, label): (FaultPoint, String)| (single.address.then(point), format!("{}; then {label}", single.label));
    points.visited.into_iter().map(pair).collect()
}

/// A kind that is to strike, with its argument and where.
pub(in crate::engine) struct Meant<'a> {
    pub(in crate::engine) kind: &'a str,
    pub(in crate::engine) arg: Option<&'a str>,
    /// Nothing where it sweeps.
    pub(in crate::engine) place: Option<&'a Place>,
}

/// What a fault says that is to strike: itself, and the second one.
pub(in crate::engine) fn meant(fault: &FaultSpec) -> impl Iterator<Item = Meant<'_>> {
    let first = std::iter::once((&fault.kind, &fault.arg, &fault.at));
    let second = fault.then.iter().map(|then| (&then.kind, &then.arg, &then.at));
    first.chain(second).map(|(kind, arg, at)| {
        let place = match at {
            At::Place(place) => Some(place),
            At::Sweep | At::SweepOn => None,
        };
        Meant { kind, arg: arg.as_deref(), place }
    })
}

/// Whether a fault strikes the files of a server, which then must be the case's own.
pub(in crate::engine) fn strike_server_files(fault: &FaultSpec) -> bool {
    meant(fault).filter_map(|meant| meant.place).any(Place::is_of_server_files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::proxy::{Point, Trace};
    use crate::model::Axis;

    fn taken(steps: &[(&str, u32)]) -> Taken {
        let point = || Point { conn: 1, axis: Axis::Commit, fingerprint: None, label: "COMMIT".into() };
        let trace = |times: u32| Trace { points: (0..times).map(|_| point()).collect(), ..Trace::default() };
        let traces = |times| Traces::from([("pg.target".to_owned(), trace(times))]);
        steps.iter().map(|(step, times)| ((*step).to_owned(), traces(*times))).collect()
    }

    fn single(first: &str, steps: &[(&str, u32)]) -> Single {
        Single { address: first.parse().unwrap(), label: "BEGIN".to_owned(), taken: taken(steps) }
    }

    fn then(during: Option<&str>) -> Then {
        Then { kind: "net.reset".into(), arg: None, during: during.map(str::to_owned), at: At::Sweep }
    }

    fn net_reset() -> &'static dyn Fault {
        crate::fault::find("net.reset").unwrap()
    }

    fn addresses(singles: &[Single], then: &Then) -> Vec<String> {
        let (coverage, visited) = pairs(singles, then, net_reset(), 1);
        assert_eq!((coverage.points, coverage.visited), (visited.len() as u64, visited.len() as u64));
        visited.into_iter().map(|(address, _)| address.to_string()).collect()
    }

    #[test]
    fn a_pair_is_a_point_of_the_step_and_one_of_its_way_out() {
        let singles = [single("proc.kill@pg.target:stmt.1", &[("undo", 1), ("run", 2)])];
        let first = "proc.kill@pg.target:stmt.1,net.reset@pg.target:commit";
        assert_eq!(addresses(&singles, &then(None)), [format!("{first}.1")]);
        assert_eq!(addresses(&singles, &then(Some("run"))), [format!("{first}.1"), format!("{first}.2")]);
        assert_eq!(addresses(&singles, &then(Some("look"))), [""; 0]);
    }

    #[test]
    fn where_no_way_out_was_needed_there_is_no_pair() {
        assert_eq!(addresses(&[single("proc.kill@pg.target:stmt.1", &[])], &then(None)), [""; 0]);
    }

    #[test]
    fn many_pairs_are_sampled_and_all_are_counted() {
        let singles: Vec<Single> =
            (1..=50).map(|n| single(&format!("proc.kill@pg.target:stmt.{n}"), &[("run", 10)])).collect();
        let (coverage, visited) = pairs(&singles, &then(None), net_reset(), 7);
        assert_eq!((coverage.points, coverage.classes, coverage.visited), (500, 500, SAMPLE as u64));
        assert_eq!(visited, pairs(&singles, &then(None), net_reset(), 7).1, "the seed decides");
        assert_ne!(visited, pairs(&singles, &then(None), net_reset(), 8).1);
    }
}
