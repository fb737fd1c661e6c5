//! One target, built beside its place: schema, rows, indexes, counters; then checked, compared and on the disk.
//!
//! Nobody knows the file yet, and a crash throws it away: so no journal and no sync until the end. A table that is the
//! same on both sides goes page by page (SQLite's transfer of `insert into t select * from s`), its indexes with it;
//! for the others the indexes are made after the rows. Triggers are made last: a migration must not set them off.

use super::fit::Move;
use super::shape::Shape;
use super::{expect, verify};
use crate::db::sqlite::{first_complaint, quoted, sqlite_query_digest};
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
    pub(super) digest: TableDigest,
}

/// Builds the file at `path`, which must not exist.
///
/// # Errors
/// Refused, with file and table: a conflict, an orphan, a value that the target does not take, a difference.
pub(super) fn build(
    path: &Path,
    schema: &str,
    moves: &[&Move],
    uris: &BTreeMap<String, String>,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Vec<Moved>> {
    let failed = |error| Error::environment(format!("cannot build {}", path.display())).caused_by(error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.execute_batch(schema).map_err(failed)?;
    connection.execute_batch(UNSAFE).map_err(failed)?;
    let shape = Shape::read(&connection).map_err(failed)?;
    let later = take_off(&connection, moves).map_err(failed)?;
    let mut done = Vec::new();
    for (into, group) in grouped(moves) {
        let table = shape.tables.get(into).ok_or_else(|| Error::bug(format!("target table {into} is gone")))?;
        attach(&connection, &group, uris).map_err(failed)?;
        for (index, one) in group.iter().enumerate() {
            let moved = bring(&connection, one, &group[..index], table)?;
            progress(&format!("{}.{} -> {into}: {} rows", one.source, one.table, moved.written_rows));
            done.push(moved);
        }
        if table.counts {
            counter(&connection, into, &group).map_err(failed)?;
        }
        detach(&connection, &group).map_err(failed)?;
    }
    for sql in later {
        let refused = |error| Error::refused(format!("{}: {sql}", path.display())).caused_by(error);
        connection.execute_batch(&sql).map_err(refused)?;
    }
    sound(&connection, moves, progress)?;
    compared(&connection, &done)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    sync(path)?;
    Ok(done)
}

const UNSAFE: &str = "pragma synchronous = off; pragma journal_mode = off; pragma locking_mode = exclusive; \
                      pragma foreign_keys = off; pragma cache_size = -6000";

/// The moves by the table that they go to.
fn grouped<'a>(moves: &[&'a Move]) -> BTreeMap<&'a str, Vec<&'a Move>> {
    let mut groups: BTreeMap<&str, Vec<&Move>> = BTreeMap::new();
    for one in moves {
        groups.entry(&one.into).or_default().push(one);
    }
    groups
}

/// Removes triggers, and the indexes of tables that do not go page by page; answers with what brings them back.
fn take_off(connection: &Connection, moves: &[&Move]) -> rusqlite::Result<Vec<String>> {
    let groups = grouped(moves);
    let by_pages = |table: &str| groups.get(table).is_none_or(|group| group.len() == 1 && group[0].is_whole);
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

pub(super) fn attach(
    connection: &Connection,
    group: &[&Move],
    uris: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    for source in names(group) {
        let uri = uris.get(source).map_or("", String::as_str);
        connection.execute(&format!("attach ?1 as {}", expect::alias(source)), [uri])?;
    }
    Ok(())
}

pub(super) fn detach(connection: &Connection, group: &[&Move]) -> rusqlite::Result<()> {
    names(group).iter().try_for_each(|source| connection.execute_batch(&format!("detach {}", expect::alias(source))))
}

fn names<'a>(group: &[&'a Move]) -> std::collections::BTreeSet<&'a str> {
    group.iter().map(|one| one.source.as_str()).collect()
}

fn bring(connection: &Connection, one: &Move, earlier: &[&Move], table: &super::shape::Table) -> Result<Moved> {
    let place = |error: Error| error.within(format!("{}: table {}", one.source, one.table));
    let wanted = expect::rows(one, earlier, table);
    let insert = match one.is_whole && earlier.is_empty() {
        true => format!(
            "insert into main.{} select * from {}.{}",
            quoted(&one.into),
            expect::alias(&one.source),
            quoted(&one.table)
        ),
        false => format!("insert into main.{} ({}) {wanted}", quoted(&one.into), expect::column_list(one)),
    };
    let written_rows =
        connection.execute(&insert, []).map_err(|error| place(refusal(connection, one, earlier, table, error)))?;
    let digest = sqlite_query_digest(connection, &wanted).map_err(place)?;
    let read = connection.query_row(&expect::read_count(one), [], |row| row.get::<_, i64>(0));
    let read = read.map_err(|error| place(Error::environment("cannot count the rows").caused_by(error)))?;
    Ok(Moved { step: one.clone(), read_rows: read as u64, written_rows: written_rows as u64, digest })
}

/// Why SQLite did not take the rows, with the keys that are there twice.
fn refusal(
    connection: &Connection,
    one: &Move,
    earlier: &[&Move],
    table: &super::shape::Table,
    error: rusqlite::Error,
) -> Error {
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
fn counter(connection: &Connection, into: &str, group: &[&Move]) -> rusqlite::Result<()> {
    let mut last: Option<i64> = None;
    for one in group {
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

/// Foreign keys and integrity of what was built.
fn sound(connection: &Connection, moves: &[&Move], progress: &(dyn Fn(&str) + Send + Sync)) -> Result<()> {
    let failed = |error| Error::environment("cannot check what was built").caused_by(error);
    let sql = "select \"table\", parent, count(*) from pragma_foreign_key_check group by 1, 2 order by 1, 2";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(failed)?;
    let found = found.collect::<rusqlite::Result<Vec<(String, String, i64)>>>().map_err(failed)?;
    for (table, parent, rows) in found {
        let declared = |one: &&&Move| one.into == table && one.orphans == super::profile::Orphans::Keep;
        let text = format!("{rows} rows of {table} refer to rows of {parent} that are not there");
        match moves.iter().find(declared) {
            Some(_) => progress(&format!("{text}: kept, as declared")),
            None => {
                let from = moves.iter().find(|one| one.into == table);
                let from = from.map_or(String::new(), |one| format!("{}: table {}: ", one.source, one.table));
                return Err(Error::refused(format!("{from}{text}: declare `where` or `orphans`, or repair them")));
            }
        }
    }
    match first_complaint(connection, "integrity_check")? {
        None => Ok(()),
        Some(found) => Err(Error::refused(format!("what was built is not sound: {found}"))),
    }
}

/// Whether every table holds exactly what its sources gave.
fn compared(connection: &Connection, done: &[Moved]) -> Result<()> {
    for (into, expected) in verify::expected(done) {
        let list = done
            .iter()
            .find(|moved| moved.step.into == into)
            .map_or_else(String::new, |moved| expect::column_list(&moved.step));
        let found = sqlite_query_digest(connection, &format!("select {list} from main.{}", quoted(into)))?;
        if found != expected {
            return Err(Error::refused(format!("table {into} holds {found}, and its sources gave {expected}")));
        }
    }
    Ok(())
}
