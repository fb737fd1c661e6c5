//! The text format of COPY: one row per line, columns between tabs, `\N` for NULL.

use std::borrow::Cow;

/// Appends one field, escaped; `None` is NULL.
pub fn push_field(row: &mut Vec<u8>, field: Option<&str>) {
    let Some(field) = field else {
        row.extend_from_slice(b"\\N");
        return;
    };
    for byte in field.bytes() {
        match byte {
            b'\\' => row.extend_from_slice(b"\\\\"),
            b'\t' => row.extend_from_slice(b"\\t"),
            b'\n' => row.extend_from_slice(b"\\n"),
            b'\r' => row.extend_from_slice(b"\\r"),
            other => row.push(other),
        }
    }
}

/// The fields of one line (without its newline) as they were before escaping; `None` is NULL.
///
/// Understands what the server writes: single letters after a backslash, no octal or hexadecimal escapes.
pub fn fields(line: &str) -> Vec<Option<Cow<'_, str>>> {
    line.split('\t').map(|field| if field == "\\N" { None } else { Some(unescape(field)) }).collect()
}

/// `\\x00ff`, the text form of bytes.
pub fn hex(bytes: &[u8]) -> String {
    let digits =
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16));
    "\\x".chars().chain(digits).collect()
}

fn unescape(field: &str) -> Cow<'_, str> {
    if !field.contains('\\') {
        return Cow::Borrowed(field);
    }
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => characters.next().map_or('\\', escaped),
            plain => plain,
        });
    }
    Cow::Owned(text)
}

fn escaped(letter: char) -> char {
    match letter {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        itself => itself,
    }
}
