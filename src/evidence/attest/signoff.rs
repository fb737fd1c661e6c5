//! What a person signs: an in-toto statement about the root of a bundle, with the decision, and with what it rests on.

use super::statement::{OURS, STATEMENT};
use crate::evidence::SUMS;
use crate::model::{Stage, Verdict, canonical};
use crate::{Result, clock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The files that a signer is shown or that what is shown follows from: a signoff names their digests.
pub const SHOWN: [&str; 6] =
    ["attest/test-result.dsse.json", "environment.json", "plan.json", "report.html", "report.json", "summary.md"];

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It may go on.
    Approve,
    /// It may not, until there is another run.
    Reject,
}

impl Answer {
    /// As in `anna approves`.
    pub fn verb(self) -> &'static str {
        match self {
            Answer::Approve => "approves",
            Answer::Reject => "rejects",
        }
    }
}

/// A decision of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signoff {
    /// What was decided.
    pub decision: Answer,
    /// What signing means, in the words of the policy.
    pub meaning: String,
    /// The role in which it is signed.
    pub role: String,
    /// By when it has to be there.
    pub stage: Stage,
    /// The principal of the signer, as `ssh-keygen` knows it.
    pub signer: String,
    /// When, RFC 3339 in UTC, by the signer's own clock.
    pub time: String,
    /// Why, in the signer's words.
    pub reason: Option<String>,
    /// The policy that was applied.
    pub policy: PolicyShown,
    /// What the gate said under it.
    pub gate: GateShown,
    /// SHA-256 of what was seen, by path in the bundle.
    pub seen: BTreeMap<String, String>,
    /// SHA-256 of the signoff before; nothing in the first.
    pub previous: Option<String>,
    /// What is accepted although it is red.
    pub waivers: Vec<Waiver>,
}

/// A policy by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyShown {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// The decision of the gate that a signer has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateShown {
    /// Rule by rule.
    pub rules: Vec<RuleShown>,
    /// SHA-256 of `rules` as a file of canonical JSON.
    pub sha256: String,
}

/// A rule and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleShown {
    /// Its id.
    pub rule: String,
    /// What it asks.
    pub asks: String,
    /// The answer.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
}

/// A criterion that is red, and accepted for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The id of the rule.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// Where it is followed up.
    pub ticket: String,
    /// Until when, RFC 3339 in UTC.
    pub expires: String,
}

impl Waiver {
    /// Whether it still holds, so many seconds after 1970; one that says no time does not.
    pub fn holds(&self, now_s: i64) -> bool {
        clock::seconds_of(&self.expires).is_some_and(|expires_s| expires_s >= now_s)
    }
}

impl GateShown {
    /// # Errors
    /// None in practice: there are texts only.
    pub fn of(rules: Vec<RuleShown>) -> Result<GateShown> {
        Ok(GateShown { sha256: canonical::sha256(&rules)?, rules })
    }
}

impl Signoff {
    /// Where they lie in a bundle.
    pub const FOLDER: &str = "signoffs";

    /// The path of a signoff in its bundle: `signoffs/0001-engineer.json`; `nth` counts from 1. `.sig` is its signature.
    pub fn path(nth: usize, role: &str) -> String {
        format!("{}/{nth:04}-{role}.json", Signoff::FOLDER)
    }

    /// The bytes that are signed: a statement about the bundle with this root.
    ///
    /// # Errors
    /// A bug: it cannot be written as JSON.
    pub fn to_file(&self, root_sha256: &str) -> Result<Vec<u8>> {
        canonical::to_file(&json!({
            "_type": STATEMENT,
            "subject": [{ "name": SUMS, "digest": { "sha256": root_sha256 } }],
            "predicateType": Signoff::predicate_type(),
            "predicate": self,
        }))
    }

    /// The type of the predicate.
    pub fn predicate_type() -> String {
        format!("{OURS}/signoff/v1")
    }

    /// The types of the statement and of its predicate, in this order; both empty where there are none.
    pub fn types(statement: &Value) -> [String; 2] {
        ["/_type", "/predicateType"].map(|pointer| text(statement, pointer))
    }

    /// The root that it is about, and what it says of it.
    ///
    /// # Errors
    /// What of it cannot be read.
    pub fn parse(statement: &Value) -> std::result::Result<(String, Signoff), serde_json::Error> {
        let signoff = serde_json::from_value(statement["predicate"].clone())?;
        Ok((text(statement, "/subject/0/digest/sha256"), signoff))
    }
}

fn text(statement: &Value, pointer: &str) -> String {
    statement.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
