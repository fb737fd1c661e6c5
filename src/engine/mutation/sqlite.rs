//! Mutations of a SQLite file.

use super::Candidate;
use crate::db::sqlite;
use crate::{Error, Result};
use std::path::Path;

const CANDIDATES: &str = include_str!("sqlite.sql");

/// All that could be changed in the file at `path`, kind by kind, the best places first.
///
/// # Errors
/// No such file, or SQLite's words.
pub fn sqlite_candidates(path: &Path) -> Result<Vec<Candidate>> {
    let connection = sqlite::open_read_only(path)?;
    let failed = |error| Error::environment("places to change").caused_by(error);
    let mut query = connection.prepare(CANDIDATES).map_err(failed)?;
    let candidate =
        |row: &rusqlite::Row<'_>| Ok(Candidate { mutation: row.get(0)?, object: row.get(1)?, statement: row.get(2)? });
    let found = query.query_map([], candidate).map_err(failed)?;
    found.collect::<rusqlite::Result<Vec<Candidate>>>().map_err(failed)
}

/// Does the first of `candidates` that can be done in the file at `path`; foreign keys say nothing.
///
/// # Errors
/// No such file. That SQLite refuses a candidate is no error.
pub fn sqlite_mutate<'c>(path: &Path, candidates: &'c [Candidate]) -> Result<Option<&'c Candidate>> {
    let connection = sqlite::open(path)?;
    let open = connection.execute_batch("pragma foreign_keys = off; pragma writable_schema = on");
    open.map_err(|error| Error::environment("cannot change the file").caused_by(error))?;
    let can_be_done = |candidate: &&Candidate| match candidate.changes_rows() {
        true => connection.execute(&candidate.statement, []).is_ok_and(|rows| rows > 0),
        false => connection.execute_batch(&candidate.statement).is_ok(),
    };
    Ok(candidates.iter().find(can_be_done))
}
