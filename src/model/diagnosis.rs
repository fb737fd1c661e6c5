//! What explains a red case: what is in the way, which rows differ, and how each object got where it is.

use crate::model::{CaseEvents, DatabaseState, Moment, Phase, States};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that was left and may block, and the command that takes it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What and where, in words.
    pub what: String,
    /// The command, where there is one.
    pub unblock: Option<String>,
}

/// A row by column; nothing is NULL. Values of data that is not synthetic are keyed digests.
pub type Row = BTreeMap<String, Option<String>>;

/// A row that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDifference {
    /// The columns of the primary key; all columns, where there is none.
    pub key: Row,
    /// The row that should be there, in the columns that differ; nothing: there should be none.
    pub expected: Option<Row>,
    /// The row that is there, in the columns that differ; nothing: there is none.
    pub found: Option<Row>,
}

/// The rows in which a table differs: exact numbers, and a few of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDifference {
    /// The endpoint.
    pub endpoint: String,
    /// The table.
    pub table: String,
    /// Rows that should be there and are not.
    pub missing: u64,
    /// Rows that are there and should not be.
    pub extra: u64,
    /// Rows whose key is right and whose content is not.
    pub changed: u64,
    /// The first of them by key.
    pub sample: Vec<RowDifference>,
}

/// Rows that went with a rollback and that nothing else holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The endpoint.
    pub endpoint: String,
    /// The table.
    pub table: String,
    /// How many; nothing where that cannot be told: what a declared transformation brings is nowhere as a table.
    pub rows: Option<u64>,
}

/// One object of a target through a case, where it ended otherwise than in the uninterrupted run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fate {
    /// The endpoint.
    pub endpoint: String,
    /// Such as `table app.users`, `sequence app.users_id_seq`, `index app.users.users_pkey`.
    pub object: String,
    /// At the start; nothing where it was not there or not seen, here and below.
    pub start: Option<String>,
    /// In the uninterrupted run, after the step with which the case ended.
    pub golden: Option<String>,
    /// Right after the fault.
    pub after_fault: Option<String>,
    /// At the end of the case.
    pub after_recovery: Option<String>,
}

impl Fate {
    /// Whether it is neither as it was nor as it should be.
    pub fn is_half_done(&self) -> bool {
        self.after_recovery.is_some() && self.after_recovery != self.start
    }

    /// Whether nobody would miss it: it was not there at the start, and is not in the uninterrupted run.
    pub fn is_left_over(&self) -> bool {
        self.after_recovery.is_some() && self.start.is_none() && self.golden.is_none()
    }

    /// The command that takes it away, where that is plain: an object that nobody would miss, an index that is invalid.
    pub fn unblock(&self) -> Option<String> {
        let (kind, name) = self.object.split_once(' ')?;
        let definition = self.after_recovery.as_deref()?;
        let parts: Vec<&str> = name.split('.').collect();
        let is_invalid = kind == "index" && definition.contains("(invalid)");
        match (kind, &parts[..]) {
            ("index", [schema, _, index]) if is_invalid => Some(format!("DROP INDEX {schema}.{index}")),
            _ if !self.is_left_over() => None,
            ("relation", [_, _]) => {
                let kinds = ["materialized view", "view", "sequence", "table"];
                let kind = kinds.iter().find(|kind| definition.starts_with(*kind))?;
                Some(format!("DROP {} {name}", kind.to_uppercase()))
            }
            ("schema", [_]) => Some(format!("DROP SCHEMA {name}")),
            ("trigger", [schema, table, trigger]) => Some(format!("DROP TRIGGER {trigger} ON {schema}.{table}")),
            ("index", [schema, _, index]) => Some(format!("DROP INDEX {schema}.{index}")),
            ("function", _) => Some(format!("DROP FUNCTION {name}")),
            _ => None,
        }
    }
}

/// Where the targets of a case stood right after the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As before the injured step.
    Before,
    /// As after it.
    After,
    /// In between.
    Between,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Before => "as before the step",
            Standing::After => "as after the whole step",
            Standing::Between => "neither as before the step nor as after it",
        })
    }
}

/// A case beside the uninterrupted run.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The case.
    pub case: &'a CaseEvents,
    /// The uninterrupted run.
    pub golden: &'a CaseEvents,
    /// The states that probes name.
    pub states: &'a States,
}

