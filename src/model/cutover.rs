//! What a record of the real migration rests on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tier of a bundle that is the record of a real migration, and no rehearsal.
pub const RECORD_TIER: &str = "record";

/// A step of the real migration is about to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutover {
    /// The scenario that rehearsed it.
    pub scenario: String,
    /// The step.
    pub step: String,
    /// The root of the bundle in which it was rehearsed.
    pub rehearsal_sha256: String,
    /// The policy that this bundle passed.
    pub policy: String,
    /// SHA-256 of the policy.
    pub policy_sha256: String,
    /// Whether rows are read before and after, or definitions only.
    pub reads_rows: bool,
    /// What the rehearsed step has left, by endpoint: digests of states.
    pub left: BTreeMap<String, String>,
}
