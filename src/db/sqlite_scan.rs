//! Rows of a table, or entries of an index, read once from end to end.

use super::sqlite::{failed, first_complaint};
use super::sqlite_value;
use crate::error::Result;
use crate::model::TableDigest;
use rusqlite::{Connection, Row};
use std::cmp::Ordering;
use std::ops::Range;

/// One reading.
pub(crate) enum Part {
    /// Rows, or entries of an index.
    Scan(Scan),
    /// SQLite's own check.
    Ask(String),
}

/// What a part has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Of each choice of a scan.
    pub(super) digests: Vec<TableDigest>,
    /// What is wrong, whatever the others have found.
    pub(crate) complaint: Option<String>,
}

/// See the module.
pub(crate) struct Scan {
    /// The table, or the index.
    pub(super) name: String,
    pub(super) sql: String,
    /// Places of columns, those side by side taken together; each gives a digest.
    pub(super) choices: Vec<Vec<Range<usize>>>,
    pub(super) order: Option<Order>,
}

/// How the entries of an index follow each other.
pub(super) struct Order {
    /// Of each column of the key.
    pub(super) descending: Vec<bool>,
    /// No two entries have the same key, unless there is a NULL in it.
    pub(super) is_unique: bool,
}

/// The values of a row, encoded one after the other.
#[derive(Default)]
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Part {
    /// # Errors
    /// SQLite's words.
    pub(crate) fn read(&self, connection: &Connection) -> Result<Found> {
        match self {
            Part::Scan(scan) => scan
                .read(connection)
                .map_err(|error| failed(&format!("cannot read {} from end to end", scan.name), error)),
            Part::Ask(pragma) => {
                first_complaint(connection, pragma).map(|complaint| Found { complaint, ..Found::default() })
            }
        }
    }
}

impl Scan {
    /// Its place.
    pub(super) fn add(&mut self, choice: Vec<Range<usize>>) -> usize {
        self.choices.push(choice);
        self.choices.len() - 1
    }

    fn read(&self, connection: &Connection) -> rusqlite::Result<Found> {
        let mut statement = connection.prepare(&self.sql)?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        let mut found = Found { digests: vec![TableDigest::default(); self.choices.len()], complaint: None };
        let (mut this, mut last, mut chosen) = (Encoded::default(), Encoded::default(), Vec::new());
        while let Some(row) = rows.next()? {
            this.take(row, width)?;
            for (choice, digest) in self.choices.iter().zip(&mut found.digests) {
                match choice.as_slice() {
                    [one] => digest.add(this.values(one)),
                    more => {
                        chosen.clear();
                        more.iter().for_each(|range| chosen.extend_from_slice(this.values(range)));
                        digest.add(&chosen);
                    }
                }
            }
            if let Some(order) = &self.order {
                if !last.ends.is_empty() && !order.holds(&last, &this) {
                    let number = found.digests[0].rows;
                    found.complaint =
                        Some(format!("index {}: entry {number} is not after the one before it", self.name));
                    break;
                }
                std::mem::swap(&mut this, &mut last);
            }
        }
        Ok(found)
    }
}

impl Order {
    /// Whether `next` comes after `last`: by the columns of the key, then by the rowid.
    fn holds(&self, last: &Encoded, next: &Encoded) -> bool {
        let key = self.descending.len();
        let by_key = self.descending.iter().enumerate().map(|(place, is_descending)| {
            let order = sqlite_value::compare(last.value(place), next.value(place));
            if *is_descending { order.reverse() } else { order }
        });
        match by_key.fold(Ordering::Equal, Ordering::then) {
            Ordering::Equal => {
                let may_be = || !self.is_unique || (0..key).any(|place| sqlite_value::is_null(next.value(place)));
                sqlite_value::compare(last.value(key), next.value(key)) == Ordering::Less && may_be()
            }
            order => order == Ordering::Less,
        }
    }
}

impl Encoded {
    fn take(&mut self, row: &Row<'_>, width: usize) -> rusqlite::Result<()> {
        self.bytes.clear();
        self.ends.clear();
        for column in 0..width {
            sqlite_value::push(&mut self.bytes, row.get_ref(column)?);
            self.ends.push(self.bytes.len());
        }
        Ok(())
    }

    fn value(&self, place: usize) -> &[u8] {
        self.values(&(place..place + 1))
    }

    fn values(&self, places: &Range<usize>) -> &[u8] {
        let end = |count: usize| if count == 0 { 0 } else { self.ends[count - 1] };
        &self.bytes[end(places.start)..end(places.end)]
    }
}

/// Places as ranges.
pub(super) fn joined(places: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for place in places {
        match ranges.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            _ => ranges.push(place..place + 1),
        }
    }
    ranges
}
