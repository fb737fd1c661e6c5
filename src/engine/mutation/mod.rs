//! The check of the check: a copy of each database is changed in one thing at a time, and the comparison must see it.
//!
//! Nothing that is compared is believed before: a row that is missing, the last bit of a double, an index that is no
//! longer valid. An untouched copy, and changes that are none, must stay equal. Done once for a dataset, and kept in
//! the cache; a mutation that no database of the dataset has a place for is named, and never counted.

mod postgres;
mod proof;
mod sqlite;

pub use postgres::{postgres_candidates, postgres_mutate};
pub use sqlite::{sqlite_candidates, sqlite_mutate};

pub(super) use proof::prove;

use crate::model::Difference;
use serde::{Deserialize, Serialize};

/// The kinds of change, sorted: those of Postgres and of SQLite have the same names where they are the same.
pub const MUTATIONS: &[&str] = &[
    "array-bound",
    "array-order",
    "boolean",
    "bytes-changed",
    "bytes-for-text",
    "check-lost",
    "collation-changed",
    "column-lost",
    "columns-exchanged",
    "comment-changed",
    "date-by-one",
    "default-lost",
    "double-for-integer",
    "double-last-bit",
    "empty-for-null",
    "foreign-key-lost",
    "grant-gained",
    "grant-lost",
    "index-invalid",
    "index-lost",
    "integer-by-one",
    "interval-days",
    "json-order",
    "json-whitespace",
    "jsonb-null",
    "jsonb-number",
    "letter-case",
    "line-end",
    "nan-for-null",
    "negative-zero",
    "not-null-lost",
    "null-for-empty",
    "number-for-text",
    "numeric-scale",
    "owner-changed",
    "primary-key-lost",
    "row-doubled",
    "row-extra",
    "row-missing",
    "row-twice-more",
    "rows-exchanged",
    "sequence-behind",
    "setting-changed",
    "table-extra",
    "table-lost",
    "text-for-bytes",
    "timestamp-microsecond",
    "trailing-blank",
    "trigger-disabled",
    "trigger-lost",
    "type-widened",
    "unicode-form",
    "unique-lost",
    "view-lost",
];

/// One way to change one thing in one place of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The kind of change, such as `row-missing`. Kinds that begin with `control-` change nothing that is compared.
    pub mutation: String,
    /// What must be named as different, such as `table app.users`.
    pub object: String,
    /// The statement.
    pub statement: String,
}

impl Candidate {
    /// Whether it changes nothing that is compared.
    pub fn is_control(&self) -> bool {
        self.mutation.starts_with("control-")
    }

    /// Whether a comparison that found `differences` is right about it.
    pub fn is_judged_right(&self, differences: &[Difference]) -> bool {
        match self.is_control() {
            true => differences.is_empty(),
            false => differences.iter().any(|difference| difference.object == self.object),
        }
    }

    /// Whether a row must have changed for it to have happened: a definition needs only to be taken.
    fn changes_rows(&self) -> bool {
        let word = self.statement.split_whitespace().next().unwrap_or_default();
        ["insert", "update", "delete", "with", "select"].contains(&word)
    }
}

/// Candidates of one kind, in their order.
pub fn by_mutation(candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut kinds: Vec<Vec<Candidate>> = Vec::new();
    for candidate in candidates {
        match kinds.iter_mut().find(|kind| kind[0].mutation == candidate.mutation) {
            Some(kind) => kind.push(candidate),
            None => kinds.push(vec![candidate]),
        }
    }
    kinds
}
