//! Keys for people, in the order in which people count.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The values of a key as text; `None` is NULL. Numbers are ordered by value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(pub(super) Vec<Option<String>>);

const TEXT_CHARS: usize = 120;

impl Key {
    /// `id=5`, `a=1, b=x`; cut off when it is too long to read.
    pub(super) fn text(&self, columns: &[String]) -> String {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
        let pairs = columns.iter().zip(&self.0).map(|(column, text)| format!("{column}={}", value(text)));
        let text = pairs.collect::<Vec<_>>().join(", ");
        match text.char_indices().nth(TEXT_CHARS) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        let order = pairs.map(|(one, other)| numbered(one).cmp(&numbered(other))).find(|order| order.is_ne());
        order.unwrap_or(self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Numbers first, then texts. The text decides between `1` and `01`.
fn numbered(value: &Option<String>) -> (bool, i128, Option<&str>) {
    let number = value.as_deref().and_then(|text| text.parse::<i128>().ok());
    (number.is_none(), number.unwrap_or_default(), value.as_deref())
}

/// The first few keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    limit: usize,
    keys: BTreeSet<Key>,
}

impl Names {
    pub(super) fn new(limit: usize) -> Names {
        Names { limit, keys: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, key: Key) {
        self.keys.insert(key);
        if self.keys.len() > self.limit {
            self.keys.pop_last();
        }
    }

    pub(super) fn into_keys(self) -> Vec<Key> {
        self.keys.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn key(text: &str) -> Key {
        Key(vec![Some(text.to_owned())])
    }

    #[test]
    fn the_first_keys_are_kept_and_nine_comes_before_ten() {
        let mut names = Names::new(3);
        ["10", "b", "9", "a", "-1"].into_iter().for_each(|text| names.add(key(text)));
        assert_eq!(names.into_keys(), ["-1", "9", "10"].map(key));
    }

    #[rstest]
    #[case(vec![Some("5".to_owned()), None], "id=5, tag=NULL")]
    #[case(vec![Some("x".repeat(200))], "...")]
    fn a_key_is_read_as_pairs(#[case] values: Vec<Option<String>>, #[case] expected: &str) {
        let text = Key(values).text(&["id".to_owned(), "tag".to_owned()]);
        assert!(text.ends_with(expected) && text.chars().count() <= TEXT_CHARS + 3, "{text}");
    }
}
