//! Known secrets in their encodings: as they are, for URLs, JSON and XML in any mixture, hexadecimal, and base64.

use super::{At, MIN_SECRET_BYTES, Pattern, Until};
use crate::model::canonical::hex;
use std::collections::BTreeSet;

/// The secrets of a run, each as the sequences of bytes that may stand for it.
pub(super) struct Secrets {
    spellings: Vec<Spelling>,
    /// Per first byte, the spellings that may begin with it.
    by_first: Vec<Vec<usize>>,
    /// Per pair of first bytes, whether any spelling may begin with them.
    pairs: Vec<bool>,
}

/// One unit after the other; of each unit, the forms that it may take.
type Spelling = Vec<Vec<Form>>;

struct Form {
    bytes: Vec<u8>,
    any_case: bool,
}

impl Secrets {
    pub(super) fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Secrets {
        let mut spellings: Vec<Spelling> = Vec::new();
        for secret in secrets {
            let secret = secret.as_ref();
            if secret.len() >= MIN_SECRET_BYTES {
                spellings.push(secret.chars().map(forms).collect());
                spellings.push(vec![vec![Form { bytes: hex(secret.as_bytes()).into_bytes(), any_case: true }]]);
                spellings.extend(base64_cores(secret.as_bytes()));
            }
        }
        let (mut by_first, mut pairs) = (vec![Vec::new(); 256], vec![false; 1 << 16]);
        for (index, spelling) in spellings.iter().enumerate() {
            for (first, second) in beginnings(spelling) {
                pairs[pair(first, second)] = true;
                if by_first[usize::from(first)].last() != Some(&index) {
                    by_first[usize::from(first)].push(index);
                }
            }
        }
        Secrets { spellings, by_first, pairs }
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// The pairs of bytes with which a secret of two bytes or more may begin.
fn beginnings(spelling: &Spelling) -> BTreeSet<(u8, u8)> {
    let mut pairs = BTreeSet::new();
    for form in &spelling[0] {
        let seconds: Vec<u8> = match form.bytes.get(1) {
            Some(_) => form.cases(1).to_vec(),
            None => spelling.get(1).into_iter().flatten().flat_map(|next| next.cases(0)).collect(),
        };
        for first in form.cases(0) {
            pairs.extend(seconds.iter().map(|second| (first, *second)));
        }
    }
    pairs
}

impl Pattern for Secrets {
    /// The longest match of all spellings, and of those that begin inside it.
    fn at(&self, text: &[u8], last: bool) -> At {
        let (mut end, mut at) = (0, 0);
        while (at == 0 || at < end) && at < text.len() {
            match self.longest(&text[at..]) {
                (_, true) if !last => return At::More,
                (0, _) if at == 0 => return At::No,
                (length, _) => end = end.max(at + length),
            }
            at += 1;
        }
        At::Secret { keep: 0, until: Until::Length(end), certain: true }
    }

    fn may_begin(&self, first: u8, second: Option<u8>) -> bool {
        match second {
            Some(second) => self.pairs[pair(first, second)],
            None => !self.by_first[usize::from(first)].is_empty(),
        }
    }
}

impl Secrets {
    fn longest(&self, text: &[u8]) -> (usize, bool) {
        let candidates = &self.by_first[usize::from(text[0])];
        let matches = candidates.iter().map(|index| match_length(&self.spellings[*index], text));
        matches.fold((0, false), |(length, open), (other, also)| (length.max(other), open | also))
    }
}

/// The longest beginning of `text` that spells the secret, and whether more text could make one that is longer.
fn match_length(spelling: &Spelling, text: &[u8]) -> (usize, bool) {
    let (mut ends, mut open) = (vec![0], false);
    for unit in spelling {
        let mut next = Vec::new();
        for (end, form) in ends.iter().flat_map(|end| unit.iter().map(move |form| (*end, form))) {
            let rest = &text[end..];
            let seen = rest.len().min(form.bytes.len());
            if form.agrees(&rest[..seen]) {
                open |= seen < form.bytes.len();
                if seen == form.bytes.len() && !next.contains(&(end + seen)) {
                    next.push(end + seen);
                }
            }
        }
        ends = next;
    }
    (ends.into_iter().max().unwrap_or(0), open)
}

impl Form {
    /// The byte at `index` as it may be written.
    fn cases(&self, index: usize) -> [u8; 2] {
        let byte = self.bytes[index];
        if self.any_case { [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] } else { [byte, byte] }
    }

    fn agrees(&self, text: &[u8]) -> bool {
        let own = &self.bytes[..text.len()];
        own == text || (self.any_case && own.eq_ignore_ascii_case(text))
    }
}

/// How a character may be written.
fn forms(c: char) -> Vec<Form> {
    let utf8 = c.to_string();
    let mut utf16 = [0; 2];
    let escapes: String = c.encode_utf16(&mut utf16).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    let percents: String = utf8.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let number = u32::from(c);
    let mut forms = vec![Form { bytes: utf8.into_bytes(), any_case: false }];
    let any_case = [escapes, percents, format!("&#{number};"), format!("&#x{number:x};")];
    forms.extend(any_case.into_iter().map(|text| Form { bytes: text.into_bytes(), any_case: true }));
    let short: &[&str] = match c {
        ' ' => &["+"],
        // In a name of SQL it is doubled, and so it stands in JSON.
        '"' => &["\\\"", "&quot;", "\"\"", "\\\"\\\""],
        '\\' => &["\\\\"],
        '/' => &["\\/"],
        '\n' => &["\\n"],
        '\t' => &["\\t"],
        '\r' => &["\\r"],
        '\u{8}' => &["\\b"],
        '\u{c}' => &["\\f"],
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '\'' => &["&apos;", "''"],
        _ => &[],
    };
    forms.extend(short.iter().map(|text| Form { bytes: text.as_bytes().to_vec(), any_case: false }));
    forms
}

/// The digits of base64 that depend on the secret alone, for each of its three alignments, in both alphabets.
fn base64_cores(secret: &[u8]) -> Vec<Spelling> {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let spell = |alignment: usize| -> Spelling {
        let mut bits = vec![0; alignment];
        bits.extend_from_slice(secret);
        // The first digits hold bits of what stands before the secret, an incomplete last one bits of what follows.
        let (first, end) = ((alignment * 8).div_ceil(6), bits.len() * 8 / 6);
        (first..end).map(|digit| base64_forms(STANDARD[usize::from(six_bits(&bits, digit * 6))])).collect()
    };
    (0..3).map(spell).collect()
}

fn six_bits(bytes: &[u8], at: usize) -> u8 {
    let high = u16::from(bytes[at / 8]) << 8;
    let low = u16::from(bytes.get(at / 8 + 1).copied().unwrap_or(0));
    ((high | low) >> (10 - at % 8) & 63) as u8
}

fn base64_forms(digit: u8) -> Vec<Form> {
    let other = match digit {
        b'+' => Some(b'-'),
        b'/' => Some(b'_'),
        _ => None,
    };
    [Some(digit), other].into_iter().flatten().map(|byte| Form { bytes: vec![byte], any_case: false }).collect()
}
