//! Rows as bytes: what each form of reading gives, and where in it the key ends.

use super::canonical::{self, Family};
use super::lane::Lane;
use crate::db::postgres::failed;
use crate::db::{copy_text, sqlite_value};
use crate::{Error, Result};
use futures_util::TryStreamExt as _;
use serde::Serialize;
use sqlx::postgres::PgConnection;
use std::fmt;

/// How rows become bytes. Only rows of one form can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Postgres' binary form: all types are built in and the same on both sides.
    Binary,
    /// Postgres' text form, with all settings pinned.
    Text,
    /// SQLite's storage class and bytes.
    Sqlite,
    /// Our own, for two engines: see the module `canonical`.
    Canonical,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Binary => "binary",
            Form::Text => "text",
            Form::Sqlite => "sqlite",
            Form::Canonical => "canonical",
        })
    }
}

/// One pass over a table.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// A COPY in Postgres, a SELECT in SQLite; the columns of the key come first.
    pub(super) sql: String,
    pub(super) form: Form,
    /// So many of the first fields are the key.
    pub(super) key_fields: usize,
    /// In the canonical form: how to read each field.
    pub(super) families: Vec<Family>,
}

/// What is done with rows.
pub(super) trait Sink: Send + 'static {
    /// One row; its first `key` bytes are the key.
    fn row(&mut self, row: &[u8], key: usize);
}

/// Signature, flags and the length of an empty extension.
const BINARY_HEADER: usize = 19;
const BINARY_TRAILER: [u8; 2] = [0xff, 0xff];
/// The number of fields, at the start of a row.
const BINARY_COUNT: usize = 2;

/// Reads a Postgres table through the driver.
pub(super) async fn postgres(connection: &mut PgConnection, reading: &Reading, sink: &mut impl Sink) -> Result<()> {
    let mut messages = connection.copy_out_raw(&reading.sql).await.map_err(|error| failed(&error))?;
    let mut decoder = Decoder::new(reading);
    while let Some(message) = messages.try_next().await.map_err(|error| failed(&error))? {
        decoder.message(&message, sink)?;
    }
    Ok(())
}

/// Reads a Postgres table without it.
pub(super) fn lane(lane: &mut Lane, reading: &Reading, sink: &mut impl Sink) -> Result<()> {
    let mut decoder = Decoder::new(reading);
    lane.copy(&reading.sql, |message| decoder.message(message, sink))
}

/// Finds rows in the messages of a COPY. The server sends one for each row; what is not one row is an error.
struct Decoder<'r> {
    reading: &'r Reading,
    /// The header comes first, in a message of its own or with a row.
    header: bool,
    encoded: Vec<u8>,
}

