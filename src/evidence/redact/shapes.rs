//! What looks like a secret, whoever's it is: passwords in URLs, PEM private keys, `password=...`.

use super::{At, Pattern, Until};

pub(super) const PEM_END: &[u8] = b"-----END ";
const PEM_BEGIN: &[u8] = b"-----BEGIN ";
const PEM_KEY: &[u8] = b"PRIVATE KEY-----";
const URL: &[u8] = b"://";
/// How far a shape is followed before it is taken to be something else.
const MAX_AHEAD: usize = 1024;
const MAX_SPACES: usize = 4;

pub(super) struct Shapes;

impl Pattern for Shapes {
    fn at(&self, text: &[u8], last: bool) -> At {
        let here = match text[0] {
            b':' => url_password(text),
            b'-' => pem_key(text),
            b'p' | b'P' => password(text),
            _ => At::No,
        };
        // Without more text to come, what is still open is settled by what is there.
        if here == At::More && last { settle(text) } else { here }
    }

    fn may_begin(&self, first: u8, second: Option<u8>) -> bool {
        match (first, second) {
            (b':' | b'-' | b'p' | b'P', None) | (b':', Some(b'/')) | (b'-', Some(b'-')) => true,
            (b'p' | b'P', Some(second)) => matches!(second, b'a' | b'A'),
            _ => false,
        }
    }
}

/// An open shape at the end of the stream: only a value of `password=` may end there.
fn settle(text: &[u8]) -> At {
    let mut ended = text.to_vec();
    ended.push(b'\n');
    match Shapes.at(&ended, false) {
        At::More => At::No,
        settled => settled,
    }
}

/// `://user:password@`: the last `@` before the end of the authority ends the password.
fn url_password(text: &[u8]) -> At {
    let rest = match strip(text, URL) {
        Ok(rest) => rest,
        Err(answer) => return answer,
    };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>`".contains(byte);
    let authority = match rest.iter().take(MAX_AHEAD).position(ends) {
        Some(end) => &rest[..end],
        None if rest.len() < MAX_AHEAD => return At::More,
        None => &rest[..MAX_AHEAD],
    };
    let at_sign = authority.iter().rposition(|byte| *byte == b'@');
    let colon = authority.iter().position(|byte| *byte == b':');
    match (colon, at_sign) {
        (Some(colon), Some(at_sign)) if colon + 1 < at_sign => {
            let keep = URL.len() + colon + 1;
            At::Secret { keep, until: Until::Length(at_sign - colon - 1), certain: true }
        }
        _ => At::No,
    }
}

/// `-----BEGIN ... PRIVATE KEY-----`; the line stays, the key goes.
fn pem_key(text: &[u8]) -> At {
    let rest = match strip(text, PEM_BEGIN) {
        Ok(rest) => rest,
        Err(answer) => return answer,
    };
    let label = rest.iter().take(MAX_AHEAD).position(|byte| !byte.is_ascii_uppercase() && *byte != b' ');
    let Some(dashes) = label else {
        return if rest.len() < MAX_AHEAD { At::More } else { At::No };
    };
    let Some(begin) = dashes.checked_sub(PEM_KEY.len() - 5) else { return At::No };
    match strip(&rest[begin..], PEM_KEY) {
        Ok(_) => At::Secret { keep: PEM_BEGIN.len() + begin + PEM_KEY.len(), until: Until::PemEnd, certain: true },
        Err(answer) => answer,
    }
}

/// `password=x`, `password = 'x'`, `"password": "x"`, `PASSWORD 'x'`; also `passwd` and `PGPASSWORD`.
fn password(text: &[u8]) -> At {
    let rest = match strip_any_case(text, b"password").or_else(|answer| match answer {
        At::More => Err(At::More),
        _ => strip_any_case(text, b"passwd"),
    }) {
        Ok(rest) => rest,
        Err(answer) => return answer,
    };
    let rest = skip(rest, 2, |byte| matches!(byte, b'"' | b'\\'));
    let rest = skip(rest, MAX_SPACES, |byte| byte == b' ');
    let (sign, rest) = match rest.first() {
        None => return At::More,
        Some(sign @ (b'=' | b':')) => (*sign, skip(&rest[1..], MAX_SPACES, |byte| byte == b' ')),
        Some(_) => (b' ', rest),
    };
    let escaped = rest.first() == Some(&b'\\');
    let value = if escaped { &rest[1..] } else { rest };
    let taken = |rest: &[u8]| text.len() - rest.len();
    match (sign, value.first()) {
        (_, None) => At::More,
        (_, Some(quote @ (b'"' | b'\''))) if sign != b' ' || *quote == b'\'' => {
            guess(taken(&value[1..]), Until::Quote(if escaped { b'\\' } else { *quote }))
        }
        (b'=', Some(byte)) if !escaped && !ends_word(*byte) => guess(taken(rest), Until::Word),
        _ => At::No,
    }
}

fn guess(keep: usize, until: Until) -> At {
    At::Secret { keep, until, certain: false }
}

pub(super) fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"&;,\"'`)}]<>\\".contains(&byte)
}

pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn skip(text: &[u8], most: usize, which: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().take(most).take_while(|byte| which(**byte)).count();
    &text[length..]
}

/// What follows `prefix`; otherwise the answer: it is not there, or not yet.
fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Result<&'a [u8], At> {
    match text.strip_prefix(prefix) {
        Some(rest) => Ok(rest),
        None if prefix.starts_with(text) => Err(At::More),
        None => Err(At::No),
    }
}

fn strip_any_case<'a>(text: &'a [u8], prefix: &[u8]) -> Result<&'a [u8], At> {
    let seen = text.len().min(prefix.len());
    match text[..seen].eq_ignore_ascii_case(&prefix[..seen]) {
        false => Err(At::No),
        true if seen < prefix.len() => Err(At::More),
        true => Ok(&text[seen..]),
    }
}
