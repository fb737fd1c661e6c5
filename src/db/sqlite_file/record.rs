//! The values of an entry, as SQLite would give them.

use super::{Flaw, varint};
use crate::db::sqlite_value;
use rusqlite::types::ValueRef;

/// Where a column is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// It is the rowid of the row.
    Rowid,
    /// It is a value of the record.
    Value {
        /// Its place in the record.
        place: usize,
        /// Whole numbers are stored as such, and are doubles.
        is_real: bool,
        /// No NULL is allowed.
        is_required: bool,
    },
}

/// Which values of a record are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// In the order in which they are given.
    pub(crate) fields: Vec<Field>,
    /// How many values a record has.
    pub(crate) width: usize,
    pub(crate) lacking: Lacking,
}

/// What a record that has fewer values lacks. It is from before a column was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacking {
    Null,
    /// Only SQLite knows.
    Default,
    /// No column can be added.
    Nothing,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// All is there.
    Whole,
    /// It is from before a column was added that has a default.
    Short,
}

/// The class and length of a value, and where it begins.
type Spot = (u64, usize);

const NULL: Spot = (0, 0);

impl Layout {
    /// Gives each value, encoded, to `row`, and says after each where it ends. `spots` is room for work.
    ///
    /// # Errors
    /// It is no record, or has a NULL where none may be.
    #[inline]
    pub(crate) fn take(
        &self,
        record: &[u8],
        rowid: i64,
        spots: &mut Vec<Spot>,
        (row, ends): (&mut Vec<u8>, &mut Vec<usize>),
    ) -> Result<Taken, Flaw> {
        parse(record, spots).ok_or_else(|| Flaw::found(format!("row {rowid}: it is no record")))?;
        if spots.len() != self.width {
            match self.lacking {
                Lacking::Null => spots.resize(self.width.max(spots.len()), NULL),
                Lacking::Default if spots.len() < self.width => return Ok(Taken::Short),
                Lacking::Default => {}
                Lacking::Nothing => return Err(Flaw::found(format!("an entry has {} values", spots.len()))),
            }
        }
        for field in &self.fields {
            match *field {
                Field::Rowid => sqlite_value::push_integer(row, rowid),
                Field::Value { place, is_real, is_required } => {
                    let is_null = push(row, record, spots[place], is_real);
                    if is_null && is_required {
                        return Err(Flaw::found(format!("row {rowid}: value {place} is NULL, and must not be")));
                    }
                }
            }
            ends.push(row.len());
        }
        Ok(Taken::Whole)
    }
}

/// Finds the values; nothing where they do not end with the record.
#[inline]
fn parse(record: &[u8], spots: &mut Vec<Spot>) -> Option<()> {
    spots.clear();
    let (header, mut at) = varint(record)?;
    let header = usize::try_from(header).ok().filter(|header| *header <= record.len())?;
    let mut begin = header;
    while at < header {
        let (class, length) = varint(&record[at..header])?;
        at += length;
        spots.push((class, begin));
        begin = begin.checked_add(length_of(class)?)?;
    }
    (at == header && begin == record.len()).then_some(())
}

#[inline]
fn length_of(class: u64) -> Option<usize> {
    match class {
        0..=4 => Some(class as usize),
        5 => Some(6),
        6 | 7 => Some(8),
        8 | 9 => Some(0),
        10 | 11 => None,
        _ => usize::try_from((class - 12) / 2).ok(),
    }
}

/// Whether it is NULL.
#[inline]
fn push(row: &mut Vec<u8>, record: &[u8], (class, begin): Spot, is_real: bool) -> bool {
    let bytes = |length: usize| &record[begin..begin + length];
    let integer = match class {
        0 => {
            sqlite_value::push_null(row);
            return true;
        }
        7 => {
            let number = f64::from_be_bytes(bytes(8).try_into().unwrap_or_default());
            match number.is_nan() {
                true => sqlite_value::push_null(row),
                false => sqlite_value::push_real(row, number),
            }
            return number.is_nan();
        }
        8 => 0,
        9 => 1,
        1..=6 => {
            let bytes = bytes(length_of(class).unwrap_or_default());
            let fill = if bytes[0] < 0x80 { 0 } else { -1 };
            bytes.iter().fold(fill, |number: i64, byte| number << 8 | i64::from(*byte))
        }
        _ => {
            let content = bytes(((class - 12) / 2) as usize);
            match class % 2 {
                0 => sqlite_value::push_blob(row, content),
                _ => sqlite_value::push(row, ValueRef::Text(content)), // not always UTF-8
            }
            return false;
        }
    };
    match is_real {
        true => sqlite_value::push_real(row, integer as f64),
        false => sqlite_value::push_integer(row, integer),
    }
    false
}
