//! What a comparison found: plain data, and the table that people read.

use super::read::Form;
use crate::model::{Difference, TableDigest};
use serde::Serialize;
use std::fmt;

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Nothing differs.
    Equal,
    /// It could not be told.
    Unknown,
    /// Something differs.
    Different,
}

impl Answer {
    /// The exit code of the contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Answer::Equal => 0,
            Answer::Different => 1,
            Answer::Unknown => 2,
        }
    }
}

/// Two databases, side by side.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The worst of all answers; unknown when there was nothing to compare.
    pub answer: Answer,
    /// Where the source is, without a password.
    pub source: String,
    /// Where the target is.
    pub target: String,
    /// Sorted by the name in the source; tables that only one side has too.
    pub tables: Vec<TableComparison>,
    /// Definitions that differ, if they were asked for.
    pub catalog: Option<Vec<Difference>>,
}

/// Both sides of one table.
#[derive(Debug, Clone, Serialize)]
pub struct TableComparison {
    /// Its name in the source, or the name that it would have.
    pub source_table: String,
    /// Its name in the target, or the name that it would have.
    pub target_table: String,
    /// What came of it.
    pub answer: Answer,
    /// The form in which rows were read, if they were.
    pub form: Option<Form>,
    /// The columns that tell rows apart; empty: rows were compared as a multiset.
    pub key: Vec<String>,
    /// Count and digest of the source.
    pub source_digest: Option<TableDigest>,
    /// Count and digest of the target.
    pub target_digest: Option<TableDigest>,
    /// The rows that differ.
    pub rows: RowDifferences,
    /// What differs besides rows, or why it could not be told.
    pub notes: Vec<String>,
}

/// In which rows two tables differ: exact totals, and the first of each kind by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RowDifferences {
    /// Rows of the source that the target does not have.
    pub missing: u64,
    /// Rows of the target that the source does not have.
    pub extra: u64,
    /// Keys on both sides with different rows.
    pub changed: u64,
    /// The first missing rows, as `column=value`.
    pub missing_keys: Vec<String>,
    /// The first extra rows.
    pub extra_keys: Vec<String>,
    /// The first changed rows.
    pub changed_keys: Vec<ChangedRow>,
}

/// A row that both sides have, with other values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedRow {
    /// Its key, as `column=value`.
    pub key: String,
    /// The columns that differ; empty when they could not be looked up.
    pub columns: Vec<String>,
}

impl RowDifferences {
    /// No row differs.
    pub fn is_empty(&self) -> bool {
        self.missing + self.extra + self.changed == 0
    }
}

impl TableComparison {
    /// One name, or both where they differ.
    pub fn name(&self) -> String {
        if self.source_table == self.target_table {
            self.source_table.clone()
        } else {
            format!("{} = {}", self.source_table, self.target_table)
        }
    }
}

impl Comparison {
    /// The worst answer of all; unknown if nothing was compared.
    pub(super) fn judged(mut self) -> Comparison {
        let tables = self.tables.iter().map(|table| table.answer);
        let catalog = self.catalog.iter().map(|found| if found.is_empty() { Answer::Equal } else { Answer::Different });
        let nothing = if self.tables.is_empty() { Answer::Unknown } else { Answer::Equal };
        self.answer = tables.chain(catalog).fold(nothing, Ord::max);
        self
    }

    /// So many tables have this answer.
    pub fn count(&self, answer: Answer) -> usize {
        self.tables.iter().filter(|table| table.answer == answer).count()
    }
}

impl fmt::Display for RowDifferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed: Vec<String> = self.changed_keys.iter().map(ChangedRow::to_string).collect();
        let kinds = [
            (self.missing, "missing", &self.missing_keys),
            (self.extra, "extra", &self.extra_keys),
            (self.changed, "changed", &changed),
        ];
        let mut is_first = true;
        for (count, kind, keys) in kinds.into_iter().filter(|(count, ..)| *count > 0) {
            let more = if count > keys.len() as u64 { "; ..." } else { "" };
            write!(f, "{}{count} {kind} ({}{more})", if is_first { "" } else { ", " }, keys.join("; "))?;
            is_first = false;
        }
        if is_first { f.write_str("no row differs") } else { Ok(()) }
    }
}

impl fmt::Display for ChangedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.columns.as_slice() {
            [] => f.write_str(&self.key),
            columns => write!(f, "{} in {}", self.key, columns.join(", ")),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.tables.iter().map(|table| table.name().chars().count()).max().unwrap_or(0);
        self.tables.iter().try_for_each(|table| table.line(width, f))?;
        for difference in self.catalog.iter().flatten() {
            writeln!(f, "DIFFERENT  {difference}")?;
        }
        let rows: u64 = self.tables.iter().filter_map(|table| table.source_digest).map(|digest| digest.rows).sum();
        let definitions = match &self.catalog {
            None => "definitions not compared".to_owned(),
            Some(found) => format!("{} definitions different", found.len()),
        };
        let [equal, different, unknown] =
            [Answer::Equal, Answer::Different, Answer::Unknown].map(|answer| self.count(answer));
        let word = match self.answer {
            Answer::Equal => "EQUAL",
            Answer::Different => "DIFFERENT",
            Answer::Unknown => "COULD NOT TELL",
        };
        let nothing = if self.tables.is_empty() { "; there is no table to compare" } else { "" };
        write!(
            f,
            "{word}: {equal} tables equal, {different} different, {unknown} not told, {rows} rows, {definitions}{nothing}"
        )
    }
}

impl TableComparison {
    fn line(&self, width: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.answer {
            Answer::Equal => "equal",
            Answer::Different => "DIFFERENT",
            Answer::Unknown => "UNKNOWN",
        };
        write!(f, "{word:<9}  {:<width$}", self.name())?;
        if let (Some(source), Some(target), Some(form)) = (self.source_digest, self.target_digest, self.form) {
            let by = if self.key.is_empty() { "multiset" } else { "key" };
            let rows = match source.rows == target.rows {
                true => format!("{} rows", source.rows),
                false => format!("{} rows and {}", source.rows, target.rows),
            };
            write!(f, "  {rows} ({form}, by {by})")?;
        }
        if !self.rows.is_empty() {
            write!(f, ": {}", self.rows)?;
        }
        if !self.notes.is_empty() {
            write!(f, ": {}", self.notes.join("; "))?;
        }
        writeln!(f)
    }
}
