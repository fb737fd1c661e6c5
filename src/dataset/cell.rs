//! One generated value, before it is written for an engine.

use crate::db::copy_text;
use crate::model::canonical;
use rusqlite::types::{ToSql, ToSqlOutput, Value};

/// A value as both engines can take it. Types that only Postgres has are in its input form, as text.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text, or the input form of another type.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Cell {
    /// Appends the value as a field of COPY text.
    pub fn push_copy(&self, row: &mut Vec<u8>) {
        match self {
            Cell::Null => copy_text::push_field(row, None),
            Cell::Integer(number) => copy_text::push_field(row, Some(&number.to_string())),
            Cell::Real(number) => copy_text::push_field(row, Some(&format!("{number:e}"))),
            Cell::Text(text) => copy_text::push_field(row, Some(text)),
            Cell::Blob(bytes) => {
                let hex = canonical::hex(bytes);
                copy_text::push_field(row, Some(&format!("\\x{hex}")));
            }
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Cell::Real(number) => ToSqlOutput::Owned(Value::Real(*number)),
            Cell::Text(text) => text.as_str().into(),
            Cell::Blob(bytes) => bytes.as_slice().into(),
        })
    }
}