impl Beside<'_> {
    /// The objects of `targets` that ended otherwise than they should: tables, sequences, then the rest, each by name.
    pub fn fates(&self, targets: &[String]) -> Vec<Fate> {
        targets.iter().flat_map(|endpoint| self.fates_of(endpoint)).collect()
    }

    fn fates_of(&self, endpoint: &str) -> Vec<Fate> {
        let Some(last) = self.case.step_ends().last() else { return Vec::new() };
        let look =
            |events: &CaseEvents, moment: &Moment| Some(objects(self.states.get(events.probe(moment, endpoint)?)?));
        let (golden, end) = (look(self.golden, &Moment::after(Phase::Plan, &last.step)), look(self.case, &Moment::End));
        let (Some(golden), Some(end)) = (golden, end) else { return Vec::new() };
        let start = look(self.golden, &Moment::Start).unwrap_or_default();
        let struck = self.case.step_ends().find(|end| end.phase == Phase::Injured);
        let fault = struck.and_then(|end| look(self.case, &Moment::after(Phase::Injured, &end.step)));
        let fault = fault.unwrap_or_default();
        let names: BTreeSet<&(u8, String)> = golden.keys().chain(end.keys()).collect();
        let differing = names.into_iter().filter(|name| golden.get(*name) != end.get(*name));
        let fate = |name: &(u8, String)| Fate {
            endpoint: endpoint.to_owned(),
            object: name.1.clone(),
            start: start.get(name).cloned(),
            golden: golden.get(name).cloned(),
            after_fault: fault.get(name).cloned(),
            after_recovery: end.get(name).cloned(),
        };
        differing.map(fate).collect()
    }

    /// Where `targets` stood right after the fault; nothing where that was not seen.
    pub fn standing(&self, targets: &[String]) -> Option<Standing> {
        let struck = self.case.step_ends().find(|end| end.phase == Phase::Injured)?;
        let now = Moment::after(Phase::Injured, &struck.step);
        let after = Moment::after(Phase::Plan, &struck.step);
        let found: Option<Vec<&str>> = targets.iter().map(|endpoint| self.case.probe(&now, endpoint)).collect();
        let done: Option<Vec<&str>> = targets.iter().map(|endpoint| self.golden.probe(&after, endpoint)).collect();
        let begun: Option<Vec<&str>> = targets.iter().map(|endpoint| self.before(endpoint, &after)).collect();
        let found = found?;
        match (Some(&found) == done.as_ref(), Some(&found) == begun.as_ref()) {
            (_, true) => Some(Standing::Before),
            (true, _) => Some(Standing::After),
            _ => Some(Standing::Between),
        }
    }

    /// What the uninterrupted run held right before `moment`.
    fn before(&self, endpoint: &str, moment: &Moment) -> Option<&str> {
        let probes: Vec<(&Moment, &str)> = self
            .golden
            .probes()
            .filter(|(_, of, _)| *of == endpoint)
            .map(|(moment, _, state)| (moment, state))
            .collect();
        let at = probes.iter().position(|(found, _)| *found == moment)?;
        at.checked_sub(1).map(|before| probes[before].1)
    }

    /// The first step that said it succeeded and left `table` otherwise than the uninterrupted run did.
    pub fn diverged(&self, endpoint: &str, table: &str) -> Option<Moment> {
        let rows = |events: &CaseEvents, moment: &Moment| {
            self.states.get(events.probe(moment, endpoint)?).map(|state| state.tables.get(table).copied())
        };
        let ends = self.case.step_ends().filter(|end| end.success);
        ends.map(|end| (Moment::after(end.phase, &end.step), Moment::after(Phase::Plan, &end.step)))
            .find(|(now, then)| {
                let (found, expected) = (rows(self.case, now), rows(self.golden, then));
                found.is_some() && expected.is_some() && found != expected
            })
            .map(|(moment, _)| moment)
    }
}

/// Everything that a state holds as text, so ordered that tables come first, then sequences.
fn objects(state: &std::sync::Arc<DatabaseState>) -> BTreeMap<(u8, String), String> {
    let tables = state.tables.iter().map(|(name, digest)| ((0, format!("table {name}")), digest.to_string()));
    let sequences = state.sequences.iter().map(|(name, next)| ((1, format!("next of {name}")), next.clone()));
    let catalog = state.catalog.iter().map(|(name, definition)| ((2, name.clone()), definition.clone()));
    tables.chain(sequences).chain(catalog).collect()
}
