//! One target, built beside its place: schema, rows, indexes, counters; on the disk at the end. `check` reads it then.
//!
//! Nobody knows the file yet, and a crash throws it away: so no journal and no sync until the end. A table that is the
//! same on both sides goes page by page (SQLite's transfer of `insert into t select * from s`), its indexes with it;
//! for the others the rows come in the order of their key, and the indexes are made after them. Triggers are made last: a
//! migration must not set them off.

use super::expect;
use super::fit::Move;
use super::group::Group;
use crate::db::sqlite::quoted;
use crate::model::TableDigest;
use crate::tool::whole::sync;
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;

/// A move that is done.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub(super) step: Move,
    pub(super) read_rows: u64,
    pub(super) written_rows: u64,
    /// Of the rows that were to be written.
    pub(super) digest: TableDigest,
}

/// Rows of a source, and those of them that were written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brought {
    pub(super) read_rows: u64,
    pub(super) written_rows: u64,
}

impl Moved {
    pub(super) fn of(step: &Move, rows: Brought, digest: TableDigest) -> Moved {
        Moved { step: step.clone(), read_rows: rows.read_rows, written_rows: rows.written_rows, digest }
    }
}

/// Builds the file at `path`, which must not exist. Answers for each move of each group, in their order.
///
/// # Errors
/// Refused, with file and table: a conflict, an orphan, a value that the target does not take.
pub(super) fn build(
    path: &Path,
    schema: &str,
    groups: &[&Group<'_>],
    uris: &BTreeMap<String, String>,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Vec<Brought>> {
    let failed = |error| Error::environment(format!("cannot build {}", path.display())).caused_by(error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.execute_batch(schema).map_err(failed)?;
    connection.execute_batch(UNSAFE).map_err(failed)?;
    let later = take_off(&connection, groups).map_err(failed)?;
    let mut done = Vec::new();
    for group in groups {
        group.attach(&connection, uris).map_err(failed)?;
        for (index, one) in group.moves.iter().enumerate() {
            let brought = bring(&connection, group, index)?;
            progress(&format!("{}.{} -> {}: {} rows", one.source, one.table, group.into, brought.written_rows));
            done.push(brought);
        }
        if group.table.counts {
            counter(&connection, group).map_err(failed)?;
        }
        group.detach(&connection).map_err(failed)?;
    }
    connection.execute_batch("pragma shrink_memory").map_err(failed)?;
    for sql in later {
        let refused = |error| Error::refused(format!("{}: {sql}", path.display())).caused_by(error);
        connection.execute_batch(&sql).map_err(refused)?;
    }
    referred(&connection, groups, progress)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    sync(path)?;
    Ok(done)
}

/// Pages are written at the end of a tree, and seldom come back. What sorts, rows or an index, may hold as much as the
/// cache, besides.
const UNSAFE: &str = "pragma synchronous = off; pragma journal_mode = off; pragma locking_mode = exclusive; \
                      pragma foreign_keys = off; pragma cache_size = -1000";

/// Removes triggers, and the indexes of tables that do not go page by page; answers with what brings them back.
fn take_off(connection: &Connection, groups: &[&Group<'_>]) -> rusqlite::Result<Vec<String>> {
    let is_whole = |group: &Group<'_>| group.moves.len() == 1 && group.moves[0].is_whole;
    let by_pages = |table: &str| groups.iter().find(|group| group.into == table).is_none_or(|group| is_whole(group));
    let sql = "select type, name, tbl_name, sql from sqlite_master where type in ('index', 'trigger') and sql is not \
               null order by type, rowid";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let found = found.collect::<rusqlite::Result<Vec<(String, String, String, String)>>>()?;
    let mut later = Vec::new();
    for (kind, name, table, sql) in found {
        // A unique index is what finds conflicts while it is still known whose they are.
        let is_unique = sql.to_lowercase().starts_with("create unique");
        if kind == "trigger" || (!by_pages(&table) && !is_unique) {
            connection.execute_batch(&format!("drop {kind} {}", quoted(&name)))?;
            later.push(sql);
        }
    }
    Ok(later)
}

fn bring(connection: &Connection, group: &Group<'_>, index: usize) -> Result<Brought> {
    let one = group.moves[index];
    let place = |error: Error| error.within(format!("{}: table {}", one.source, one.table));
    let insert = match one.is_whole && index == 0 {
        true => format!(
            "insert into main.{} select * from {}.{}",
            quoted(&one.into),
            expect::alias(&one.source),
            quoted(&one.table)
        ),
        false => {
            let (columns, order) = (expect::column_list(one), expect::order(one, group.table));
            format!("insert into main.{} ({columns}) {}{order}", quoted(&one.into), group.rows(index))
        }
    };
    let written_rows =
        connection.execute(&insert, []).map_err(|error| place(refusal(connection, group, index, error)))?;
    if group.is_as_it_was(index) {
        return Ok(Brought { read_rows: written_rows as u64, written_rows: written_rows as u64 });
    }
    let read = connection.query_row(&expect::read_count(one), [], |row| row.get::<_, i64>(0));
    let read = read.map_err(|error| place(Error::environment("cannot count the rows").caused_by(error)))?;
    Ok(Brought { read_rows: read as u64, written_rows: written_rows as u64 })
}

/// Why SQLite did not take the rows, with the keys that are there twice.
fn refusal(connection: &Connection, group: &Group<'_>, index: usize, error: rusqlite::Error) -> Error {
    let (one, earlier, table) = (group.moves[index], &group.moves[..index], group.table);
    let keys = |sql: String| -> rusqlite::Result<Vec<String>> {
        connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
    };
    let twice: Vec<String> =
        expect::conflicts(one, earlier, table).into_iter().flat_map(|sql| keys(sql).unwrap_or_default()).collect();
    if twice.is_empty() {
        return Error::refused(format!("{} does not take a row", one.into)).caused_by(error);
    }
    let others: Vec<String> = earlier.iter().map(|other| format!("{}.{}", other.source, other.table)).collect();
    Error::refused(format!(
        "rows have a key that a row of {} has in {} ({}): repair one of them, or declare `on_conflict` or `set`",
        others.join(", "),
        one.into,
        twice.join("; ")
    ))
}

/// The next number of a counter is past those of all its sources.
fn counter(connection: &Connection, group: &Group<'_>) -> rusqlite::Result<()> {
    let mut last: Option<i64> = None;
    let into = group.into;
    for one in &group.moves {
        let sql = format!("select seq from {}.sqlite_sequence where name = ?1", expect::alias(&one.source));
        let found = connection.query_row(&sql, [&one.table], |row| row.get::<_, i64>(0)).ok();
        last = last.max(found);
    }
    let Some(last) = last else { return Ok(()) };
    let own = "select max(seq) from main.sqlite_sequence where name = ?1";
    let last = connection.query_row(own, [into], |row| row.get::<_, Option<i64>>(0))?.max(Some(last));
    connection.execute("delete from main.sqlite_sequence where name = ?1", [into])?;
    connection.execute("insert into main.sqlite_sequence (name, seq) values (?1, ?2)", (into, last)).map(drop)
}

/// Whether every row that is referred to is there.
fn referred(connection: &Connection, groups: &[&Group<'_>], progress: &(dyn Fn(&str) + Send + Sync)) -> Result<()> {
    let failed = |error| Error::environment("cannot check what was built").caused_by(error);
    let sql = "select \"table\", parent, count(*) from pragma_foreign_key_check group by 1, 2 order by 1, 2";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(failed)?;
    let found = found.collect::<rusqlite::Result<Vec<(String, String, i64)>>>().map_err(failed)?;
    for (table, parent, rows) in found {
        let moves = || groups.iter().flat_map(|group| &group.moves);
        let declared = |one: &&&Move| one.into == table && one.orphans == super::profile::Orphans::Keep;
        let text = format!("{rows} rows of {table} refer to rows of {parent} that are not there");
        match moves().find(declared) {
            Some(_) => progress(&format!("{text}: kept, as declared")),
            None => {
                let from = moves().find(|one| one.into == table);
                let from = from.map_or(String::new(), |one| format!("{}: table {}: ", one.source, one.table));
                return Err(Error::refused(format!("{from}{text}: declare `where` or `orphans`, or repair them")));
            }
        }
    }
    Ok(())
}
