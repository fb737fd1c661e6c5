//! JSON that two readers read as two things: with a key twice, of which one takes the first and another the last, or so
//! deep that some give up.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Why `json` may mean two things; nothing where it means one, or is no JSON.
pub fn ambiguity(json: &[u8]) -> Option<String> {
    let error = serde_json::from_slice::<Once>(json).err()?.to_string();
    let (what, _) = error.rsplit_once(" at line ")?;
    match what.strip_prefix(DOUBLED) {
        Some(key) => Some(format!("`{key}` is there twice")),
        None if what.starts_with("recursion limit") => Some("more than 127 values inside each other".to_owned()),
        None => None,
    }
}

/// What an error begins with that is about a key.
const DOUBLED: &str = "a key twice: ";

/// Any value whose objects have each key once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Once, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("{DOUBLED}{key}")));
            }
            seen.insert(key);
            map.next_value::<Once>()?;
        }
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
        while items.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::ambiguity;

    #[test]
    fn a_key_that_is_there_twice_is_named_however_deep_it_is_and_however_it_is_spelled() {
        let deep = format!("{{\"a\":{}{},\"a\":1}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(ambiguity(deep.as_bytes()).as_deref(), Some("more than 127 values inside each other"));
        for (json, key) in [
            (r#"{"a":1,"b":[{"a":null}]}"#, None),
            (r#"{"a":1,"b":{},"a":1}"#, Some("`a` is there twice")),
            (r#"[0,-1,0.5,true,"x",{"c":{"d e":1,"d\u0020e":2}}]"#, Some("`d e` is there twice")),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(ambiguity(json.as_bytes()).as_deref(), key, "{json}");
        }
    }
}
