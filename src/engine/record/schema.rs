//! Two schemas beside each other. Who owns what, and who may do what, is each place's own; the rest must be the same.

use crate::model::{Body, CaseRecord, DatabaseState, Difference, Moment, Phase, compare};
use std::collections::BTreeMap;

/// Definitions that speak of roles and of the database as such.
const LOCAL: [&str; 3] = ["database", "default privileges", "setting"];

/// In what the definitions of `found` differ from those of `expected`; `endpoint` is named in each.
pub(super) fn differences(endpoint: &str, expected: &DatabaseState, found: &DatabaseState) -> Vec<Difference> {
    compare(&format!("{endpoint}: "), &schema(expected), &schema(found))
}

fn schema(state: &DatabaseState) -> BTreeMap<String, String> {
    let is_local = |name: &str| LOCAL.iter().any(|local| name.starts_with(local));
    let definitions = state.catalog.iter().filter(|(name, _)| !is_local(name));
    definitions.map(|(name, text)| (name.clone(), without_roles(text))).collect()
}

/// `owner somebody acl {...}` is left out, wherever it stands last.
fn without_roles(text: &str) -> String {
    let without_owner = match text.rfind("owner ") {
        Some(at) if at == 0 || text[..at].ends_with(' ') => {
            let rest = &text[at + "owner ".len()..];
            let end = rest.find(' ').map_or("", |space| &rest[space..]);
            format!("{}{end}", text[..at].trim_end())
        }
        _ => text.to_owned(),
    };
    let Some(at) = without_owner.rfind("acl") else { return without_owner };
    let (before, rest) = without_owner.split_at(at);
    if !(before.is_empty() || before.ends_with(' ')) {
        return without_owner;
    }
    let rest = rest["acl".len()..].trim_start();
    let rest = if rest.starts_with('{') { rest.split_once('}').map_or("", |(_, rest)| rest) } else { rest };
    format!("{} {}", before.trim_end(), rest.trim_start()).trim().to_owned()
}

/// The digests of what each endpoint held right before the step of an uninjured run, and right after it.
pub(super) fn around(golden: &CaseRecord, step: &str) -> Option<[BTreeMap<String, String>; 2]> {
    let begins = |body: &Body| matches!(body, Body::StepStarted { step: of, phase: Phase::Plan, .. } if of == step);
    let at = golden.events.iter().position(begins)?;
    let (earlier, later) = golden.events.split_at(at);
    let before = earlier.iter().filter_map(|body| match body {
        Body::Probe { endpoint, state, .. } => Some((endpoint.clone(), state.clone())),
        _ => None,
    });
    let its_end = Moment::after(Phase::Plan, step);
    let after = later.iter().filter_map(|body| match body {
        Body::Probe { moment, endpoint, state, .. } if *moment == its_end => Some((endpoint.clone(), state.clone())),
        _ => None,
    });
    Some([before.collect(), after.collect()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(entries: &[(&str, &str)]) -> DatabaseState {
        let catalog = entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        DatabaseState { catalog, ..DatabaseState::default() }
    }

    #[test]
    fn who_owns_it_does_not_count_and_everything_else_does() {
        let table = "ordinary table persistence p owner tester acl {tester=arwdDxt/tester} options {fillfactor=70}";
        let expected =
            state(&[("relation app.a", table), ("database", "owner x encoding UTF8"), ("column app.a.b", "text")]);
        let same = [
            ("relation app.a", "ordinary table persistence p owner app acl options {fillfactor=70}"),
            ("database", "owner app encoding LATIN1"),
            ("column app.a.b", "text"),
        ];
        assert_eq!(differences("pg.target", &expected, &state(&same)), []);
        for (nth, text) in [(0, "ordinary table persistence u owner app acl options {fillfactor=70}"), (2, "integer")] {
            let mut other = same;
            other[nth].1 = text;
            let found = differences("pg.target", &expected, &state(&other));
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].object, format!("pg.target: {}", same[nth].0));
        }
        assert_eq!(differences("pg.target", &expected, &state(&same[..2])).len(), 1, "a column is gone");
    }

    #[test]
    fn roles_are_left_out_where_they_stand() {
        for (text, expected) in [
            ("owner a acl {a=U/a,=U/a}", ""),
            ("owner a acl", ""),
            ("text not null acl {a=r/b}", "text not null"),
            ("x owner \"a\" acl {a=r/b} options {c=d}", "x options {c=d}"),
            ("check (owner_id > 0)", "check (owner_id > 0)"),
            ("oracle", "oracle"),
        ] {
            assert_eq!(without_roles(text), expected, "{text}");
        }
    }
}
