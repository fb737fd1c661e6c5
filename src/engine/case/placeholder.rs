//! Placeholders in what a scenario says: `{target}`, `{target.jdbc}`, `{root}`.

use crate::{Error, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Replaces `{name}` where a name is known; other braces stay, for they belong to the tool.
///
/// # Errors
/// What looks like a target or a service is none.
pub(in crate::engine) fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let known = after.find('}').and_then(|close| Some((value(&after[1..close], values)?, close)));
        match known {
            Some((value, close)) => {
                filled.push_str(&value);
                rest = &after[close + 1..];
            }
            None if looks_like_a_target(after) => {
                let known: Vec<&str> = values.keys().map(String::as_str).collect();
                let text = format!("unknown placeholder in `{text}`; there are: {}", known.join(", "));
                return Err(Error::environment(text));
            }
            None => {
                filled.push('{');
                rest = &after[1..];
            }
        }
    }
    Ok(filled + rest)
}

/// `{source.x}` and `{target}` are ours even where they are misspelled.
fn looks_like_a_target(text: &str) -> bool {
    ["{source.", "{target}", "{target.", "{service."].iter().any(|head| text.starts_with(head))
}

fn value<'v>(name: &str, values: &'v BTreeMap<String, String>) -> Option<Cow<'v, str>> {
    let plain = || values.get(name).map(|value| value.as_str().into());
    let of_target = |target: &&str| ["source", "target"].contains(&target.split('.').next().unwrap_or_default());
    let target = name.strip_suffix(".jdbc").filter(of_target).and_then(|target| values.get(target));
    plain().or_else(|| target.map(|target| jdbc(target).into()))
}

/// As JDBC drivers take it: they know no role before an `@`.
fn jdbc(target: &str) -> String {
    let Some(rest) = target.strip_prefix("postgres://").or(target.strip_prefix("postgresql://")) else {
        return format!("jdbc:sqlite:{target}");
    };
    let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (role, password) = login.split_once(':').unwrap_or((login, ""));
    let named = [("user", role), ("password", password)].into_iter().filter(|(_, value)| !value.is_empty());
    let parameters: Vec<String> = named.map(|(name, value)| format!("{name}={value}")).collect();
    let separator = if place.contains('?') { '&' } else { '?' };
    match parameters.is_empty() {
        true => format!("jdbc:postgresql://{place}"),
        false => format!("jdbc:postgresql://{place}{separator}{}", parameters.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> BTreeMap<String, String> {
        let pairs = [
            ("target", "postgres://tool:pw%40d@127.0.0.1:4711/s1_t"),
            ("source.jdbc", "postgres://a/b"),
            ("source.live", "postgresql://host/app?sslmode=require"),
            ("source.me", "postgres://me@host/app?sslmode=require"),
            ("source.file", "/tmp/old.db"),
            ("root", "/repo"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn a_target_is_had_as_jdbc_takes_it() {
        for (text, expected) in [
            ("{target.jdbc}", "jdbc:postgresql://127.0.0.1:4711/s1_t?user=tool&password=pw%40d"),
            ("{source.live.jdbc}", "jdbc:postgresql://host/app?sslmode=require"),
            ("{source.me.jdbc}", "jdbc:postgresql://host/app?sslmode=require&user=me"),
            ("{source.file.jdbc}", "jdbc:sqlite:/tmp/old.db"),
            ("{source.jdbc}", "postgres://a/b"),
            (
                "-url={target.jdbc} {root.jdbc} {\"a\": {root}}",
                "-url=jdbc:postgresql://127.0.0.1:4711/s1_t?user=tool&password=pw%40d {root.jdbc} {\"a\": /repo}",
            ),
        ] {
            assert_eq!(fill(text, &values()).unwrap(), expected);
        }
        assert!(fill("{source.other.jdbc}", &values()).is_err());
    }
}
