//! A plan: the steps of a procedure on named databases, and what must be true of the result.

use crate::model::{Map, Role, Step, TargetSpec};

/// What will be done, as data, before it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The databases, sources first.
    pub targets: Vec<TargetSpec>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What the target must hold once the procedure is done.
    pub parity: Parity,
}

/// What the target must hold. All that is not named must be as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parity {
    /// Tables that must arrive as they are.
    pub copies: Vec<TableCopy>,
    /// Whether every other table of a source must arrive under its own name in the one target.
    pub same_names: bool,
    /// Declared transformations.
    pub maps: Vec<Map>,
}

/// A table that must arrive as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// Whether a declared transformation reads this table: its source query has the table's name as a word.
    pub fn maps_source(&self, table: &str) -> bool {
        self.parity.maps.iter().any(|map| names_table(&map.source, table))
    }

    /// Whether a declared transformation speaks of this table of a target.
    pub fn maps_target(&self, table: &str) -> bool {
        self.parity.maps.iter().any(|map| names_table(&map.target, table))
    }

    /// The last step that brings data, after which parity must hold.
    pub fn last_apply(&self) -> Option<&Step> {
        let first_undo = self.steps.iter().position(|step| step.role == Role::Rollback).unwrap_or(self.steps.len());
        self.steps[..first_undo].iter().rev().find(|step| matches!(step.role, Role::Apply | Role::Cutover))
    }
}

/// Whether `query` has the name of `table`, qualified or not, as a word.
fn names_table(query: &str, table: &str) -> bool {
    let bare = table.rsplit('.').next().unwrap_or(table);
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    query.split(|c| !is_word(c)).any(|word| word == table || word == bare)
}
