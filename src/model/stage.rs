//! Moments of a release: by when something has to be answered, or signed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// By when, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The rehearsal is accepted.
    Rehearsal,
    /// The real migration may begin.
    #[default]
    BeforeCutover,
    /// The application may be opened again.
    BeforeReopen,
    /// What is old may go.
    After,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Stage; 4] = [Stage::Rehearsal, Stage::BeforeCutover, Stage::BeforeReopen, Stage::After];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Rehearsal => "rehearsal",
            Stage::BeforeCutover => "before-cutover",
            Stage::BeforeReopen => "before-reopen",
            Stage::After => "after",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Stage, String> {
        let found = Stage::ALL.into_iter().find(|stage| stage.word() == text);
        let words = || Stage::ALL.map(Stage::word).join(", ");
        found.ok_or_else(|| format!("there is no stage `{text}`; there are: {}", words()))
    }
}
