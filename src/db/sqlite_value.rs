//! One SQLite value as bytes: storage class, length, content, so that no two rows are encoded alike.

use crate::db::copy_text;
use rusqlite::types::ValueRef;
use std::cmp::Ordering;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Appends `value`; a small integer takes few bytes.
#[inline]
pub fn push(row: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => row.push(NULL),
        ValueRef::Integer(number) => push_integer(row, number),
        ValueRef::Real(number) => push_real(row, number),
        ValueRef::Text(bytes) => push_bytes(row, TEXT, bytes),
        ValueRef::Blob(bytes) => push_bytes(row, BLOB, bytes),
    }
}

/// Appends an integer.
pub fn push_integer(row: &mut Vec<u8>, number: i64) {
    // As many bytes as it takes to get the number back with its sign.
    let magnitude = if number < 0 { !number } else { number };
    let length = (72 - magnitude.leading_zeros() as usize) / 8;
    let mut all = [INTEGER, length as u8, 0, 0, 0, 0, 0, 0, 0, 0];
    all[2..].copy_from_slice(&number.to_le_bytes());
    row.extend_from_slice(&all); // of one length: copying what is needed took longer
    row.truncate(row.len() - 8 + length);
}

/// Appends a double, by its bits.
pub fn push_real(row: &mut Vec<u8>, number: f64) {
    let mut all = [REAL; 9];
    all[1..].copy_from_slice(&number.to_bits().to_le_bytes());
    row.extend_from_slice(&all);
}

/// Appends a text.
pub fn push_text(row: &mut Vec<u8>, text: &str) {
    push_bytes(row, TEXT, text.as_bytes());
}

/// Appends a blob.
pub fn push_blob(row: &mut Vec<u8>, bytes: &[u8]) {
    push_bytes(row, BLOB, bytes);
}

/// Appends NULL.
pub fn push_null(row: &mut Vec<u8>) {
    row.push(NULL);
}

#[inline]
fn push_bytes(row: &mut Vec<u8>, class: u8, bytes: &[u8]) {
    let mut length = bytes.len();
    if length < 0x80 {
        row.extend_from_slice(&[class, length as u8]);
    } else {
        row.push(class);
        while length >= 0x80 {
            row.push(length as u8 | 0x80);
            length >>= 7;
        }
        row.push(length as u8);
    }
    row.extend_from_slice(bytes);
}

/// How SQLite orders two values, each written with [`push`], where texts go by their bytes: NULL, numbers, texts, blobs.
pub fn compare(one: &[u8], other: &[u8]) -> Ordering {
    match (one[0], other[0]) {
        (INTEGER, INTEGER) => integer(&one[2..]).cmp(&integer(&other[2..])),
        (REAL, REAL) => real(one).partial_cmp(&real(other)).unwrap_or(Ordering::Equal),
        (INTEGER, REAL) => beside_real(integer(&one[2..]), real(other)),
        (REAL, INTEGER) => beside_real(integer(&other[2..]), real(one)).reverse(),
        (TEXT, TEXT) | (BLOB, BLOB) => content(one).cmp(content(other)),
        (one, other) => one.cmp(&other), // never a number beside a number
    }
}

/// Whether a value that was written with [`push`] is NULL.
pub fn is_null(value: &[u8]) -> bool {
    value[0] == NULL
}

/// An integer that has no double of its own stands between two of them.
fn beside_real(number: i64, real: f64) -> Ordering {
    match real {
        real if real < i64::MIN as f64 => Ordering::Greater,
        real if real >= -(i64::MIN as f64) => Ordering::Less,
        real => number.cmp(&(real as i64)).then((number as f64).partial_cmp(&real).unwrap_or(Ordering::Equal)),
    }
}

fn real(value: &[u8]) -> f64 {
    f64::from_bits(u64::from_le_bytes(value[1..9].try_into().unwrap_or_default()))
}

/// Of a text or a blob.
fn content(value: &[u8]) -> &[u8] {
    length(&value[1..]).map_or(&[], |(_, content)| content)
}

