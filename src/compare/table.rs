//! One table of both sides that can be compared, and the statements that read it. Text in, text out.

use super::canonical::Family;
use super::options::{Engine, Options};
use super::read::{Form, Reading};
use crate::db::postgres::quoted;
use crate::db::{ColumnShape, TableShape};
use std::collections::BTreeSet;

/// How a table is compared.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) source: TableShape,
    pub(super) target: TableShape,
    /// Those that both sides have, the key's first, then by name.
    columns: Vec<String>,
    pub(super) key: Vec<String>,
    pub(super) form: Form,
    families: Vec<Family>,
    /// Nothing is expected: the source is read as if it had no rows.
    pub(super) source_is_empty: bool,
}

/// One of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Source,
    Target,
}

impl Table {
    /// The table, and the columns that only one side has.
    ///
    /// # Errors
    /// Types that no form covers, each with its column.
    pub(super) fn new(
        (source, source_engine): (&TableShape, Engine),
        (target, target_engine): (&TableShape, Engine),
        options: &Options,
    ) -> Result<(Table, Vec<String>), Vec<String>> {
        let ignored: BTreeSet<&String> = [source, target]
            .into_iter()
            .filter_map(|shape| options.ignored.get(&shape.qualified()))
            .flatten()
            .collect();
        let names = |shape: &TableShape| -> BTreeSet<String> {
            shape.columns.iter().map(|column| column.name.clone()).filter(|name| !ignored.contains(name)).collect()
        };
        let (sources, targets) = (names(source), names(target));
        let common: BTreeSet<String> = sources.intersection(&targets).cloned().collect();
        let lost = sources.difference(&targets).map(|name| format!("column {name} is missing in the target"));
        let more = targets.difference(&sources).map(|name| format!("column {name} is only in the target"));
        let notes = lost.chain(more).collect();

        let is_usable = |key: &&Vec<String>| !key.is_empty() && key.iter().all(|column| common.contains(column));
        let key = [&source.key, &target.key].into_iter().find(is_usable).cloned().unwrap_or_default();
        let rest = common.iter().filter(|name| !key.contains(name)).cloned();
        let columns: Vec<String> = key.iter().cloned().chain(rest).collect();
        let (form, families) = match (source_engine, target_engine) {
            (Engine::Sqlite, Engine::Sqlite) => (Form::Sqlite, Vec::new()),
            (Engine::Postgres, Engine::Postgres) => (postgres_form(source, target, &columns), Vec::new()),
            (Engine::Postgres, Engine::Sqlite) => (Form::Canonical, families(source, &columns)?),
            (Engine::Sqlite, Engine::Postgres) => (Form::Canonical, families(target, &columns)?),
        };
        let (source, target) = (source.clone(), target.clone());
        Ok((Table { source, target, columns, key, form, families, source_is_empty: false }, notes))
    }

    pub(super) fn shape(&self, which: Which) -> &TableShape {
        match which {
            Which::Source => &self.source,
            Which::Target => &self.target,
        }
    }

    /// All rows.
    pub(super) fn all(&self, which: Which, engine: Engine) -> Reading {
        let list = names(&self.columns);
        let sql = match engine {
            Engine::Sqlite => self.select(&list, which),
            Engine::Postgres => self.copy(&list, which, self.form == Form::Binary),
        };
        self.reading(sql, self.form, self.key.len())
    }

    /// What tells all rows apart, and the same as text: the key, or without one the whole row.
    pub(super) fn named(&self, which: Which, engine: Engine) -> Reading {
        let told = if self.key.is_empty() { &self.columns } else { &self.key };
        let list = names(told);
        let sql = match (engine, self.form) {
            (Engine::Sqlite, _) => self.select(&list, which),
            (Engine::Postgres, Form::Binary) => {
                let texts: Vec<String> = told.iter().map(|name| format!("{}::text", quoted(name))).collect();
                let both = [list, texts.join(", ")].into_iter().filter(|list| !list.is_empty()).collect::<Vec<_>>();
                format!("COPY ({}) TO STDOUT (FORMAT binary)", self.select(&both.join(", "), which))
            }
            (Engine::Postgres, _) => self.copy(&list, which, false),
        };
        self.reading(sql, self.form, told.len())
    }

