//! Parts of events that are more than a value.

use crate::model::Outcome;
use serde::{Deserialize, Serialize};

/// A sequence and a column that takes its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceUse {
    /// `schema.sequence`.
    pub sequence: String,
    /// `schema.table`.
    pub table: String,
    /// The column.
    pub column: String,
    /// The number that it gives next.
    pub next: String,
    /// The last number that the column holds in the direction of the sequence; nothing in an empty table.
    pub furthest: Option<String>,
    /// Whether it counts upwards.
    pub ascending: bool,
}

/// What a canary must turn red.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectRecord {
    /// Exactly these checks, sorted.
    pub red: Vec<String>,
    /// The word of at least one case.
    pub outcome: Option<Outcome>,
}

/// How many points a fault has, and how many of them are visited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Points that the golden run recorded.
    pub points: u64,
    /// Points that are not provably equal to another one.
    pub classes: u64,
    /// Classes that are visited.
    pub visited: u64,
    /// Points that only one of two golden runs had: the tool is not deterministic, and nothing is known of them.
    #[serde(default)]
    pub lost: u64,
}