/// The values of a row that was written with [`push`], for people; `None` is NULL. Stops at what it cannot read.
pub fn texts(mut row: &[u8]) -> Vec<Option<String>> {
    let mut texts = Vec::new();
    while let Some((value, rest)) = text(row) {
        texts.push(value);
        row = rest;
    }
    texts
}

fn text(row: &[u8]) -> Option<(Option<String>, &[u8])> {
    let (class, rest) = row.split_first()?;
    let (content, rest) = match *class {
        NULL => return Some((None, rest)),
        INTEGER => rest.get(1..)?.split_at_checked(usize::from(*rest.first()?))?,
        REAL => rest.split_at_checked(8)?,
        _ => {
            let (length, rest) = length(rest)?;
            rest.split_at_checked(length)?
        }
    };
    let text = match *class {
        INTEGER => integer(content).to_string(),
        REAL => f64::from_bits(u64::from_le_bytes(content.try_into().ok()?)).to_string(),
        TEXT => String::from_utf8_lossy(content).into_owned(),
        _ => copy_text::hex(content),
    };
    Some((Some(text), rest))
}

fn integer(bytes: &[u8]) -> i64 {
    let fill = if bytes.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
    let mut all = [fill; 8];
    all[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
    i64::from_le_bytes(all)
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (number, byte) in bytes.iter().enumerate().take(9) {
        length |= usize::from(byte & 0x7f) << (7 * number);
        if byte & 0x80 == 0 {
            return Some((length, &bytes[number + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(value: ValueRef<'_>) -> Vec<u8> {
        let mut row = Vec::new();
        push(&mut row, value);
        row
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_read_again(number in any::<i64>(), small in -300..300i64, text in any::<String>()) {
            let mut row = Vec::new();
            for value in [ValueRef::Integer(number), ValueRef::Integer(small), ValueRef::Null, ValueRef::Text(text.as_bytes())] {
                push(&mut row, value);
            }
            prop_assert_eq!(texts(&row), [Some(number.to_string()), Some(small.to_string()), None, Some(text)]);
        }
    }

    #[test]
    fn one_is_three_values_and_the_two_zeros_are_two() {
        let ones = [ValueRef::Integer(1), ValueRef::Real(1.0), ValueRef::Text(b"1"), ValueRef::Blob(b"1")].map(encoded);
        assert_eq!(std::collections::BTreeSet::from(ones).len(), 4);
        assert_ne!(encoded(ValueRef::Real(0.0)), encoded(ValueRef::Real(-0.0)));
    }

    #[test]
    fn values_stand_in_the_order_of_sqlite() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let values = "null, -9223372036854775808, -9.3e18, -1, -0.5, 0, 0.5, 1, 1.5, 9007199254740993, 9007199254740992.0, \
                      9223372036854775807, 9.3e18, '', 'A', 'a', 'ab', x'', x'00', x'ff'";
        let rows = values.split(", ").map(|value| format!("({value})")).collect::<Vec<_>>().join(", ");
        let sql = format!("with v (x) as (values {rows}) select x from v order by x");
        let mut statement = connection.prepare(&sql).unwrap();
        let sorted = statement.query_map([], |row| Ok(encoded(row.get_ref(0)?))).unwrap();
        let sorted: Vec<Vec<u8>> = sorted.map(rusqlite::Result::unwrap).collect();
        for pair in sorted.windows(2) {
            assert_eq!(
                compare(&pair[0], &pair[1]),
                Ordering::Less,
                "{:?}",
                pair.iter().map(|value| texts(value)).collect::<Vec<_>>()
            );
            assert_eq!(compare(&pair[1], &pair[0]), Ordering::Greater);
        }
        assert!(sorted.iter().all(|value| compare(value, value) == Ordering::Equal));
        assert_eq!(compare(&encoded(ValueRef::Integer(1)), &encoded(ValueRef::Real(1.0))), Ordering::Equal);
    }

    #[test]
    fn lengths_beyond_one_byte_are_kept() {
        for length in [127, 128, 300, 20_000] {
            let text = "x".repeat(length);
            assert_eq!(texts(&encoded(ValueRef::Text(text.as_bytes()))), [Some(text)]);
        }
    }
}
