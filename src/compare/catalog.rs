//! The definitions of both sides, compared under the names that the source's have in the target.

use super::options::{Name, Options, named};
use crate::model::{DatabaseState, Difference};
use std::collections::BTreeMap;

/// What differs, of the schemas and tables that are asked for.
pub(super) fn differences(source: DatabaseState, target: DatabaseState, options: &Options) -> Vec<Difference> {
    let source = renamed(source, options);
    let is_asked =
        |difference: &Difference| options.tables.is_empty() && options.schemas.is_empty() || scope(options, difference);
    target.differences(&source).into_iter().filter(is_asked).collect()
}

fn scope(options: &Options, difference: &Difference) -> bool {
    let tables = options.tables.iter().map(|table| options.renamed_tables.get(table).unwrap_or(table));
    let tables: Vec<Name> = tables
        .map(|table| {
            let (schema, name) = named(table);
            (schema.to_owned(), name.to_owned())
        })
        .collect();
    let schemas: Vec<&String> =
        options.schemas.iter().map(|schema| options.renamed_schemas.get(schema).unwrap_or(schema)).collect();
    // A name begins with its kind: `column app.users.name`, `schema app`.
    let Some((_, name)) = difference.object.split_once(' ') else { return false };
    // Other words may come before it: `comment table app.users`.
    let is_of = |prefix: &str| {
        let begins =
            |word: &str| word.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        name.split(' ').any(begins)
    };
    schemas.iter().any(|schema| is_of(schema))
        || tables.iter().any(|(schema, table)| is_of(&format!("{schema}.{table}")) || is_of(table))
}

/// All names and definitions as the target would spell them.
fn renamed(mut state: DatabaseState, options: &Options) -> DatabaseState {
    let mut renames: Vec<(String, String)> =
        options.renamed_tables.iter().map(|(from, to)| (from.clone(), to.clone())).collect();
    renames.extend(options.renamed_schemas.iter().map(|(from, to)| (format!("{from}."), format!("{to}."))));
    if renames.is_empty() {
        return state;
    }
    let respelled = |text: &str| renames.iter().fold(text.to_owned(), |text, (from, to)| replaced(&text, from, to));
    let all = |map: BTreeMap<String, String>| -> BTreeMap<String, String> {
        map.into_iter().map(|(name, definition)| (respelled(&name), respelled(&definition))).collect()
    };
    state.catalog = all(state.catalog);
    for (from, to) in &options.renamed_schemas {
        if let Some(definition) = state.catalog.remove(&format!("schema {from}")) {
            state.catalog.insert(format!("schema {to}"), definition);
        }
    }
    state.sequences = all(state.sequences);
    state
}

/// Replaces a name where it is not a part of a longer one.
fn replaced(text: &str, from: &str, to: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "_$\".".contains(c);
    let (mut result, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(place) = rest.find(from) {
        let (before, after) = (&rest[..place], &rest[place + from.len()..]);
        let begins = !before.chars().next_back().is_some_and(|c| is_name(c) && c != '"');
        let ends = from.ends_with('.') || !after.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_');
        result.push_str(before);
        result.push_str(if begins && ends { to } else { from });
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::{Options, replaced, scope};
    use crate::model::Difference;
    use rstest::rstest;

    #[rstest]
    #[case("column app.users.name", true)]
    #[case("comment table app.users", true)]
    #[case("constraint app.users_old.users_pkey", false)]
    #[case("database", false)]
    fn only_what_belongs_to_the_tables_is_asked(#[case] object: &str, #[case] expected: bool) {
        let options = Options { tables: vec!["app.users".to_owned()], ..Options::default() };
        let (object, expected_text, found) = (object.to_owned(), String::new(), String::new());
        assert_eq!(scope(&options, &Difference { object, expected: expected_text, found }), expected);
    }

    #[rstest]
    #[case("index app.users.users_pkey", "app.", "general.", "index general.users.users_pkey")]
    #[case("nextval('app.users_id_seq'::regclass)", "app.", "general.", "nextval('general.users_id_seq'::regclass)")]
    #[case("myapp.users", "app.", "general.", "myapp.users")]
    #[case(
        "REFERENCES app.users(id), app.users_old",
        "app.users",
        "one.people",
        "REFERENCES one.people(id), app.users_old"
    )]
    fn a_name_is_replaced_where_it_stands_alone(
        #[case] text: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(replaced(text, from, to), expected);
    }
}
