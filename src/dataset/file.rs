//! `dataset.toml` as it is written, and what may be wrong with it.

use super::generator::{Column, Generator, Key};
use super::{Database, Dataset, Journal, Side, Table, rows};
use crate::error::{Error, Result};
use crate::model::Classification;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const NAME: &str = "dataset.toml";

/// What a database runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// The same, as scenarios name it.
    pub fn into_model(self) -> crate::model::Engine {
        match self {
            Engine::Postgres => crate::model::Engine::Postgres,
            Engine::Sqlite => crate::model::Engine::Sqlite,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetFile {
    format: u32,
    engine: Engine,
    classification: Classification,
    sizes: BTreeMap<String, u64>,
    database: BTreeMap<String, DatabaseFile>,
    #[serde(default)]
    content: BTreeMap<String, BTreeMap<String, TableFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseFile {
    schema: Vec<String>,
    content: Option<String>,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default)]
    journal: Journal,
    #[serde(default)]
    unmerged: Vec<String>,
    #[serde(default)]
    stale_wal: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    #[serde(default = "one")]
    weight: u32,
    columns: BTreeMap<String, Generator>,
}

fn one() -> u32 {
    1
}

/// The files of a folder, parsed and found sound.
pub(super) struct Read {
    file: DatasetFile,
    files: BTreeMap<String, String>,
}

pub(super) fn read(folder: &Path) -> Result<Read> {
    let text = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))
    };
    let toml = text(NAME)?;
    let file: DatasetFile = toml::from_str(&toml).map_err(|error| Error::environment(format!("{NAME}:\n{error}")))?;
    let mut files = BTreeMap::from([(NAME.to_owned(), toml)]);
    let mut problems = file.problems();
    for name in file.database.values().flat_map(|database| database.schema.iter().chain(&database.unmerged)) {
        match text(name) {
            Ok(sql) => drop(files.insert(name.clone(), sql)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    match problems.is_empty() {
        true => Ok(Read { file, files }),
        false => Err(Error::environment(format!("{NAME}: {}", problems.join("\n")))),
    }
}

impl DatasetFile {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.format != 1 {
            problems.push(format!("format = {} is not known here, 1 is", self.format));
        }
        problems.extend(self.database.iter().flat_map(|(name, database)| self.database_problems(name, database)));
        for (content, tables) in &self.content {
            for (name, table) in tables {
                problems.extend(table_problems(&format!("content.{content}.{name}"), table, tables));
            }
            if let Err(circle) = ordered(tables) {
                problems.push(format!("content.{content}: tables {circle} refer to each other in a circle"));
            }
        }
        problems
    }

    fn database_problems(&self, name: &str, database: &DatabaseFile) -> Vec<String> {
        let mut problems = Vec::new();
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            problems.push(format!("database `{name}`: a name has letters, digits, - and _ only"));
        }
        if let Some(content) = database.content.as_ref().filter(|content| !self.content.contains_key(*content)) {
            problems.push(format!("database {name}: there is no [content.{content}]"));
        }
        if database.weight == 0 {
            problems.push(format!("database {name}: a weight is at least 1"));
        }
        let has_side = database.journal == Journal::Wal || database.stale_wal || !database.unmerged.is_empty();
        if has_side && self.engine == Engine::Postgres {
            problems.push(format!("database {name}: `journal`, `unmerged` and `stale_wal` are of SQLite files"));
        }
        problems
    }
}

fn table_problems(place: &str, table: &TableFile, tables: &BTreeMap<String, TableFile>) -> Vec<String> {
    let mut problems = Vec::new();
    if table.weight == 0 {
        problems.push(format!("{place}: a weight is at least 1"));
    }
    for (column, generator) in &table.columns {
        let found = generator.problems(&|reference| key_of(tables, reference).is_some());
        problems.extend(found.into_iter().map(|problem| format!("{place}.columns.{column}: {problem}")));
    }
    problems
}

/// The generator behind `table.column`, if it makes keys. The table's own name may hold dots.
fn key_of<'a>(tables: &'a BTreeMap<String, TableFile>, reference: &str) -> Option<(String, &'a Generator)> {
    let (table, column) = reference.rsplit_once('.')?;
    let generator = tables.get(table)?.columns.get(column)?;
    generator.is_key().then(|| (table.to_owned(), generator))
}

