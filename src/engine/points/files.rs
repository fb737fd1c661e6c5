//! Points of files: operations have no fingerprint, and are named by their number. Pure.

use crate::engine::Traces;
use crate::fault::Fault;
use crate::model::{Axis, Place};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was done to the files of each endpoint, in order, on each axis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done(BTreeMap<(String, Axis), Vec<Arc<str>>>);

impl Done {
    pub(super) fn of(traces: &Traces) -> Done {
        let mut done = Done::default();
        for (endpoint, trace) in traces {
            for point in trace.points.iter().filter(|point| point.axis.is_of_files()) {
                done.0.entry((endpoint.clone(), point.axis)).or_default().push(Arc::clone(&point.label));
            }
        }
        done
    }

    /// The operation at a place.
    pub(super) fn label(&self, place: &Place) -> Option<&str> {
        let along = self.0.get(&(place.endpoint.clone(), place.axis))?;
        along.get((place.nth as usize).checked_sub(1)?).map(AsRef::as_ref)
    }
}

/// The axes of a sweep. A kind that strikes at any operation names those of one sort besides, for places; in a sweep
/// they would be the same points again.
pub(super) fn swept(kind: &dyn Fault) -> impl Iterator<Item = Axis> {
    let strikes_at_any = kind.axes().contains(&Axis::Op);
    let is_again = move |axis: &Axis| strikes_at_any && axis.is_of_files() && *axis != Axis::Op;
    kind.axes().iter().copied().filter(move |axis| !is_again(axis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::points::{Recorded, Tier};
    use crate::engine::proxy::{Point, Trace};
    use crate::fault;
    use crate::model::{At, FaultSpec};

    fn recorded() -> Recorded {
        let point = |axis, label: &str| Point { conn: 0, axis, fingerprint: None, label: label.into() };
        let points = vec![
            point(Axis::Op, "create a"),
            point(Axis::Write, "create a"),
            point(Axis::Op, "unlink a"),
            point(Axis::Unlink, "unlink a"),
            point(Axis::Write, "write a byte of a"),
            point(Axis::Write, "write a"),
        ];
        let traces = Traces::from([("file.new".to_owned(), Trace { points, ..Trace::default() })]);
        Recorded::of(&traces, &traces)
    }

    fn points(kind: &str, at: At) -> Vec<(String, String)> {
        let fault = FaultSpec { kind: kind.into(), arg: None, during: "run".into(), at, then: None };
        let points = recorded().points(&fault, fault::find(kind).unwrap(), Tier::Full, 1, 6);
        assert_eq!(points.coverage.points as usize, points.visited.len());
        points.visited.into_iter().map(|(point, label)| (point.to_string(), label)).collect()
    }

    fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(point, label)| ((*point).to_owned(), (*label).to_owned())).collect()
    }

    #[test]
    fn a_sweep_visits_each_operation_once_and_says_what_it_is() {
        let every = [("proc.kill@file.new:op.1", "create a"), ("proc.kill@file.new:op.2", "unlink a")];
        assert_eq!(points("proc.kill", At::Sweep), texts(&every));
        let every = [
            ("disk.full@file.new:write.1", "create a"),
            ("disk.full@file.new:write.2", "write a byte of a"),
            ("disk.full@file.new:write.3", "write a"),
        ];
        assert_eq!(points("disk.full", At::Sweep), texts(&every));
    }

    #[test]
    fn a_sweep_by_halves_leaves_out_what_has_none() {
        assert_eq!(points("disk.short", At::Sweep), texts(&[("disk.short@file.new:write.3", "write a")]));
    }

    #[test]
    fn a_sweep_may_be_for_ever_after_and_a_place_is_of_any_sort() {
        assert_eq!(points("disk.full", At::SweepOn)[0], ("disk.full@file.new:write.1+".into(), "create a".into()));
        let place = At::Place("file.new:unlink.1".parse().unwrap());
        assert_eq!(points("proc.kill", place), texts(&[("proc.kill@file.new:unlink.1", "unlink a")]));
    }
}
