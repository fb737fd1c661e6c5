//! Canonical JSON: the same value is the same bytes, whoever writes it (RFC 8785).
//!
//! Keys are sorted by UTF-16 code units, nothing is escaped that need not be, and there are no floats: their text is
//! where JSON writers disagree. Integers beyond 2^53 keep all digits, which RFC 8785 would round.

use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The canonical bytes of `value`, without a newline.
///
/// # Errors
/// A bug: the value holds a float, or a key that is not a string.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>> {
    let value = serde_json::to_value(value).map_err(|e| Error::bug("cannot write a value as JSON").caused_by(e))?;
    let mut bytes = Vec::new();
    write(&value, &mut bytes)?;
    Ok(bytes)
}

/// What a file holds: the canonical bytes and a newline.
///
/// # Errors
/// As [`to_vec`].
pub fn to_file(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// SHA-256 of [`to_file`], 64 hexadecimal digits: what `sha256sum` says of the file.
///
/// # Errors
/// As [`to_vec`].
pub fn sha256(value: &impl Serialize) -> Result<String> {
    Ok(sha256_hex(&to_file(value)?))
}

/// SHA-256 of `bytes`, 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `bytes` as hexadecimal digits in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Number(number) if number.is_f64() => {
            return Err(Error::bug(format!("{number} is a float; canonical JSON holds integers only")));
        }
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Array(items) => write_list(b"[]", items, out, write)?,
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            write_list(b"{}", &entries, out, |(key, value), out| {
                out.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
                out.push(b':');
                write(value, out)
            })?;
        }
    }
    Ok(())
}

fn write_list<T>(
    brackets: &[u8; 2],
    items: &[T],
    out: &mut Vec<u8>,
    mut each: impl FnMut(&T, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    out.push(brackets[0]);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(item, out)?;
    }
    out.push(brackets[1]);
    Ok(())
}