/// The names of the tables, each after those it refers to; or those that are in a circle.
fn ordered(tables: &BTreeMap<String, TableFile>) -> Result<Vec<&str>, String> {
    let mut done: Vec<&str> = Vec::new();
    while done.len() < tables.len() {
        let ready = |name: &str, table: &TableFile| {
            let parents = table.columns.values().filter_map(Generator::reference);
            let mut parents = parents.filter_map(|reference| reference.rsplit_once('.')).map(|(parent, _)| parent);
            parents.all(|parent| parent == name || done.contains(&parent) || !tables.contains_key(parent))
        };
        let left = || tables.iter().filter(|(name, _)| !done.contains(&name.as_str()));
        let next: Vec<&str> =
            left().filter(|(name, table)| ready(name, table)).map(|(name, _)| name.as_str()).collect();
        if next.is_empty() {
            return Err(left().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
        }
        done.extend(next);
    }
    Ok(done)
}

impl Read {
    pub(super) fn into_dataset(self, name: String, size: &str, seed: u64) -> Result<Dataset> {
        let rows = self.rows(self.total(size)?)?;
        let databases = self.file.database.iter().map(|(name, database)| Database {
            name: name.clone(),
            engine: self.file.engine,
            schema: database.schema.iter().map(|file| (file.clone(), self.files[file].clone())).collect(),
            tables: self.content(database).map_or(Vec::new(), |tables| filled(name, tables, &rows, seed)),
            side: Side {
                journal: database.journal,
                unmerged: database.unmerged.iter().map(|file| (file.clone(), self.files[file].clone())).collect(),
                stale_wal: database.stale_wal,
            },
        });
        let databases = databases.collect();
        Ok(Dataset {
            name,
            engine: self.file.engine,
            classification: self.file.classification,
            size: size.to_owned(),
            seed,
            databases,
            files: self.files.into_iter().collect(),
        })
    }

    /// The rows of each (database, table).
    fn rows(&self, total: u64) -> Result<BTreeMap<(&str, &str), u64>> {
        let tables = self.tables();
        let weight = |database: &DatabaseFile, table: &TableFile| u64::from(database.weight) * u64::from(table.weight);
        let weights: Vec<u64> = tables.iter().map(|(database, _, table)| weight(database.1, table)).collect();
        let shares = rows::shares(total, &weights).ok_or_else(|| {
            let count = tables.len();
            Error::environment(format!("{total} rows are too few: each of the {count} tables has at least one"))
        })?;
        Ok(tables.into_iter().zip(shares).map(|((database, table, _), rows)| ((database.0, table), rows)).collect())
    }

    fn total(&self, size: &str) -> Result<u64> {
        let named = self.file.sizes.get(size).copied();
        named.or_else(|| size.replace('_', "").parse().ok()).ok_or_else(|| {
            let names: Vec<&str> = self.file.sizes.keys().map(String::as_str).collect();
            Error::environment(format!("there is no size `{size}`; it is {} or a number of rows", names.join(", ")))
        })
    }

    fn content(&self, database: &DatabaseFile) -> Option<&BTreeMap<String, TableFile>> {
        database.content.as_ref().and_then(|content| self.file.content.get(content))
    }

    /// All generated tables of all databases, sorted by the names of both.
    fn tables(&self) -> Vec<((&str, &DatabaseFile), &str, &TableFile)> {
        let databases = self.file.database.iter().map(|(name, database)| (name.as_str(), database));
        databases
            .filter_map(|database| Some((database, self.content(database.1)?)))
            .flat_map(|(database, tables)| tables.iter().map(move |(name, table)| (database, name.as_str(), table)))
            .collect()
    }
}

fn filled(
    database: &str,
    tables: &BTreeMap<String, TableFile>,
    rows: &BTreeMap<(&str, &str), u64>,
    seed: u64,
) -> Vec<Table> {
    let key = |column: &str, table: &str, generator: &Generator| Key {
        generator: generator.clone(),
        salt: rows::salt(&rows::table_key(seed, database, table), column),
        rows: rows[&(database, table)],
    };
    let order = ordered(tables).expect("circles were found when the file was read");
    let table = |name: &str| Table {
        name: name.to_owned(),
        rows: rows[&(database, name)],
        key: rows::table_key(seed, database, name),
        columns: tables[name]
            .columns
            .iter()
            .map(|(column, generator)| Column {
                name: column.clone(),
                generator: generator.clone(),
                salt: rows::salt(&rows::table_key(seed, database, name), column),
                parent: generator.reference().and_then(|reference| {
                    let (parent, made_by) = key_of(tables, reference)?;
                    let column = reference.rsplit_once('.')?.1;
                    Some(key(column, &parent, made_by))
                }),
            })
            .collect(),
    };
    order.into_iter().map(table).collect()
}
