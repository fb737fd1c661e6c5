//! `verify`: the content of the targets against that of the sources, table by table.

use super::build::{Moved, attach, detach};
use super::expect;
use super::fit::Move;
use super::snapshot::Snapshot;
use super::sources::Sources;
use super::{Profile, Run};
use crate::db::sqlite::{quoted, sqlite_query_digest};
use crate::model::TableDigest;
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;

/// What each table of a target must hold: the rows of all its sources together.
pub(super) fn expected(done: &[Moved]) -> BTreeMap<&str, TableDigest> {
    let mut expected: BTreeMap<&str, TableDigest> = BTreeMap::new();
    for moved in done {
        let sum = expected.entry(moved.step.into.as_str()).or_default();
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
    let mut compared = Vec::new();
    for (name, target) in &run.profile.target {
        let path = run.place.file(&target.file);
        let snapshot = Snapshot::take(&path, scratch, run.options.patience)?;
        let mine: Vec<&Move> = moves.iter().filter(|one| one.target == *name).collect();
        let failed = |error: Error| error.within(path.display());
        compared.extend(tables(&snapshot, &mine, sources, name).map_err(failed)?);
        snapshot.recheck()?;
    }
    sources.recheck()?;
    Ok(compared)
}

fn tables(target: &Snapshot, moves: &[&Move], sources: &Sources, name: &str) -> Result<Vec<Compared>> {
    let failed = |error| Error::environment("cannot compare").caused_by(error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_in_memory_with_flags(flags).map_err(failed)?;
    connection.execute("attach ?1 as target", [&target.uri]).map_err(failed)?;
    let shape = &sources.target_shapes[name];
    let mut groups: BTreeMap<&str, Vec<&Move>> = BTreeMap::new();
    moves.iter().for_each(|one| groups.entry(&one.into).or_default().push(one));
    let mut compared = Vec::new();
    for (into, group) in groups {
        attach(&connection, &group, &sources.uris).map_err(failed)?;
        let mut moved = Vec::new();
        let mut queries = Vec::new();
        for (index, one) in group.iter().enumerate() {
            let wanted = expect::rows(one, &group[..index], &shape.tables[into]);
            let digest = sqlite_query_digest(&connection, &wanted)?;
            let read =
                connection.query_row(&expect::read_count(one), [], |row| row.get::<_, i64>(0)).map_err(failed)?;
            moved.push(Moved { step: (*one).clone(), read_rows: read as u64, written_rows: digest.rows, digest });
            queries.push(wanted);
        }
        let found = format!("select {} from target.{}", expect::column_list(group[0]), quoted(into));
        let wanted = expected(&moved)[into];
        let (target, issue) = match sqlite_query_digest(&connection, &found) {
            Ok(digest) if digest == wanted => (digest, None),
            Ok(digest) => {
                (digest, Some(difference(&connection, into, &queries.join(" union all "), &found, (wanted, digest))))
            }
            Err(error) => (TableDigest::default(), Some(format!("table {into} cannot be read: {error}"))),
        };
        compared.push(Compared { moved, target, issue });
        detach(&connection, &group).map_err(failed)?;
    }
    Ok(compared)
}

/// How many rows only one side has.
fn difference(
    connection: &Connection,
    into: &str,
    wanted: &str,
    found: &str,
    (expected, is): (TableDigest, TableDigest),
) -> String {
    let count = |one: &str, other: &str| {
        let sql = format!("select count(*) from (select * from ({one}) except select * from ({other}))");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_or("?".to_owned(), |rows| rows.to_string())
    };
    format!(
        "table {into}: {} different rows of the sources are missing, {} are not of the sources; expected {expected}, found {is}",
        count(wanted, found),
        count(found, wanted)
    )
}

/// Tables of the targets whose rows a person looks at, with their counts.
pub(super) fn counted(profile: &Profile) -> impl Iterator<Item = (&str, &str)> {
    profile.target.iter().filter_map(|(name, target)| Some((name.as_str(), target.counted.as_deref()?)))
}
