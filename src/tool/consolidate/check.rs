//! A file as a whole, read by somebody who did not write it: its pages, each table, each index beside its table.
//!
//! Everything is read once, from end to end, in pieces that can be read side by side; one reading tells whether the file
//! is sound, whether it holds what it must, and what it holds altogether.

use super::jobs::Task;
use crate::db::sqlite::{LITTLE_CACHE, definitions, open_immutable, quoted, stored_tables};
use crate::db::sqlite_file::{Kind, Pages, Tree};
use crate::db::sqlite_plan::{Content, Indexes, Plan};
use crate::db::sqlite_scan::{Found, Part, Ways};
use crate::model::{DatabaseState, TableDigest};
use crate::{Error, Result};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a file is read.
pub(super) struct Reading {
    path: PathBuf,
    bytes: u64,
    /// Where we read them ourselves.
    pages: Option<Pages>,
    /// All but the rows.
    state: DatabaseState,
    /// What belongs to no table with rows of its own.
    others: Vec<Part>,
    plans: BTreeMap<String, Plan>,
}

/// Columns of a table of which the digest is wanted; of all where it is not there.
pub(super) type Asked = BTreeMap<String, Vec<String>>;

/// The digest of those columns, as it must be.
pub(super) type Expected = BTreeMap<String, TableDigest>;

impl Reading {
    /// Of the file at `path`, which nobody writes, and which nothing lies beside.
    ///
    /// # Errors
    /// SQLite cannot read it.
    pub(super) fn of(path: &Path, asked: &Asked, indexes: Indexes) -> Result<Reading> {
        let plan = || -> Result<Reading> {
            let connection = open_immutable(path)?;
            let read = |error| Error::environment("its tables cannot be read").caused_by(error);
            let pages = Pages::open(path).map_err(|error| Error::io("read", path, error))?;
            let plan = |table: String| {
                let asked = asked.get(&table).map(Vec::as_slice);
                Plan::of(&connection, &table, asked, indexes).map(|plan| (table, plan))
            };
            let plans = stored_tables(&connection).map_err(read)?.into_iter().map(plan);
            Ok(Reading {
                path: path.to_owned(),
                bytes: path.metadata().map(|about| about.len()).map_err(|error| Error::io("read", path, error))?,
                state: definitions(&connection)?,
                plans: plans.collect::<rusqlite::Result<_>>().map_err(read)?,
                others: others(&connection, pages.is_some()).map_err(read)?,
                pages,
            })
        };
        plan().map_err(|error| error.within(path.display()))
    }

