//! All that goes into one table of a target, and the sources that it comes from.

use super::expect;
use super::fit::Move;
use super::profile::OnConflict;
use super::shape::{Shape, Table};
use super::sources::Contents;
use crate::db::sqlite::{LITTLE_CACHE, quoted, sqlite_query_digest};
use crate::model::TableDigest;
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(super) struct Group<'a> {
    pub(super) target: &'a str,
    pub(super) into: &'a str,
    pub(super) table: &'a Table,
    /// In the order in which they come.
    pub(super) moves: Vec<&'a Move>,
}

impl<'a> Group<'a> {
    /// In the order of targets and their tables; `shapes`: those of the targets.
    pub(super) fn all(moves: &'a [Move], shapes: &'a BTreeMap<String, Shape>) -> Vec<Group<'a>> {
        let mut groups: BTreeMap<(&str, &str), Vec<&Move>> = BTreeMap::new();
        for one in moves {
            groups.entry((&one.target, &one.into)).or_default().push(one);
        }
        let group = |((target, into), moves): ((&'a str, &'a str), Vec<&'a Move>)| {
            let table = &shapes[target].tables[into]; // `fit` has found it
            Group { target, into, table, moves }
        };
        groups.into_iter().map(group).collect()
    }

    /// The rows that the move at `index` brings, as SQL over the attached sources.
    pub(super) fn rows(&self, index: usize) -> String {
        expect::rows(self.moves[index], &self.moves[..index], self.table)
    }

    /// All moves, each by its place.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&Group<'a>, usize)> {
        (0..self.moves.len()).map(move |index| (self, index))
    }

    /// Whether the move at `index` brings the whole table as it is.
    pub(super) fn is_as_it_was(&self, index: usize) -> bool {
        let one = self.moves[index];
        one.is_whole && (index == 0 || one.on_conflict != OnConflict::KeepFirst)
    }

    /// Then the digest of what it brings is that of the table.
    pub(super) fn as_it_was(&self, index: usize, contents: &Contents) -> Option<TableDigest> {
        let one = self.moves[index];
        let content = contents.get(&one.source)?.get(&one.table)?;
        self.is_as_it_was(index).then_some(content.all)
    }

    /// Count and digest of those rows.
    ///
    /// # Errors
    /// SQLite's words, with source and table.
    pub(super) fn digest(&self, index: usize, uris: &BTreeMap<String, String>) -> Result<TableDigest> {
        let one = self.moves[index];
        let within = |error: Error| error.within(format!("{}: table {}", one.source, one.table));
        let connection = self.connect(uris)?;
        sqlite_query_digest(&connection, &self.rows(index)).map_err(within)
    }

    /// A connection on which nothing but the sources is attached.
    ///
    /// # Errors
    /// SQLite's words.
    pub(super) fn connect(&self, uris: &BTreeMap<String, String>) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_in_memory_with_flags(flags)?;
            self.attach(&connection, uris)?;
            Ok(connection)
        };
        open().map_err(|error| Error::environment(format!("cannot read the sources of {}", self.into)).caused_by(error))
    }

    /// The same with a target, as `target`.
    ///
    /// # Errors
    /// SQLite's words.
    pub(super) fn beside(&self, target: &str, uris: &BTreeMap<String, String>) -> Result<Connection> {
        let connection = self.connect(uris)?;
        let failed = |error| Error::environment("cannot read the target").caused_by(error);
        connection.execute("attach ?1 as target", [target]).map_err(failed)?;
        connection.execute_batch(&format!("pragma target.{LITTLE_CACHE}")).map_err(failed)?;
        Ok(connection)
    }

    /// The columns that are filled.
    pub(super) fn filled(&self) -> Vec<String> {
        self.moves[0].columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The same as they are in `target`.
    pub(super) fn found(&self) -> String {
        format!("select {} from target.{} not indexed", expect::column_list(self.moves[0]), quoted(self.into))
    }

    pub(super) fn attach(&self, connection: &Connection, uris: &BTreeMap<String, String>) -> rusqlite::Result<()> {
        for source in self.sources() {
            let uri = uris.get(source).map_or("", String::as_str);
            connection.execute(&format!("attach ?1 as {}", expect::alias(source)), [uri])?;
            connection.execute_batch(&format!("pragma {}.{LITTLE_CACHE}", expect::alias(source)))?;
        }
        Ok(())
    }

    pub(super) fn detach(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.sources()
            .iter()
            .try_for_each(|source| connection.execute_batch(&format!("detach {}", expect::alias(source))))
    }

    fn sources(&self) -> BTreeSet<&'a str> {
        self.moves.iter().map(|one| one.source.as_str()).collect()
    }
}
