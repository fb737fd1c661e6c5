//! Rows of a table, or entries of an index, read once from end to end.

use super::sqlite::{failed, first_complaint, quoted};
use super::sqlite_file::{Flaw, Layout, Pages, Seen, Taken, Tree, Why, entries, structure};
use super::sqlite_value;
use crate::error::{Error, Result};
use crate::model::TableDigest;
use rusqlite::{Connection, Row};
use std::cmp::Ordering;
use std::ops::Range;

/// One reading.
pub(crate) enum Part {
    /// Rows, or entries of an index.
    Scan(Scan),
    /// A tree whose entries nobody wants, by its name.
    Tree(String, Tree),
    /// SQLite's own check.
    Ask(String),
}

/// What a part has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Of each choice of a scan.
    pub(super) digests: Vec<TableDigest>,
    /// The pages of its tree, where we have read it ourselves.
    pub(crate) pages: Option<Seen>,
    /// What is wrong, whatever the others have found.
    pub(crate) complaint: Option<String>,
}

/// See the module.
pub(crate) struct Scan {
    /// The table, or the index.
    pub(super) name: String,
    pub(super) sql: String,
    /// How we read it ourselves.
    pub(super) stored: Option<Stored>,
    /// Places of columns, those side by side taken together; each gives a digest.
    pub(super) choices: Vec<Vec<Range<usize>>>,
    pub(super) order: Option<Order>,
}

/// Where the columns of a scan are.
pub(super) struct Stored {
    pub(super) tree: Tree,
    pub(super) layout: Layout,
}

/// How the entries of an index follow each other.
pub(super) struct Order {
    /// Of each column of the key.
    pub(super) descending: Vec<bool>,
    /// No two entries have the same key, unless there is a NULL in it.
    pub(super) is_unique: bool,
}

/// Where the file is read: by SQLite, and by us where we can.
pub(crate) struct Ways<'a> {
    /// Opened when it is needed.
    pub(crate) connect: &'a dyn Fn() -> Result<Connection>,
    pub(crate) pages: Option<&'a Pages>,
}

/// The values of a row, encoded one after the other.
#[derive(Default)]
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// The rows of a scan, one after the other.
struct Reader<'a> {
    scan: &'a Scan,
    found: Found,
    this: Encoded,
    last: Encoded,
    chosen: Vec<u8>,
}

impl Part {
    /// How long it takes, of a file of one size.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Part::Ask(_) => 8,
            Part::Scan(scan) if scan.order.is_none() => 4,
            Part::Scan(_) => 2,
            Part::Tree(..) => 1,
        }
    }

    /// # Errors
    /// SQLite's words, or the file cannot be read.
    pub(crate) fn read(&self, ways: &Ways<'_>) -> Result<Found> {
        match (self, ways.pages) {
            (Part::Scan(scan), Some(pages)) if scan.stored.is_some() => scan.read_pages(ways, pages),
            (Part::Scan(scan), _) => scan.read_rows(&(ways.connect)()?),
            (Part::Tree(name, tree), Some(pages)) => found(name, structure(pages, *tree)),
            (Part::Tree(..), None) => Ok(Found::default()), // then SQLite is asked about all pages
            (Part::Ask(pragma), _) => asked(&(ways.connect)()?, pragma),
        }
    }
}

fn asked(connection: &Connection, pragma: &str) -> Result<Found> {
    first_complaint(connection, pragma).map(|complaint| Found { complaint, ..Found::default() })
}

fn found(name: &str, read: std::result::Result<Seen, Flaw>) -> Result<Found> {
    match read.map_err(Flaw::why) {
        Ok(pages) => Ok(Found { pages: Some(pages), ..Found::default() }),
        Err(Why::Found(what)) => Ok(Found { complaint: Some(format!("{name}: {what}")), ..Found::default() }),
        Err(Why::Io(error)) => Err(Error::environment(format!("cannot read the pages of {name}")).caused_by(error)),
    }
}

impl Scan {
    /// Its place.
    pub(super) fn add(&mut self, choice: Vec<Range<usize>>) -> usize {
        self.choices.push(choice);
        self.choices.len() - 1
    }

    fn reader(&self) -> Reader<'_> {
        let found = Found { digests: vec![TableDigest::default(); self.choices.len()], ..Found::default() };
        Reader { scan: self, found, this: Encoded::default(), last: Encoded::default(), chosen: Vec::new() }
    }

    fn read_rows(&self, connection: &Connection) -> Result<Found> {
        let read = || -> rusqlite::Result<Found> {
            let mut statement = connection.prepare(&self.sql)?;
            let width = statement.column_count();
            let mut rows = statement.query([])?;
            let mut reader = self.reader();
            while let Some(row) = rows.next()? {
                reader.this.take(row, width)?;
                if !reader.add() {
                    break;
                }
            }
            Ok(reader.found)
        };
        read().map_err(|error| failed(&format!("cannot read {} from end to end", self.name), error))
    }

    fn read_pages(&self, ways: &Ways<'_>, pages: &Pages) -> Result<Found> {
        let Some(stored) = &self.stored else { return Err(Error::bug("a scan without a tree")) };
        let (mut reader, mut spots) = (self.reader(), stored.layout.spots());
        let (mut is_short, mut is_in_order) = (false, true);
        let read = entries(pages, stored.tree, |rowid, record| {
            let Encoded { bytes, ends } = &mut reader.this;
            bytes.clear();
            is_short |= stored.layout.take(record, rowid, &mut spots, (bytes, ends))? == Taken::Short;
            is_in_order = is_in_order && (is_short || reader.add());
            Ok(())
        });
        let mut pages = found(&self.name, read)?;
        if !is_short {
            pages.digests = reader.found.digests;
            pages.complaint = pages.complaint.or(reader.found.complaint);
            return Ok(pages);
        }
        // Only SQLite knows the default of a column that came later.
        let connection = (ways.connect)()?;
        let rows = self.read_rows(&connection)?;
        let own = asked(&connection, &format!("quick_check({})", quoted(&self.name)))?;
        let complaint = pages.complaint.or(rows.complaint).or(own.complaint);
        Ok(Found { digests: rows.digests, pages: pages.pages, complaint })
    }
}

impl Reader<'_> {
    /// Takes the row that was read; whether it is where it belongs.
    #[inline]
    fn add(&mut self) -> bool {
        for (choice, digest) in self.scan.choices.iter().zip(&mut self.found.digests) {
            match choice.as_slice() {
                [one] => digest.add(self.this.values(one)),
                more => {
                    self.chosen.clear();
                    more.iter().for_each(|range| self.chosen.extend_from_slice(self.this.values(range)));
                    digest.add(&self.chosen);
                }
            }
        }
        let Some(order) = &self.scan.order else { return true };
        if !self.last.ends.is_empty() && !order.holds(&self.last, &self.this) {
            let (name, number) = (&self.scan.name, self.found.digests[0].rows);
            self.found.complaint = Some(format!("index {name}: entry {number} is not after the one before it"));
            return false;
        }
        std::mem::swap(&mut self.this, &mut self.last);
        true
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
