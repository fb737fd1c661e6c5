//! What a check answered, and what speaks against it.

use crate::model::{Difference, Verdict};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a check answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its name.
    pub check: String,
    /// Its answer.
    pub verdict: Verdict,
    /// What speaks against it, the first [`MAX_FINDINGS`]; empty when it passes.
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub findings_total: u64,
}

/// How many findings of a check are kept.
pub const MAX_FINDINGS: usize = 20;

/// One thing that speaks against a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// When and where, for people.
    pub place: String,
    /// What differs.
    #[serde(flatten)]
    pub difference: Difference,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.difference)
    }
}
