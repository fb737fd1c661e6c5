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
pub(crate) type Spot = (u64, usize);

const NULL: Spot = (0, 0);

impl Layout {
    /// Room for the values of a record.
    pub(crate) fn spots(&self) -> Vec<Spot> {
        vec![NULL; self.width]
    }

    /// Gives each value, encoded, to `row`, and says after each where it ends. `spots` is room for work.
    ///
    /// # Errors
    /// It is no record, or has a NULL where none may be.
    #[inline]
    pub(crate) fn take(
        &self,
        record: &[u8],
        rowid: i64,
        spots: &mut [Spot],
        (row, ends): (&mut Vec<u8>, &mut Vec<usize>),
    ) -> Result<Taken, Flaw> {
        let found = parse(record, spots).ok_or_else(|| Flaw::found(format!("row {rowid}: it is no record")))?;
        if found != spots.len() {
            match self.lacking {
                Lacking::Null => spots[found.min(self.width)..].fill(NULL),
                Lacking::Default if found < spots.len() => return Ok(Taken::Short),
                Lacking::Default => {}
                Lacking::Nothing => return Err(Flaw::found(format!("an entry has {found} values"))),
            }
        }
        ends.resize(self.fields.len(), 0);
        for (field, end) in self.fields.iter().zip(ends) {
            match *field {
                Field::Rowid => sqlite_value::push_integer(row, rowid),
                Field::Value { place, is_real, is_required } => {
                    let is_null = push(row, record, spots[place], is_real);
                    if is_null && is_required {
                        return Err(Flaw::found(format!("row {rowid}: value {place} is NULL, and must not be")));
                    }
                }
            }
            *end = row.len();
        }
        Ok(Taken::Whole)
    }
}

/// Finds the values, and how many there are; nothing where they do not end with the record.
#[inline]
fn parse(record: &[u8], spots: &mut [Spot]) -> Option<usize> {
    let (header, mut at) = varint(record)?;
    let header = usize::try_from(header).ok().filter(|header| *header <= record.len())?;
    let (mut begin, mut found) = (header, 0);
    while at < header {
        let (class, length) = varint(&record[at..header])?;
        at += length;
        if let Some(spot) = spots.get_mut(found) {
            *spot = (class, begin);
        }
        found += 1;
        begin = begin.checked_add(length_of(class))?;
    }
    (at == header && begin == record.len()).then_some(found)
}

/// Of the classes below that of blobs. Two are never used, and no record is so long.
const LENGTHS: [usize; 12] = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, usize::MAX, usize::MAX];
const BLOB: u64 = 12;

#[inline]
fn length_of(class: u64) -> usize {
    if class < BLOB { LENGTHS[class as usize] } else { usize::try_from((class - BLOB) / 2).unwrap_or(usize::MAX) }
}

/// Whether it is NULL.
#[inline]
fn push(row: &mut Vec<u8>, record: &[u8], (class, begin): Spot, is_real: bool) -> bool {
    let rest = &record[begin..];
    if class >= BLOB {
        let content = &rest[..length_of(class)];
        let value = if class % 2 == 0 { ValueRef::Blob(content) } else { ValueRef::Text(content) };
        sqlite_value::push(row, value);
        return false;
    }
    let value = match class {
        0 => ValueRef::Null,
        7 => real(integer(rest, 8)),
        8 | 9 if is_real => ValueRef::Real((class - 8) as f64),
        8 | 9 => ValueRef::Integer(class as i64 - 8),
        _ if is_real => ValueRef::Real(integer(rest, length_of(class)) as f64),
        _ => ValueRef::Integer(integer(rest, length_of(class))),
    };
    sqlite_value::push(row, value);
    value == ValueRef::Null
}

/// What is no number is NULL, as SQLite has it.
fn real(bits: i64) -> ValueRef<'static> {
    let number = f64::from_bits(bits as u64);
    if number.is_nan() { ValueRef::Null } else { ValueRef::Real(number) }
}

/// The first bytes, from one to eight. Where eight are there, all are read: the rest is shifted out.
#[inline]
fn integer(bytes: &[u8], length: usize) -> i64 {
    match bytes.first_chunk::<8>() {
        Some(eight) => i64::from_be_bytes(*eight) >> (64 - 8 * length),
        None => {
            let fill = if bytes[0] < 0x80 { 0 } else { -1 };
            bytes[..length].iter().fold(fill, |number: i64, byte| number << 8 | i64::from(*byte))
        }
    }
}
