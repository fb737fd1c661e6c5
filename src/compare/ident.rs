//! Whose row it is, in 96 bits: a short key as it is, so that it can be read again, and the digest of a long one.

use super::read::{Form, fields_end};
use crate::db::{copy_text, sqlite_value};
use xxhash_rust::xxh3::xxh3_128;

const SHORT: usize = 11;
const IS_DIGEST: u128 = 0xff << 88;

/// The id of a row with a key. In the binary form the lengths of short fields take one byte.
#[inline(always)]
pub(super) fn of_key(key: &[u8], form: Form, fields: usize) -> u128 {
    let mut short = [0; 16];
    let length = match form {
        Form::Binary if key.len() <= SHORT + 3 * fields => packed(key, &mut short),
        Form::Binary => None,
        _ if key.len() <= SHORT => {
            short[..key.len()].copy_from_slice(key);
            Some(key.len())
        }
        _ => None,
    };
    match length {
        Some(length) => (length as u128) << 88 | u128::from_le_bytes(short),
        None => of_digest(xxh3_128(key)),
    }
}

/// The id of a row without a key, or with a long one.
#[inline(always)]
pub(super) fn of_digest(digest: u128) -> u128 {
    IS_DIGEST | (digest >> 40)
}

/// Whether the id is the key itself.
pub(super) fn is_key(id: u128) -> bool {
    id < IS_DIGEST
}

#[inline(always)]
fn packed(key: &[u8], short: &mut [u8; 16]) -> Option<usize> {
    let (mut at, mut end) = (0, 0);
    while at + 4 <= key.len() {
        let length = u32::from_be_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]) as usize;
        // NULL has the length -1, which is too long too.
        if length > SHORT || end + 1 + length > SHORT || at + 4 + length > key.len() {
            return None;
        }
        short[end] = length as u8;
        short[end + 1..end + 1 + length].copy_from_slice(&key[at + 4..at + 4 + length]);
        end += 1 + length;
        at += 4 + length;
    }
    Some(end)
}

/// The key's values as text, where the id is the key and the form gives it back. `families`: the short names of the
/// types, in the binary form.
pub(super) fn texts(id: u128, form: Form, families: &[Option<String>]) -> Option<Vec<Option<String>>> {
    if !is_key(id) {
        return None;
    }
    let bytes = id.to_le_bytes();
    let key = &bytes[..usize::from(bytes[11])];
    match form {
        Form::Binary => unpacked(key, families),
        Form::Text => Some(text_fields(key)),
        Form::Sqlite | Form::Canonical => Some(sqlite_value::texts(key)),
    }
}

/// The fields of a line of COPY.
pub(super) fn text_fields(line: &[u8]) -> Vec<Option<String>> {
    let line = String::from_utf8_lossy(line);
    copy_text::fields(&line).into_iter().map(|field| field.map(|text| text.into_owned())).collect()
}

/// Values of a binary row that are text; `None` is NULL.
pub(super) fn binary_texts(mut row: &[u8]) -> Vec<Option<String>> {
    let mut texts = Vec::new();
    while let Some(end) = fields_end(row, 1).filter(|end| *end > 0 && !row.is_empty()) {
        let is_null = row[..4] == (-1i32).to_be_bytes();
        texts.push((!is_null).then(|| String::from_utf8_lossy(&row[4..end]).into_owned()));
        row = &row[end..];
    }
    texts
}

fn unpacked(mut key: &[u8], families: &[Option<String>]) -> Option<Vec<Option<String>>> {
    let mut texts = Vec::new();
    for family in families {
        let (length, rest) = key.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        texts.push(Some(match family.as_deref()? {
            "int2" => i16::from_be_bytes(value.try_into().ok()?).to_string(),
            "int4" => i32::from_be_bytes(value.try_into().ok()?).to_string(),
            "int8" => i64::from_be_bytes(value.try_into().ok()?).to_string(),
            "text" | "varchar" => String::from_utf8(value.to_vec()).ok()?,
            _ => return None,
        }));
        key = rest;
    }
    key.is_empty().then_some(texts)
}

#[cfg(test)]
mod tests {
    use super::super::sketch::ID_LIMIT;
    use super::*;
    use proptest::prelude::*;

    fn field(value: &[u8]) -> Vec<u8> {
        [&(value.len() as i32).to_be_bytes(), value].concat()
    }

    proptest! {
        #[test]
        fn numbers_are_read_again(big in any::<i64>(), one in any::<i32>(), two in any::<i32>()) {
            let family = |name: &str| Some(name.to_owned());
            let id = of_key(&field(&big.to_be_bytes()), Form::Binary, 1);
            prop_assert_eq!(texts(id, Form::Binary, &[family("int8")]), Some(vec![Some(big.to_string())]));
            let key = [field(&one.to_be_bytes()), field(&two.to_be_bytes())].concat();
            let id = of_key(&key, Form::Binary, 2);
            let expected = vec![Some(one.to_string()), Some(two.to_string())];
            prop_assert_eq!(texts(id, Form::Binary, &[family("int4"), family("int4")]), Some(expected));
        }

        #[test]
        fn two_keys_have_two_ids(one in proptest::collection::vec(any::<u8>(), 0..20), other in proptest::collection::vec(any::<u8>(), 0..20)) {
            for form in [Form::Text, Form::Sqlite] {
                prop_assert_eq!(of_key(&one, form, 1) == of_key(&other, form, 1), one == other);
            }
            let (one, other) = (field(&one), field(&other));
            prop_assert_eq!(of_key(&one, Form::Binary, 1) == of_key(&other, Form::Binary, 1), one == other);
            prop_assert!(of_key(&one, Form::Binary, 1) < ID_LIMIT);
        }
    }

    #[test]
    fn a_long_key_is_not_read_from_its_id() {
        assert_eq!(texts(of_key(&[7; 30], Form::Text, 1), Form::Text, &[]), None);
        assert_eq!(texts(of_key(b"a\tb", Form::Text, 2), Form::Text, &[]).unwrap().len(), 2);
    }
}
