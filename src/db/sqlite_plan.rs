//! A table and its indexes, each read once from end to end.
//!
//! SQLite's `integrity_check` looks every row up in every index: where keys come at random, each look is another page.
//! Here the index is read in its own order instead, and its entries (columns and rowid) must be those of the table as a
//! multiset, each after the one before it, so that a look-up finds it. Where the pages of the file are read by us, each
//! tree is found sound besides. Indexes with another order than that of bytes (as in UTF-16), over expressions or over
//! some rows, and tables without a rowid are left to SQLite (docs/decisions/015-indexes-in-order.md,
//! docs/decisions/019-pages-read-by-us.md).

use super::sqlite::quoted;
use super::sqlite_file::Tree;
use super::sqlite_scan::{Found, Order, Part, Scan, Stored, joined};
use super::sqlite_table::{Index, Table};
use crate::model::TableDigest;
use rusqlite::Connection;

/// How a table is read: each part by itself, on any connection to the same file.
pub(crate) struct Plan {
    table: String,
    /// Of which columns the digest was asked for, where these are not all.
    asked: Option<usize>,
    /// The rows first, then each index; then trees that nobody wants to know more of, and what SQLite is asked.
    pub(crate) parts: Vec<Part>,
}

/// What becomes of indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indexes {
    /// Each is held against its table.
    Compared,
    /// Each is a tree that is sound.
    Walked,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// Of all columns by name, as in a `DatabaseState`.
    pub(crate) all: TableDigest,
    /// Of the columns that were asked for.
    pub(crate) asked: TableDigest,
}

impl Plan {
    /// Of a table of `main`; `asked`: some of its columns, or nothing for all.
    pub(crate) fn of(
        connection: &Connection,
        table: &str,
        asked: Option<&[String]>,
        indexes: Indexes,
    ) -> rusqlite::Result<Plan> {
        let facts = Table::read(connection, table)?;
        let keys = facts.keys().filter(|_| indexes == Indexes::Compared);
        let mut rows = facts.rows(table);
        let asked = asked.map(|names| joined(names.iter().filter_map(|name| facts.by_name(name))));
        let asked = asked.filter(|asked| *asked != rows.choices[0]).map(|asked| rows.add(asked));
        let mut others = facts.others(table, &rows, keys.is_some(), indexes);
        let mut parts = Vec::new();
        for (index, key) in keys.unwrap_or_default() {
            let places = key.iter().filter_map(|(name, _)| facts.by_name(name));
            rows.add(joined(places.chain([facts.columns.len()])));
            parts.push(Part::Scan(facts.entries(table, index, key)));
        }
        parts.insert(0, Part::Scan(rows));
        parts.append(&mut others);
        Ok(Plan { table: table.to_owned(), asked, parts })
    }

    /// `found`: of each part, in their order.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn judge(&self, found: &[Found]) -> Result<Content, String> {
        if let Some(complaint) = found.iter().find_map(|found| found.complaint.clone()) {
            return Err(complaint);
        }
        let rows = &found[0].digests;
        let of_indexes = &rows[1 + usize::from(self.asked.is_some())..];
        for ((part, index), expected) in self.parts[1..].iter().zip(&found[1..]).zip(of_indexes) {
            if let (Part::Scan(scan), [digest]) = (part, index.digests.as_slice())
                && digest != expected
            {
                let (table, name) = (&self.table, &scan.name);
                return Err(format!("index {name} holds {digest}, and its table {table} {expected} of those columns"));
            }
        }
        Ok(Content { all: rows[0], asked: rows[self.asked.unwrap_or_default()] })
    }
}

type Key<'a> = (&'a Index, &'a [(String, bool)]);

impl Table {
    /// The places of columns by their names, as they stand in a `DatabaseState`.
    fn names(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.columns.len()).collect();
        places.sort_by_key(|place| &self.columns[*place].name);
        places
    }

    fn by_name(&self, name: &str) -> Option<usize> {
        self.names().iter().position(|place| Some(*place) == self.place(name))
    }

    /// The keys of all indexes, where every one can be held against the rows.
    fn keys(&self) -> Option<Vec<Key<'_>>> {
        self.rowid.and_then(|_| self.indexes.iter().map(|index| Some((index, index.key.as_deref()?))).collect())
    }

    fn rows(&self, table: &str) -> Scan {
        let places = self.names();
        let names = places.iter().map(|place| quoted(&self.columns[*place].name));
        let list: Vec<String> = names.chain(self.rowid.map(str::to_owned)).collect();
        let sql = format!("select {} from main.{} not indexed", list.join(", "), quoted(table));
        let stored = self.layout(&places).map(|layout| Stored { tree: self.tree, layout });
        Scan { name: table.to_owned(), sql, stored, choices: vec![joined(0..places.len())], order: None }
    }

    fn entries(&self, table: &str, index: &Index, key: &[(String, bool)]) -> Scan {
        let list: Vec<String> = key.iter().map(|(name, _)| quoted(name)).collect();
        let (list, table, name) = (list.join(", "), quoted(table), quoted(&index.name));
        let sql = format!("select {list}, {} from main.{table} indexed by {name}", self.rowid.unwrap_or_default());
        let places: Vec<usize> = key.iter().filter_map(|(name, _)| self.place(name)).collect();
        let descending = key.iter().map(|(_, is_descending)| *is_descending).collect();
        Scan {
            name: index.name.clone(),
            sql,
            stored: Some(Stored { tree: index.tree, layout: self.entry(&places) }),
            choices: vec![joined(0..=key.len())],
            order: Some(Order { descending, is_unique: index.is_unique }),
        }
    }

    /// What else there is to read: trees whose entries nobody wants, and what only SQLite knows.
    fn others(&self, table: &str, rows: &Scan, are_compared: bool, indexes: Indexes) -> Vec<Part> {
        let mut trees: Vec<(&str, Tree)> = Vec::new();
        if !are_compared {
            trees.extend(self.indexes.iter().map(|index| (index.name.as_str(), index.tree)));
        }
        if rows.stored.is_none() {
            trees.push((table, self.tree));
        }
        let mut parts: Vec<Part> =
            trees.into_iter().map(|(name, tree)| Part::Tree(format!("tree {name}"), tree)).collect();
        match indexes == Indexes::Compared && !are_compared {
            true => parts.push(Part::Ask(format!("integrity_check({})", quoted(table)))),
            false if rows.stored.is_none() || self.is_strict => {
                parts.push(Part::Ask(format!("quick_check({})", quoted(table))));
            }
            false => {}
        }
        parts
    }
}

#[cfg(test)]
mod tests;
