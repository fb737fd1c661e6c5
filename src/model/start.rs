//! What is known of a scenario when it begins.

use crate::model::ExpectRecord;
use serde::{Deserialize, Serialize};

/// A scenario, its data and its tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioStart {
    /// Its name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// The procedure, if it is one of the built-in ones.
    pub flow: Option<String>,
    /// Dataset and size.
    pub dataset: String,
    /// Where the rows of the dataset come from; nothing where no dataset was loaded.
    #[serde(default)]
    pub classification: Option<Classification>,
    /// Seed.
    pub seed: u64,
    /// Of the dataset and its seed, 64 hexadecimal digits.
    pub dataset_sha256: String,
    /// Of the tool, 64 hexadecimal digits.
    pub tool_sha256: String,
    /// The endpoints that must not be changed.
    pub sources: Vec<String>,
    /// What a canary must turn red; nothing for scenarios that must be green.
    pub expect: Option<ExpectRecord>,
}

/// Where the rows of a dataset come from, and so whether they may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Classification {
    /// Generated, nobody's: may appear in evidence.
    Synthetic,
    /// Real once, anonymised: only counts and digests appear.
    Anonymized,
    /// Real: only counts and digests appear.
    Confidential,
}
