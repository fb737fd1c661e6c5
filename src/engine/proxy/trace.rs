//! The record of a proxy: every point that a fault could have struck.

use crate::model::{Axis, Fingerprint};
use std::sync::Arc;

/// What passed one proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// In order of arrival at the proxy, all connections together.
    ///
    /// The how-manieth of an axis (or of an axis and a fingerprint) in this list is the number in an address, if
    /// the list and the counting began together (see [`Proxy::arm`](super::Proxy::arm)).
    pub points: Vec<Point>,
}

/// One place that a fault can strike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The connection, numbered from 1 in the order in which start-up packets arrived.
    pub conn: u32,
    /// `conn`, `stmt`, `ack` or `commit`.
    pub axis: Axis,
    /// Of the statement that begins or ends here; none on the axis `conn`.
    pub fingerprint: Option<Fingerprint>,
    /// For people: the comment that a statement begins with, else its text without literals; at most 120
    /// characters. On the axis `conn` the database and the role.
    pub label: Arc<str>,
}
