//! `verify`: the content of the targets against that of the sources, table by table.

use super::build::{Brought, Moved};
use super::check::Expected;
use super::expect;
use super::fit::Move;
use super::group::Group;
use super::jobs::{Task, side_by_side};
use super::snapshot::Snapshot;
use super::sources::Sources;
use super::{Profile, Run};
use crate::db::sqlite::sqlite_query_digest;
use crate::model::TableDigest;
use crate::{Error, Result};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// What each table of a target must hold: the rows of all its sources together.
pub(super) fn expected<'a>(moved: impl Iterator<Item = &'a Moved>) -> Expected {
    let mut expected = Expected::new();
    for moved in moved {
        let sum: &mut TableDigest = expected.entry(moved.step.into.clone()).or_default();
        *sum = sum.and(moved.digest);
    }
    expected
}

/// One table of a target, as it must be and as it is.
pub(super) struct Compared {
    pub(super) moved: Vec<Moved>,
    pub(super) target: TableDigest,
    /// What differs, in words; nothing where both are the same.
    pub(super) issue: Option<String>,
}

/// Compares every table of every target; sources and targets are read without a trace.
///
/// # Errors
/// A file cannot be read. A difference is no error.
pub(super) fn compare(run: &Run, sources: &Sources, moves: &[Move], scratch: &Path) -> Result<Vec<Compared>> {
    let mut targets = BTreeMap::new();
    for (name, target) in &run.profile.target {
        targets.insert(name.as_str(), Snapshot::take(&run.place.file(&target.file), scratch, run.options.patience)?);
    }
    let contents = sources.check(run)?;
    let (groups, uris) = (Group::all(moves, &sources.target_shapes), &sources.uris);
    let mut tasks: Vec<Task<'_, Result<TableDigest>>> = Vec::new();
    for group in &groups {
        let uri = &targets[group.target].uri;
        tasks.push(Task::new(2, move || sqlite_query_digest(&group.beside(uri, &BTreeMap::new())?, &group.found())));
        for (group, index) in group.steps() {
            let known = group.as_it_was(index, &contents);
            tasks.push(Task::new(1, move || known.map_or_else(|| group.digest(index, uris), Ok)));
        }
    }
    let mut read = side_by_side(run.jobs(), tasks).into_iter();
    let mut compared = Vec::new();
    for group in &groups {
        let read = read.by_ref().take(1 + group.moves.len()).collect();
        let (file, uri) = (&run.profile.target[group.target].file, &targets[group.target].uri);
        let within = |error: Error| error.within(run.place.file(file).display());
        compared.push(table(group, read, uri, sources).map_err(within)?);
    }
    targets.values().try_for_each(Snapshot::recheck)?;
    sources.recheck()?;
    Ok(compared)
}

/// `read`: of the target, then of each move.
fn table(group: &Group<'_>, read: Vec<Result<TableDigest>>, uri: &str, sources: &Sources) -> Result<Compared> {
    let mut read = read.into_iter();
    let found = read.next().unwrap_or_else(|| Err(Error::bug("a table was not read")));
    let digests = read.collect::<Result<Vec<_>>>()?;
    let connection = group.beside(uri, &sources.uris)?;
    let failed = |error| Error::environment("cannot count the rows").caused_by(error);
    let mut moved = Vec::new();
    for (one, digest) in group.moves.iter().zip(digests) {
        let read = connection.query_row(&expect::read_count(one), [], |row| row.get::<_, i64>(0)).map_err(failed)?;
        let rows = Brought { read_rows: read as u64, written_rows: digest.rows };
        moved.push(Moved::of(one, rows, digest));
    }
    let wanted = moved.iter().fold(TableDigest::default(), |sum, one| sum.and(one.digest));
    let (target, issue) = match found {
        Ok(digest) if digest == wanted => (digest, None),
        Ok(digest) => (digest, Some(difference(&connection, group, wanted, digest))),
        Err(error) => (TableDigest::default(), Some(format!("table {} cannot be read: {error}", group.into))),
    };
    Ok(Compared { moved, target, issue })
}

/// How many rows only one side has.
fn difference(connection: &Connection, group: &Group<'_>, expected: TableDigest, is: TableDigest) -> String {
    let wanted: Vec<String> = (0..group.moves.len()).map(|index| group.rows(index)).collect();
    let (wanted, found) = (wanted.join(" union all "), group.found());
    let count = |one: &str, other: &str| {
        let sql = format!("select count(*) from (select * from ({one}) except select * from ({other}))");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_or("?".to_owned(), |rows| rows.to_string())
    };
    format!(
        "table {}: {} different rows of the sources are missing, {} are not of the sources; expected {expected}, found {is}",
        group.into,
        count(&wanted, &found),
        count(&found, &wanted)
    )
}

/// Tables of the targets whose rows a person looks at, with their counts.
pub(super) fn counted(profile: &Profile) -> impl Iterator<Item = (&str, &str)> {
    profile.target.iter().filter_map(|(name, target)| Some((name.as_str(), target.counted.as_deref()?)))
}
