//! Which points of a fault are visited where somebody names them: a replay, what was red before, the hunt of a
//! shrink. Pure.

use crate::engine::Options;
use crate::engine::points::Recorded;
use crate::model::{Address, At, Coverage, FaultPoint, FaultSpec, Place};
use std::collections::BTreeMap;

/// The cases to run again, by scenario; a scenario without any address is run as a whole.
pub type Again = BTreeMap<String, Vec<Address>>;

/// Where a failure is looked for once the data has changed, and with it how often each statement occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hunt {
    /// At the same occurrence; where there are fewer, at the last and the middle one.
    Around(FaultPoint),
    /// At this and every earlier occurrence.
    UpTo(FaultPoint),
}

impl Hunt {
    /// The point that it is about.
    pub fn point(&self) -> &FaultPoint {
        match self {
            Hunt::Around(point) | Hunt::UpTo(point) => point,
        }
    }
}

/// How many points a hunt looks at where the statement is no more, or occurs very often.
const MOST: usize = 24;

/// The points that are named, each with the statement there; `None` where nobody named any, and the tier decides.
pub(in crate::engine) fn named(
    options: &Options,
    scenario: &str,
    recorded: &Recorded,
    fault: &FaultSpec,
) -> Option<Vec<(Address, String)>> {
    let addresses = if let Some(token) = &options.only {
        vec![token.address.clone()]
    } else if let Some(hunt) = &options.hunt {
        hunted(hunt, recorded)
    } else {
        let again = options.again.get(scenario).filter(|addresses| !addresses.is_empty())?;
        again.iter().filter(|address| is_of(fault, address)).cloned().collect()
    };
    let label = |address: &Address| recorded.label(&address.first().place).unwrap_or_default().to_owned();
    Some(addresses.into_iter().map(|address| (address.clone(), label(&address))).collect())
}

/// How many of the points are visited, by kinds, where they are named. A replay and a hunt are of nothing but those.
pub(in crate::engine) fn coverages(
    options: &Options,
    all: Coverage,
    named: &[(Address, String)],
) -> BTreeMap<String, Coverage> {
    let is_all = options.only.is_some() || options.hunt.is_some();
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    named.iter().for_each(|(address, _)| *numbers.entry(address.counted_as()).or_default() += 1);
    let coverage = |visited: u64| match is_all {
        true => Coverage { points: visited, classes: visited, visited, lost: 0 },
        false => Coverage { points: all.points.max(visited), classes: all.classes.max(visited), visited, ..all },
    };
    numbers.into_iter().map(|(kinds, visited)| (kinds, coverage(visited))).collect()
}

/// Whether a case at this address is a case of `fault`, and not of another one of the same kind at another place.
fn is_of(fault: &FaultSpec, address: &Address) -> bool {
    fault.may_have(address)
        && match &fault.at {
            At::Sweep => !address.first().place.forever,
            At::SweepOn => address.first().place.forever,
            At::Place(place) => address.first().place == *place,
        }
}

fn hunted(hunt: &Hunt, recorded: &Recorded) -> Vec<Address> {
    let point = hunt.point();
    let point = &FaultPoint { place: recorded.by_statement(&point.place), ..point.clone() };
    let at = |nth: u32| FaultPoint { place: Place { nth, ..point.place.clone() }, ..point.clone() };
    let points: Vec<FaultPoint> = match (recorded.times(&point.place), hunt) {
        (0, _) => evenly(elsewhere(recorded, point)),
        (times, Hunt::Around(_)) => around(point.place.nth, times).into_iter().map(at).collect(),
        (times, Hunt::UpTo(_)) => evenly((1..=point.place.nth.min(times)).map(at).collect()),
    };
    points.into_iter().map(Address::one).collect()
}

fn around(nth: u32, times: u32) -> Vec<u32> {
    match times.div_ceil(2) {
        _ if nth <= times => vec![nth],
        middle if middle == times => vec![times],
        middle => vec![times, middle],
    }
}

