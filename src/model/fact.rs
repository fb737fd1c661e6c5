//! Parts of events that are more than a value.

use crate::model::{Lost, Outcome, Phase};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// What the file shim recorded of a step, and whether that is all that was done to files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The case.
    pub case: String,
    /// The step.
    pub step: String,
    /// How many operations were recorded.
    pub operations: u64,
    /// Whether any program of the step was watched.
    pub watched: bool,
    /// The files that the record, replayed, does not lead to, by their paths in the case's directory. Empty is good.
    pub missed: Vec<String>,
}

/// What went when an uninjured step went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WentBack {
    /// The case.
    pub case: String,
    /// The step.
    pub step: String,
    /// The rows that no source holds and that were not there at the start; empty is good.
    pub lost: Vec<Lost>,
}

/// What a report says of its own age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAge {
    /// The case.
    pub case: String,
    /// The step.
    pub step: String,
    /// Why it ran.
    pub phase: Phase,
    /// When the step began, by the clock of the file system; RFC 3339 in UTC, as the others.
    pub began: String,
    /// When the file was last written.
    pub written: String,
    /// The times that it holds under well-known names.
    pub stamps: BTreeMap<String, String>,
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

/// Planned cases of a fault that did not begin, because the time was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unvisited {
    /// The scenario.
    pub scenario: String,
    /// The kind of fault, as in `scenario.planned`.
    pub kind: String,
    /// The step during which it strikes.
    pub during: String,
    /// How many.
    pub unvisited: u64,
}

/// What a server was still busy with for a step that had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerBusy {
    /// The case.
    pub case: String,
    /// The step.
    pub step: String,
    /// Why it ran.
    pub phase: Phase,
    /// One sentence each; empty is good.
    pub busy: Vec<String>,
}

/// A scenario that was left out, as the caller allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omitted {
    /// The scenario.
    pub scenario: String,
    /// What it needs and this machine has not, as `--allow-missing` names it.
    pub missing: String,
}

/// What the comparison saw of the changes that were planted in a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Kinds of change that were seen.
    pub killed: BTreeSet<String>,
    /// Changes that were not seen: kind, database and statement.
    pub survived: Vec<String>,
    /// Differences that were seen where there are none: what was done, and the first of them.
    pub false_alarms: Vec<String>,
    /// Kinds of change for which the dataset has no place.
    pub not_applicable: BTreeSet<String>,
}

impl Proof {
    /// Whether the comparison can be believed.
    pub fn is_green(&self) -> bool {
        self.survived.is_empty() && self.false_alarms.is_empty()
    }
}
