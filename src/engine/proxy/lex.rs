//! SQL as Postgres reads it, as far as it matters where a literal, a comment or a name ends.

/// A piece of SQL; all pieces together are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space.
    Blank,
    /// `-- ..` without its line end, or `/* .. */`, nested.
    Comment,
    /// A quoted text of any form. One that is not closed goes to the end.
    Literal,
    Number,
    /// A key word, a name, a quoted name, a parameter (`$1`).
    Word,
    /// One character of anything else.
    Other,
}

/// The pieces of `sql`, none of them empty.
pub(super) fn tokens(sql: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let (kind, length) = first(rest)?;
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(Token { kind, text })
    })
}

/// The kind and the length of the first piece. Lengths end at an ASCII byte or at the end, so between characters.
fn first(sql: &str) -> Option<(Kind, usize)> {
    let bytes = sql.as_bytes();
    let second = bytes.get(1).copied().unwrap_or(0);
    Some(match *bytes.first()? {
        byte if is_blank(byte) => (Kind::Blank, span(bytes, 0, is_blank)),
        b'-' if second == b'-' => (Kind::Comment, span(bytes, 0, |byte| !matches!(byte, b'\n' | b'\r'))),
        b'/' if second == b'*' => (Kind::Comment, comment(bytes)),
        b'\'' => (Kind::Literal, quoted(bytes, 0, false)),
        b'"' => (Kind::Word, quoted(bytes, 0, false)),
        b'$' => dollar(sql),
        byte if byte.is_ascii_digit() || (byte == b'.' && second.is_ascii_digit()) => (Kind::Number, number(bytes)),
        byte if starts_word(byte) => word(bytes),
        _ => (Kind::Other, 1),
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn in_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Where the bytes from `start` that are `wanted` end.
fn span(bytes: &[u8], start: usize, wanted: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|byte| !wanted(*byte)).map_or(bytes.len(), |length| start + length)
}

/// The end of a nested comment.
fn comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < bytes.len() {
        let (change, step) = match &bytes[at..(at + 2).min(bytes.len())] {
            b"/*" => (1, 2),
            b"*/" => (-1, 2),
            _ => (0, 1),
        };
        depth += change;
        at += step;
    }
    at
}

/// The end of what is quoted from `start` on: a doubled quote does not end it, nor does a quote after a backslash if
/// those escape.
fn quoted(bytes: &[u8], start: usize, backslash: bool) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() {
        at += match bytes[at] {
            b'\\' if backslash => 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => 2,
            byte if byte == quote => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}

/// `$1`, `$tag$..$tag$`, or a lone dollar.
fn dollar(sql: &str) -> (Kind, usize) {
    let bytes = sql.as_bytes();
    let digits = span(bytes, 1, |byte| byte.is_ascii_digit());
    if digits > 1 {
        return (Kind::Word, digits);
    }
    let tag = span(bytes, 1, |byte| in_word(byte) && byte != b'$');
    if bytes.get(tag) != Some(&b'$') {
        return (Kind::Other, 1);
    }
    let (mark, body) = sql.split_at(tag + 1);
    let end = body.find(mark).map_or(body.len(), |at| at + mark.len());
    (Kind::Literal, mark.len() + end)
}

/// Digits, a fraction, an exponent; also `0x1F` and `1_000`.
fn number(bytes: &[u8]) -> usize {
    let mut end = span(bytes, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
    let exponent = bytes[end - 1].eq_ignore_ascii_case(&b'e') && !bytes.starts_with(b"0x");
    if exponent && matches!(bytes.get(end), Some(b'+' | b'-')) {
        end = span(bytes, end + 1, |byte| byte.is_ascii_digit());
    }
    end
}

/// A word, or a literal whose quote it announces.
fn word(bytes: &[u8]) -> (Kind, usize) {
    let end = span(bytes, 0, in_word);
    let prefix = bytes[..end].to_ascii_lowercase();
    match (&prefix[..], bytes.get(end)) {
        (b"e", Some(b'\'')) => (Kind::Literal, quoted(bytes, end, true)),
        (b"b" | b"x" | b"n", Some(b'\'')) => (Kind::Literal, quoted(bytes, end, false)),
        (b"u", Some(b'&')) => match bytes.get(end + 1) {
            Some(b'\'') => (Kind::Literal, quoted(bytes, end + 1, false)),
            Some(b'"') => (Kind::Word, quoted(bytes, end + 1, false)),
            _ => (Kind::Word, end),
        },
        _ => (Kind::Word, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_tokens_are_the_text_again(sql in "([a-z1.$'\"();/*\\-\\\\ \nEUé&]|--|/\\*|\\*/|\\$\\$){0,60}") {
            let texts: Vec<_> = tokens(&sql).map(|token| token.text).collect();
            prop_assert!(texts.iter().all(|text| !text.is_empty()));
            prop_assert_eq!(texts.concat(), sql);
        }
    }
}
