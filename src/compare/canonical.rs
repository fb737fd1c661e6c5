//! The form in which rows of two engines are compared: the type of the Postgres column says what a value means, and a
//! SQLite value is read as that, or as itself when it cannot be.
//!
//! Equal are: numbers of equal value, truth values as 0 and 1 or by their names, instants in UTC however written, UUIDs
//! as text or as 16 bytes, JSON (of `jsonb`) whatever its order and spaces. Text is equal when its bytes are. Nothing is
//! guessed: a number of seconds is not a timestamp.

mod decimal;
mod instant;
mod json;

use crate::db::{ColumnShape, sqlite_value as value};
use rusqlite::types::ValueRef;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Truth,
    Integer,
    Real,
    Decimal,
    Bytes,
    Uuid,
    Instant,
    Json,
    Text,
}

impl Family {
    /// That of a Postgres column; nothing for types that have no counterpart in SQLite.
    pub(super) fn of(column: &ColumnShape) -> Option<Family> {
        Some(match column.family.as_deref()? {
            "bool" => Family::Truth,
            "int2" | "int4" | "int8" | "oid" => Family::Integer,
            "float4" | "float8" => Family::Real,
            "numeric" => Family::Decimal,
            "bytea" => Family::Bytes,
            "uuid" => Family::Uuid,
            "timestamp" | "timestamptz" => Family::Instant,
            "jsonb" => Family::Json,
            "text" | "varchar" | "bpchar" | "char" | "name" | "json" | "xml" | "date" | "time" | "timetz"
            | "interval" | "inet" | "cidr" | "macaddr" | "macaddr8" | "bit" | "varbit" => Family::Text,
            _ => return None,
        })
    }
}

/// Appends a value that Postgres wrote as text.
pub(super) fn push_text(row: &mut Vec<u8>, family: Family, text: Option<&str>) {
    let Some(text) = text else { return value::push_null(row) };
    match (family, text) {
        (Family::Truth, _) => value::push_integer(row, i64::from(text == "t" || text == "true")),
        (Family::Bytes, _) => match unhex(text) {
            Some(bytes) => value::push_blob(row, &bytes),
            None => value::push_text(row, text),
        },
        // SQLite has no NaN of its own.
        (Family::Real, _) => match text.parse::<f64>() {
            Ok(number) if !number.is_nan() => value::push_real(row, number),
            _ => value::push_text(row, text),
        },
        (Family::Integer, _) => match text.parse() {
            Ok(number) => value::push_integer(row, number),
            Err(_) => value::push_text(row, text),
        },
        _ => push_meaning(row, family, text),
    }
}

/// Appends a value of SQLite.
pub(super) fn push_value(row: &mut Vec<u8>, family: Family, found: ValueRef<'_>) {
    match (family, found) {
        (Family::Truth, ValueRef::Text(text)) => match text {
            b"t" | b"true" => value::push_integer(row, 1),
            b"f" | b"false" => value::push_integer(row, 0),
            _ => value::push(row, found),
        },
        (Family::Real, ValueRef::Integer(number)) if number.unsigned_abs() <= 1 << 53 => {
            value::push_real(row, number as f64);
        }
        (Family::Real, ValueRef::Text(b"Infinity")) => value::push_real(row, f64::INFINITY),
        (Family::Real, ValueRef::Text(b"-Infinity")) => value::push_real(row, f64::NEG_INFINITY),
        (Family::Decimal, ValueRef::Integer(number)) => push_meaning(row, family, &number.to_string()),
        (Family::Decimal, ValueRef::Real(number)) => push_meaning(row, family, &number.to_string()),
        (Family::Uuid, ValueRef::Blob(bytes)) if bytes.len() == 16 => value::push_text(row, &hyphenated(bytes)),
        (Family::Decimal | Family::Uuid | Family::Instant | Family::Json, ValueRef::Text(bytes)) => {
            match str::from_utf8(bytes) {
                Ok(text) => push_meaning(row, family, text),
                Err(_) => value::push(row, found),
            }
        }
        _ => value::push(row, found),
    }
}