impl<'r> Decoder<'r> {
    fn new(reading: &'r Reading) -> Decoder<'r> {
        Decoder { reading, header: reading.form == Form::Binary, encoded: Vec::new() }
    }

    #[inline(always)]
    fn message(&mut self, message: &[u8], sink: &mut impl Sink) -> Result<()> {
        if self.reading.form != Form::Binary {
            let line = message.strip_suffix(b"\n").ok_or_else(unreadable)?;
            return text(line, self.reading, &mut self.encoded, sink);
        }
        if self.header {
            self.header = false;
            let row = message.get(BINARY_HEADER..).ok_or_else(unreadable)?;
            return binary(row, self.reading.key_fields, sink);
        }
        binary(message, self.reading.key_fields, sink)
    }
}

fn unreadable() -> Error {
    Error::environment("the server's COPY is not one row per message; is something between us that packs them anew?")
}

#[inline(always)]
fn binary(message: &[u8], key_fields: usize, sink: &mut impl Sink) -> Result<()> {
    if message.len() < BINARY_COUNT {
        return if message.is_empty() { Ok(()) } else { Err(unreadable()) };
    }
    if message[0] == 0xff && message == BINARY_TRAILER {
        return Ok(());
    }
    let row = &message[BINARY_COUNT..];
    match fields_end(row, key_fields) {
        Some(key) => sink.row(row, key),
        None => return Err(unreadable()),
    }
    Ok(())
}

/// Where the first `fields` fields of a binary row end.
#[inline(always)]
pub(super) fn fields_end(row: &[u8], fields: usize) -> Option<usize> {
    // A plain loop: every row comes this way, and what contributors build is hardly optimised.
    let (mut end, mut left) = (0, fields);
    while left > 0 {
        if row.len() < end + 4 {
            return None;
        }
        let length = i32::from_be_bytes([row[end], row[end + 1], row[end + 2], row[end + 3]]);
        end += 4 + if length > 0 { length as usize } else { 0 };
        left -= 1;
    }
    if end <= row.len() { Some(end) } else { None }
}

fn text(line: &[u8], reading: &Reading, encoded: &mut Vec<u8>, sink: &mut impl Sink) -> Result<()> {
    if reading.form == Form::Text {
        sink.row(line, text_key_end(line, reading.key_fields));
        return Ok(());
    }
    encoded.clear();
    let mut key = 0;
    let line = str::from_utf8(line).map_err(|_| unreadable())?;
    for (number, (field, family)) in copy_text::fields(line).into_iter().zip(&reading.families).enumerate() {
        canonical::push_text(encoded, *family, field.as_deref());
        if number + 1 == reading.key_fields {
            key = encoded.len();
        }
    }
    sink.row(encoded, key);
    Ok(())
}

/// Where the first fields of a row in text form end; a tab inside a value is escaped.
fn text_key_end(line: &[u8], fields: usize) -> usize {
    if fields == 0 {
        return 0;
    }
    let tabs = line.iter().enumerate().filter(|(_, byte)| **byte == b'\t');
    tabs.map(|(place, _)| place).nth(fields - 1).unwrap_or(line.len())
}

/// Reads a SQLite table.
pub(super) fn sqlite(connection: &rusqlite::Connection, reading: &Reading, sink: &mut impl Sink) -> Result<()> {
    let mut read = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(&reading.sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut encoded = Vec::new();
        while let Some(row) = rows.next()? {
            encoded.clear();
            let mut key = 0;
            for column in 0..columns {
                let value = row.get_ref(column)?;
                match reading.form {
                    Form::Canonical => canonical::push_value(&mut encoded, reading.families[column], value),
                    _ => sqlite_value::push(&mut encoded, value),
                }
                if column + 1 == reading.key_fields {
                    key = encoded.len();
                }
            }
            sink.row(&encoded, key);
        }
        Ok(())
    };
    read().map_err(|error| Error::environment("SQLite says").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[derive(Default)]
    struct Seen(Vec<(Vec<u8>, Vec<u8>)>);

    impl Sink for Seen {
        fn row(&mut self, row: &[u8], key: usize) {
            self.0.push((row[..key].to_vec(), row[key..].to_vec()));
        }
    }

    #[rstest]
    #[case(b"1\ta\tb", 1, b"1")]
    #[case(b"1\ta\\tx\tb", 2, b"1\ta\\tx")]
    #[case(b"only", 1, b"only")]
    #[case(b"no\tkey", 0, b"")]
    fn the_key_of_a_line_is_its_first_fields(#[case] line: &[u8], #[case] fields: usize, #[case] expected: &[u8]) {
        assert_eq!(&line[..text_key_end(line, fields)], expected);
    }

    #[test]
    fn the_key_of_a_binary_row_is_its_first_fields_and_the_trailer_is_no_row() {
        let mut seen = Seen::default();
        binary(b"\0\x02\0\0\0\x01k\xff\xff\xff\xff", 1, &mut seen).unwrap();
        binary(&BINARY_TRAILER, 1, &mut seen).unwrap();
        assert_eq!(seen.0, [(b"\0\0\0\x01k".to_vec(), b"\xff\xff\xff\xff".to_vec())]);
    }

    #[rstest]
    #[case(b"\0")]
    #[case(b"\0\x01\0\0\0\x09k")]
    #[case(b"\0\x01\0\0")]
    fn half_a_row_is_an_error(#[case] message: &[u8]) {
        assert!(binary(message, 1, &mut Seen::default()).is_err());
    }
}
