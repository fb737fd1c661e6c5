//! The record of a proxy: every point that a fault could have struck.

use crate::model::{Axis, Fingerprint};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What passed one proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// In order of arrival at the proxy, all connections together.
    ///
    /// The how-manieth of an axis (or of an axis and a fingerprint) in this list is the number in an address, if
    /// the list and the counting began together (see [`Proxy::arm`](super::Proxy::arm)).
    pub points: Vec<Point>,
    /// How often something passed that is counted and not listed, or a million rows would be a million points: by
    /// `copyin`, `copyout` or `byte`, and the statement that it belongs to.
    pub counts: BTreeMap<(Axis, Option<Fingerprint>), Tally>,
}

impl Trace {
    pub(super) fn add(&mut self, key: (Axis, Option<Fingerprint>), times: u64, label: &Arc<str>) {
        let tally = self.counts.entry(key).or_insert_with(|| Tally { times: 0, label: Arc::clone(label) });
        tally.times = tally.times.saturating_add(times);
    }
}

/// A count, with the label of its statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub times: u64,
    /// For people, as in [`Point::label`].
    pub label: Arc<str>,
}

/// One place that a fault can strike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The connection, numbered from 1 in the order in which start-up packets arrived.
    pub conn: u32,
    /// `conn`, `stmt`, `ack`, `commit` or `epoch`.
    pub axis: Axis,
    /// Of the statement that begins or ends here; none on the axis `conn`.
    pub fingerprint: Option<Fingerprint>,
    /// For people: the comment that a statement begins with, else its text without literals; at most 120
    /// characters. On the axis `conn` the database and the role.
    pub label: Arc<str>,
}