/// What a text means, in one spelling; the text itself where it means nothing.
fn push_meaning(row: &mut Vec<u8>, family: Family, text: &str) {
    let meaning = match family {
        Family::Decimal => decimal::normal(text),
        Family::Uuid => Some(text.to_ascii_lowercase()),
        // The sign keeps it apart from a plain number.
        Family::Instant => instant::microseconds(text).map(|instant| format!("@{instant}")),
        Family::Json => json::normal(text),
        _ => None,
    };
    value::push_text(row, meaning.as_deref().unwrap_or(text));
}

fn hyphenated(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (number, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&number) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(*pair.get(1)?)?).ok();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn both(family: Family, text: &str, found: ValueRef<'_>) -> bool {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        push_text(&mut one, family, Some(text));
        push_value(&mut other, family, found);
        one == other
    }

    #[rstest]
    #[case(Family::Truth, "t", ValueRef::Integer(1))]
    #[case(Family::Truth, "f", ValueRef::Text(b"false"))]
    #[case(Family::Integer, "-7", ValueRef::Integer(-7))]
    #[case(Family::Real, "3", ValueRef::Integer(3))]
    #[case(Family::Real, "0.1", ValueRef::Real(0.1))]
    #[case(Family::Real, "NaN", ValueRef::Text(b"NaN"))]
    #[case(Family::Real, "-Infinity", ValueRef::Real(f64::NEG_INFINITY))]
    #[case(Family::Real, "Infinity", ValueRef::Text(b"Infinity"))]
    #[case(Family::Decimal, "10.50", ValueRef::Real(10.5))]
    #[case(Family::Decimal, "100", ValueRef::Integer(100))]
    #[case(Family::Decimal, "0.000", ValueRef::Text(b"-0"))]
    #[case(Family::Bytes, "\\x00ff", ValueRef::Blob(b"\x00\xff"))]
    #[case(
        Family::Uuid,
        "00000000-0000-0000-0000-0000000000ff",
        ValueRef::Text(b"00000000-0000-0000-0000-0000000000FF")
    )]
    #[case(Family::Instant, "2024-05-06 07:08:09.5+00", ValueRef::Text(b"2024-05-06T09:08:09.500+02:00"))]
    #[case(Family::Instant, "2024-05-06 07:08:09", ValueRef::Text(b"2024-05-06T07:08:09Z"))]
    #[case(Family::Json, r#"{"a": 1, "bb": [1.5, null]}"#, ValueRef::Text(br#"{"bb":[1.5,null],"a":1}"#))]
    #[case(Family::Text, "x ", ValueRef::Text(b"x "))]
    fn the_same_in_two_engines_is_equal(#[case] family: Family, #[case] text: &str, #[case] found: ValueRef<'static>) {
        assert!(both(family, text, found));
    }

    #[rstest]
    #[case(Family::Truth, "f", ValueRef::Null)]
    #[case(Family::Integer, "7", ValueRef::Text(b"7"))]
    #[case(Family::Real, "0.1", ValueRef::Real(0.1 + f64::EPSILON))]
    #[case(Family::Decimal, "10.5", ValueRef::Text(b"10.51"))]
    #[case(Family::Instant, "2024-05-06 07:08:09+00", ValueRef::Text(b"2024-05-06T07:08:09.000001Z"))]
    #[case(Family::Instant, "1970-01-01 00:00:00+00", ValueRef::Integer(0))]
    #[case(Family::Json, r#"{"a": 12345678901234567890}"#, ValueRef::Text(br#"{"a":12345678901234567891}"#))]
    #[case(Family::Text, "x ", ValueRef::Text(b"x"))]
    #[case(Family::Text, "", ValueRef::Null)]
    fn what_is_not_the_same_differs(#[case] family: Family, #[case] text: &str, #[case] found: ValueRef<'static>) {
        assert!(!both(family, text, found));
    }
}
