//! A plan: the steps of a procedure on named databases, and what must be true of the result.

use crate::model::{Engine, Guard, Map, Role, Step, TargetSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What will be done, as data, before it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The databases, sources first.
    pub targets: Vec<TargetSpec>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Commands that must refuse, each before one of the steps.
    pub guards: Vec<Guard>,
    /// What the target must hold once the procedure is done.
    pub parity: Parity,
}

/// What the target must hold. All that is not named must be as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parity {
    /// Tables that must arrive as they are.
    pub copies: Vec<TableCopy>,
    /// Whether every other table of a source must arrive under its own name in the one target.
    pub same_names: bool,
    /// Declared transformations.
    pub maps: Vec<Map>,
}

/// A table that must arrive as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCopy {
    /// The endpoint that it comes from.
    pub source: String,
    /// Its name there.
    pub source_table: String,
    /// The endpoint that it goes to.
    pub target: String,
    /// Its name there.
    pub target_table: String,
}

impl Plan {
    /// The step with this name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The endpoints, sources first.
    pub fn endpoints(&self) -> Vec<String> {
        self.targets.iter().map(TargetSpec::endpoint).collect()
    }

    /// The endpoints that must not be changed.
    pub fn source_endpoints(&self) -> Vec<String> {
        self.targets.iter().filter(|target| target.is_source()).map(TargetSpec::endpoint).collect()
    }

    /// The endpoints that the procedure writes.
    pub fn target_endpoints(&self) -> Vec<String> {
        self.targets.iter().filter(|target| !target.is_source()).map(TargetSpec::endpoint).collect()
    }

    /// The versions of Postgres that its databases ask for; nothing stands for whatever the run has.
    pub fn versions(&self) -> BTreeSet<Option<u32>> {
        let servers = self.targets.iter().filter(|target| target.engine == Engine::Postgres);
        servers.map(|target| target.version).collect()
    }

    /// Whether a declared transformation reads this table: its name follows a `from` or a `join`.
    pub fn maps_source(&self, table: &str) -> bool {
        self.parity.maps.iter().any(|map| names_table(&map.source, table))
    }

    /// Whether a declared transformation speaks of this table of a target.
    pub fn maps_target(&self, table: &str) -> bool {
        self.parity.maps.iter().any(|map| names_table(&map.target, table))
    }

    /// The last step that brings data before any is taken away again; after it parity must hold.
    pub fn last_apply(&self) -> Option<&Step> {
        let brings = |step: &Step| matches!(step.role, Role::Apply | Role::Cutover);
        let from = self.steps.iter().position(brings)?;
        let undone = self.steps[from..].iter().position(|step| step.role == Role::Rollback);
        let until = undone.map_or(self.steps.len(), |after| from + after);
        self.steps[..until].iter().rev().find(|step| brings(step))
    }
}

/// Whether `query` reads `table`: its name follows a `from` or a `join`. Only tables of the default schema may go
/// without theirs.
fn names_table(query: &str, table: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let words: Vec<&str> = query.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    let bare = table.strip_prefix("public.").unwrap_or(table);
    let reads = |pair: &[&str]| {
        let before = pair[0].to_ascii_lowercase();
        (before == "from" || before == "join") && (pair[1] == table || pair[1] == bare)
    };
    words.windows(2).any(reads)
}