    /// The rows with this key, in a form that can be read by fields; nothing where the key cannot be asked for.
    pub(super) fn one(&self, which: Which, engine: Engine, key: &[Option<String>]) -> Option<Reading> {
        let is_plain = |family: &Family| !matches!(family, Family::Instant | Family::Json | Family::Bytes);
        if self.key.is_empty() || key.len() != self.key.len() || !self.families.iter().take(key.len()).all(is_plain) {
            return None;
        }
        let condition = |(column, value): (&String, &Option<String>)| {
            Some(format!("{} in ({})", quoted(column), literals(value.as_deref()?, engine)))
        };
        let conditions = self.key.iter().zip(key).map(condition).collect::<Option<Vec<_>>>()?;
        let select = format!("{} WHERE {}", self.rows(&names(&self.columns), which), conditions.join(" AND "));
        let form = if self.form == Form::Binary { Form::Text } else { self.form };
        let sql = if engine == Engine::Sqlite { select } else { format!("COPY ({select}) TO STDOUT") };
        Some(self.reading(sql, form, self.columns.len()))
    }

    /// The name of a column, by its place in the rows that are read.
    pub(super) fn column(&self, place: usize) -> Option<&String> {
        self.columns.get(place)
    }

    /// What tells rows apart, by name.
    pub(super) fn told(&self) -> &[String] {
        if self.key.is_empty() { &self.columns } else { &self.key }
    }

    /// The short names of the key's types.
    pub(super) fn key_families(&self) -> Vec<Option<String>> {
        let family = |name: &String| self.source.column(name).and_then(|column| column.family.clone());
        self.key.iter().map(family).collect()
    }

    fn reading(&self, sql: String, form: Form, key_fields: usize) -> Reading {
        Reading { sql, form, key_fields, families: self.families.clone() }
    }

    fn is_empty(&self, which: Which) -> bool {
        self.source_is_empty && which == Which::Source
    }

    fn select(&self, list: &str, which: Which) -> String {
        let none = if self.is_empty(which) { " WHERE false" } else { "" };
        format!("{}{none}", self.rows(list, which))
    }

    fn rows(&self, list: &str, which: Which) -> String {
        let shape = self.shape(which);
        let list = if list.is_empty() && shape.schema == crate::db::SQLITE_SCHEMA { "NULL" } else { list };
        format!("SELECT {list} FROM {}{}", if shape.only { "ONLY " } else { "" }, shape.quoted())
    }

    fn copy(&self, list: &str, which: Which, binary: bool) -> String {
        let shape = self.shape(which);
        let from = match shape.whole && !list.is_empty() && !self.is_empty(which) {
            true => format!("{} ({list})", shape.quoted()),
            false => format!("({})", self.select(list, which)),
        };
        format!("COPY {from} TO STDOUT{}", if binary { " (FORMAT binary)" } else { "" })
    }
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// Binary where all types are built in and the same.
fn postgres_form(source: &TableShape, target: &TableShape, columns: &[String]) -> Form {
    let is_portable = |name: &String| match (source.column(name), target.column(name)) {
        (Some(one), Some(other)) => one.portable && other.portable && one.type_name == other.type_name,
        _ => false,
    };
    if columns.iter().all(is_portable) { Form::Binary } else { Form::Text }
}

fn families(shape: &TableShape, columns: &[String]) -> Result<Vec<Family>, Vec<String>> {
    let found: Vec<&ColumnShape> = columns.iter().filter_map(|name| shape.column(name)).collect();
    let unknown: Vec<String> = found
        .iter()
        .filter(|column| Family::of(column).is_none())
        .map(|column| {
            format!("column {} has type {}, which SQLite has no counterpart of", column.name, column.type_name)
        })
        .collect();
    if unknown.is_empty() { Ok(found.into_iter().filter_map(Family::of).collect()) } else { Err(unknown) }
}

/// Both ways in which SQLite may hold it.
fn literals(text: &str, engine: Engine) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    let is_number = text.parse::<i64>().is_ok() || text.parse::<f64>().is_ok_and(f64::is_finite);
    if engine == Engine::Sqlite && is_number { format!("{quoted}, {text}") } else { quoted }
}