    /// Each reads a part, on a connection of its own where it needs one; `done`: what is made of its result.
    pub(super) fn tasks<'a, T: 'a>(&'a self, done: fn(Result<Found>) -> T) -> Vec<Task<'a, T>> {
        self.parts().map(|part| Task::new(part.weight() * self.bytes, move || done(self.read(part)))).collect()
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.plans.values().flat_map(|plan| &plan.parts).chain(&self.others)
    }

    fn read(&self, part: &Part) -> Result<Found> {
        let connect = || open_to_scan(&self.path);
        let ways = Ways { connect: &connect, pages: self.pages.as_ref() };
        part.read(&ways).map_err(|error| error.within(self.path.display()))
    }

    /// What each table holds; `found`: of each task, in their order.
    ///
    /// # Errors
    /// Why the file is not sound, in words.
    pub(super) fn contents(&self, found: &[Found]) -> std::result::Result<BTreeMap<String, Content>, String> {
        let (mut contents, mut rest) = (BTreeMap::new(), found);
        for (table, plan) in &self.plans {
            let (of_table, others) = rest.split_at(plan.parts.len());
            contents.insert(table.clone(), plan.judge(of_table)?);
            rest = others;
        }
        if let Some(complaint) = rest.iter().find_map(|found| found.complaint.clone()) {
            return Err(complaint);
        }
        if let Some(pages) = &self.pages {
            pages.account(found.iter().filter_map(|found| found.pages.as_ref())).map_err(|flaw| flaw.to_string())?;
        }
        Ok(contents)
    }

    /// All that the file holds; `found`: of each task, in their order.
    ///
    /// # Errors
    /// Refused: it is not sound, or a table does not hold what it must.
    pub(super) fn judge(mut self, found: &[Found], expected: &Expected) -> Result<DatabaseState> {
        let refused = |text: String| Error::refused(format!("{}: {text}", self.path.display()));
        let contents = self.contents(found).map_err(|complaint| refused(format!("it is not sound: {complaint}")))?;
        for (table, content) in contents {
            match expected.get(&table) {
                Some(expected) if content.asked != *expected => {
                    let is = content.asked;
                    return Err(refused(format!("table {table} holds {is}, and its sources gave {expected}")));
                }
                _ => drop(self.state.tables.insert(table, content.all)),
            }
        }
        Ok(self.state)
    }
}

/// Trees of SQLite's own tables, and virtual tables; or all pages, where SQLite reads them.
fn others(connection: &Connection, by_us: bool) -> rusqlite::Result<Vec<Part>> {
    if !by_us {
        return Ok(vec![Part::Ask("quick_check(1)".to_owned())]);
    }
    let own = "select name, rootpage from sqlite_master where type = 'table' and name like 'sqlite\\_%' escape '\\'";
    let mut statement = connection.prepare(own)?;
    let trees = statement.query_map([], |row| {
        let tree = Tree { root: row.get(1)?, kind: Kind::Table };
        Ok(Part::Tree(row.get(0)?, tree))
    })?;
    let virtual_tables = "select name from pragma_table_list where schema = 'main' and type = 'virtual'";
    let mut statement = connection.prepare(virtual_tables)?;
    let asked = statement.query_map([], |row| {
        let name: String = row.get(0)?;
        Ok(Part::Ask(format!("quick_check({})", quoted(&name))))
    })?;
    trees.chain(asked).collect()
}

fn open_to_scan(path: &Path) -> Result<Connection> {
    let connection = open_immutable(path)?;
    let failed = |error| Error::environment("it cannot be read").caused_by(error);
    connection.execute_batch(&format!("pragma {LITTLE_CACHE}")).map_err(failed)?;
    Ok(connection)
}

/// All that the file at `path` holds, found sound.
///
/// # Errors
/// As of [`Reading::judge`].
pub(super) fn sound(path: &Path) -> Result<DatabaseState> {
    let reading = Reading::of(path, &Asked::new(), Indexes::Compared)?;
    let found = reading.parts().map(|part| reading.read(part)).collect::<Result<Vec<_>>>()?;
    reading.judge(&found, &Expected::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs;

    /// What is said of a file, of which `harm` was made with its bytes.
    fn said(sql: &str, harm: fn(&mut Vec<u8>)) -> std::result::Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&format!("pragma synchronous = off; {sql}")).unwrap();
        connection.close().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        harm(&mut bytes);
        fs::write(&path, bytes).unwrap();
        sound(&path).map(drop).map_err(|error| error.to_string())
    }

    /// A page that nobody knows.
    fn one_more(bytes: &mut Vec<u8>) {
        bytes.extend([0; 4096]);
        bytes[31] += 1;
    }

    #[rstest]
    #[case::a_page_in_no_tree("create table t (x)", one_more, "page 3 is never used")]
    #[case::the_same_by_sqlite("pragma auto_vacuum = 1; create table t (x)", one_more, "never used")]
    #[case::a_type("create table t (x integer) strict; pragma writable_schema = 1; insert into t values (1); \
                    update sqlite_schema set sql = 'create table t (x text) strict'", |_: &mut Vec<u8>| (), "non-TEXT value in t.x")]
    #[case::a_virtual_table("create virtual table v using fts5 (x); insert into v values ('a'); delete from v_content",
                            |_: &mut Vec<u8>| (), "malformed inverted index")]
    #[case::a_table_of_sqlites("create table t (k integer primary key autoincrement); insert into t values (1)",
                               |bytes: &mut Vec<u8>| bytes[2 * 4096 + 7] = 9, "sqlite_sequence: page 3: 0 bytes of it are in fragments")]
    fn what_is_not_sound_is_told(#[case] sql: &str, #[case] harm: fn(&mut Vec<u8>), #[case] expected: &str) {
        let said = said(sql, harm).unwrap_err();
        assert!(said.contains("it is not sound: ") && said.contains(expected), "{said}");
    }

    #[rstest]
    #[case(
        "create table t (k integer primary key autoincrement, x); create index i on t (x); insert into t (x) values (1); analyze"
    )]
    #[case("create virtual table v using fts5 (x); insert into v values ('a')")]
    #[case("create table t (x primary key) without rowid; insert into t values (1)")]
    #[case("pragma encoding = 'UTF-16'; create table t (x); insert into t values ('a')")]
    #[case("pragma auto_vacuum = 2; create table t (x); insert into t values (zeroblob(9000)); delete from t")]
    #[case(
        "create table t (x integer, y as (x + 1) stored, z as (x + 2)); create index i on t (y); insert into t values (1)"
    )]
    fn what_is_sound_is_taken(#[case] sql: &str) {
        assert_eq!(said(sql, |_| ()), Ok(()));
    }
}
