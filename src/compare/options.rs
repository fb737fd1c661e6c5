//! What is compared with what.

use crate::db::{SQLITE_SCHEMA, Volatile};
use std::collections::BTreeMap;

/// What to compare, and how much to say. The default compares all tables, by their own names.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only tables of these schemas of the source; empty: of all.
    pub schemas: Vec<String>,
    /// Only these tables of the source, as `schema.table` or as a bare name in SQLite; empty: all.
    pub tables: Vec<String>,
    /// Tables of the source with the name that they have in the target.
    pub renamed_tables: BTreeMap<String, String>,
    /// Schemas of the source with the name that they have in the target.
    pub renamed_schemas: BTreeMap<String, String>,
    /// Columns that are left out, by table of either side.
    pub ignored: Volatile,
    /// Keys that are named per table and kind of difference.
    pub samples: usize,
    /// Definitions too: types, defaults, constraints, indexes, sequences, grants ...
    pub catalog: bool,
}

/// A table's schema and name.
pub(super) type Name = (String, String);

impl Options {
    /// Whether a table of the source is asked for.
    pub(super) fn wants(&self, (schema, table): &Name) -> bool {
        let by_name = self.tables.iter().any(|wanted| named(wanted) == (schema.as_str(), table.as_str()));
        let by_schema = self.schemas.contains(schema);
        (self.tables.is_empty() && self.schemas.is_empty()) || by_name || by_schema
    }

    /// What a table of the source is called in the target.
    pub(super) fn target_of(&self, (schema, table): &Name, target: Engine) -> Name {
        let renamed = |(from, _): &(&String, &String)| named(from) == (schema.as_str(), table.as_str());
        if let Some((_, to)) = self.renamed_tables.iter().find(renamed) {
            return owned(to);
        }
        let schema = self.renamed_schemas.get(schema).unwrap_or(schema);
        (target.spelled(schema), table.clone())
    }

    /// What a table of the target is called in the source.
    pub(super) fn source_of(&self, (schema, table): &Name, source: Engine) -> Name {
        let renamed = |(_, to): &(&String, &String)| named(to) == (schema.as_str(), table.as_str());
        if let Some((from, _)) = self.renamed_tables.iter().find(renamed) {
            return owned(from);
        }
        let spelled = |to: &String| to == schema || (schema == SQLITE_SCHEMA && to == PUBLIC);
        let from = self.renamed_schemas.iter().find(|(_, to)| spelled(to));
        (source.spelled(from.map_or(schema, |(from, _)| from)), table.clone())
    }
}

/// Whose tables they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    Sqlite,
}

const PUBLIC: &str = "public";

impl Engine {
    /// SQLite has one schema; in Postgres it answers to `public`.
    fn spelled(self, schema: &str) -> String {
        match (self, schema) {
            (Engine::Sqlite, _) => SQLITE_SCHEMA.to_owned(),
            (Engine::Postgres, SQLITE_SCHEMA) => PUBLIC.to_owned(),
            (Engine::Postgres, other) => other.to_owned(),
        }
    }
}

/// Schema and name of `schema.table`; a bare name is one of SQLite.
pub(super) fn named(text: &str) -> (&str, &str) {
    text.split_once('.').unwrap_or((SQLITE_SCHEMA, text))
}

fn owned(text: &str) -> Name {
    let (schema, table) = named(text);
    (schema.to_owned(), table.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn options() -> Options {
        Options {
            renamed_tables: BTreeMap::from([("app.users".to_owned(), "one.people".to_owned())]),
            renamed_schemas: BTreeMap::from([("app".to_owned(), "general".to_owned())]),
            ..Options::default()
        }
    }

    #[rstest]
    #[case("app.users", "one.people", Engine::Postgres, Engine::Postgres)]
    #[case("app.notes", "general.notes", Engine::Postgres, Engine::Postgres)]
    #[case("other.notes", "other.notes", Engine::Postgres, Engine::Postgres)]
    #[case("notes", "public.notes", Engine::Sqlite, Engine::Postgres)]
    #[case("public.notes", "notes", Engine::Postgres, Engine::Sqlite)]
    #[case("notes", "notes", Engine::Sqlite, Engine::Sqlite)]
    fn a_table_is_found_by_its_other_name_in_both_directions(
        #[case] source: &str,
        #[case] target: &str,
        #[case] from: Engine,
        #[case] to: Engine,
    ) {
        assert_eq!(options().target_of(&owned(source), to), owned(target));
        assert_eq!(options().source_of(&owned(target), from), owned(source));
    }
}
