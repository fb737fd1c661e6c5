//! A step of the procedure: a command, what it is for, and what it says of itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One command of the procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, unique in the plan.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The command line; `{target}` and the like stand for URLs, `{fixtures}` for the folder of the fixtures.
    #[serde(skip)]
    pub argv: Vec<String>,
    /// Variables, with the same placeholders.
    #[serde(skip)]
    pub env: BTreeMap<String, String>,
    /// Variables of the caller that are passed on and never stored.
    #[serde(skip)]
    pub env_from: Vec<String>,
    /// Files written into the working directory before the step, with the same placeholders.
    #[serde(skip)]
    pub files: BTreeMap<String, String>,
    /// What it does to files is watched from outside: static executables that it starts are seen, too.
    #[serde(skip)]
    pub traced: bool,
    /// The exit codes that mean success.
    pub exit: Vec<i32>,
    /// Its bound; `None`: the larger of 60 s and ten times the golden run.
    #[serde(skip)]
    pub timeout: Option<Duration>,
    /// What the step says of itself.
    pub claims: Claims,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes ready: a plan, a backup.
    Prepare,
    /// Says what would be done, and writes nothing.
    DryRun,
    /// Does the migration or a part of it.
    Apply,
    /// Looks whether it is right.
    Verify,
    /// Moves the traffic.
    Cutover,
    /// Undoes.
    Rollback,
    /// Tidies up afterwards.
    Cleanup,
}

impl Role {
    /// All roles, in the order of a procedure.
    pub const ALL: [Role; 7] =
        [Role::Prepare, Role::DryRun, Role::Apply, Role::Verify, Role::Cutover, Role::Rollback, Role::Cleanup];

    /// Whether the data is there once such a step has succeeded.
    pub fn has_brought_data(self) -> bool {
        matches!(self, Role::Apply | Role::Verify | Role::Cutover)
    }

    /// The name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Role::Prepare => "prepare",
            Role::DryRun => "dry-run",
            Role::Apply => "apply",
            Role::Verify => "verify",
            Role::Cutover => "cutover",
            Role::Rollback => "rollback",
            Role::Cleanup => "cleanup",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a step says of itself, besides its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claims {
    /// Nothing; what is observed decides.
    None,
    /// A JSON report that it writes.
    Report {
        /// Its path, from the working directory.
        report: String,
        /// When it says that all is well.
        ok: Condition,
    },
}

/// `/status = ok`: a JSON pointer and the value that it must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// RFC 6901.
    pub pointer: String,
    /// Compared with the text of a string, and with the JSON of anything else.
    pub value: String,
}

impl Condition {
    /// Reads `/pointer = value`.
    pub fn parse(text: &str) -> Option<Condition> {
        let (pointer, value) = text.split_once('=')?;
        let (pointer, value) = (pointer.trim(), value.trim());
        pointer.starts_with('/').then(|| Condition { pointer: pointer.to_owned(), value: value.to_owned() })
    }

    /// Whether `report` meets it.
    pub fn holds(&self, report: &serde_json::Value) -> bool {
        match report.pointer(&self.pointer) {
            Some(serde_json::Value::String(text)) => *text == self.value,
            Some(other) => serde_json::from_str::<serde_json::Value>(&self.value).is_ok_and(|value| value == *other),
            None => false,
        }
    }
}