/// The statement is another one on other data: whatever is counted there on the same axis.
fn elsewhere(recorded: &Recorded, point: &FaultPoint) -> Vec<FaultPoint> {
    let places = recorded.places(&point.place.endpoint, point.place.axis);
    places.into_iter().map(|place| FaultPoint { place, ..point.clone() }).collect()
}

/// The first, the last, and what lies evenly between.
fn evenly<T: Clone>(all: Vec<T>) -> Vec<T> {
    if all.len() <= MOST {
        return all;
    }
    (0..MOST).map(|index| all[index * (all.len() - 1) / (MOST - 1)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Traces;
    use crate::engine::proxy::{Point, Trace};
    use crate::model::{Axis, Fingerprint};

    fn recorded(statements: &[&str]) -> Recorded {
        let point = |sql: &&str| Point {
            conn: 1,
            axis: Axis::Stmt,
            fingerprint: Some(Fingerprint::of(sql)),
            label: (*sql).into(),
        };
        let traces = Traces::from([(
            "pg.target".to_owned(),
            Trace { points: statements.iter().map(point).collect(), ..Trace::default() },
        )]);
        Recorded::of(&traces, &traces)
    }

    fn point(sql: &str, nth: u32) -> FaultPoint {
        format!("proc.kill@pg.target:stmt-{}.{nth}", Fingerprint::of(sql)).parse().unwrap()
    }

    fn sweep() -> FaultSpec {
        FaultSpec { kind: "proc.kill".into(), arg: None, during: "run".into(), at: At::Sweep, then: None }
    }

    fn nths(options: &Options, recorded: &Recorded, fault: &FaultSpec) -> Vec<u32> {
        let named = named(options, "x", recorded, fault).unwrap();
        named.iter().map(|(address, _)| address.first().place.nth).collect()
    }

    #[test]
    fn a_hunt_looks_at_the_same_occurrence_and_where_there_is_none_at_the_last() {
        let hunt = |nth| Options { hunt: Some(Hunt::Around(point("a", nth))), ..Options::quick() };
        assert_eq!(nths(&hunt(3), &recorded(&["a"; 9]), &sweep()), [3]);
        assert_eq!(nths(&hunt(15), &recorded(&["a"; 4]), &sweep()), [4, 2]);
        assert_eq!(nths(&hunt(15), &recorded(&["a"]), &sweep()), [1]);
    }

    #[test]
    fn a_hunt_upwards_looks_at_every_earlier_occurrence() {
        let hunt = |nth| Options { hunt: Some(Hunt::UpTo(point("a", nth))), ..Options::quick() };
        assert_eq!(nths(&hunt(3), &recorded(&["a"; 9]), &sweep()), [1, 2, 3]);
        let many = nths(&hunt(500), &recorded(&["a"; 500]), &sweep());
        assert_eq!((many.len(), many[0], many[MOST - 1]), (MOST, 1, 500));
    }

    #[test]
    fn where_the_statement_is_another_one_all_of_its_axis_are_looked_at() {
        let options = Options { hunt: Some(Hunt::Around(point("gone", 1))), ..Options::quick() };
        assert_eq!(nths(&options, &recorded(&["a", "b", "a"]), &sweep()).len(), 3);
    }

    #[test]
    fn what_was_red_is_visited_by_its_own_fault_also_where_it_is_no_more() {
        let address = Address::one(point("gone", 7));
        let again = Again::from([("x".to_owned(), vec![address.clone()])]);
        let options = Options { again, ..Options::quick() };
        assert_eq!(nths(&options, &recorded(&["a"]), &sweep()), [7]);
        let elsewhere = FaultSpec { at: At::Place("pg.target:stmt.1".parse().unwrap()), ..sweep() };
        assert_eq!(nths(&options, &recorded(&["a"]), &elsewhere), [0; 0]);
        assert_eq!(named(&options, "another", &recorded(&["a"]), &sweep()), None);
    }
}
