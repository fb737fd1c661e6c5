//! An event as it stands in `events.jsonl`: numbered, chained and timed.

use crate::model::Body;
use serde::{Deserialize, Serialize};

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// SHA-256 of the bytes of the line before, without its newline; 64 zeros for the first.
    pub prev: String,
    /// Wall clock, RFC 3339 in UTC.
    pub t: String,
    /// Microseconds since the run started.
    pub mono_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}
