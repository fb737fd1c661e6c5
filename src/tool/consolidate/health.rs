//! What the health pages say, and `health` prints: whether the files of the mode are there with all that they must have.

use super::place::{Mode, Place};
use super::receipt::{Receipt, State};
use super::shape::Shape;
use super::{Profile, Run, restore, verify};
use crate::db::sqlite::quoted;
use crate::{Error, Result};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The document.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Health {
    /// `healthy` or `unhealthy`.
    pub(super) status: &'static str,
    /// The mode.
    pub(super) mode: Mode,
    /// The verdict.
    pub(super) validation: Validation,
    /// Each file of the mode.
    pub(super) databases: BTreeMap<String, DatabaseHealth>,
}

/// Whether all is there.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Validation {
    /// Nothing is wrong, and somebody looked.
    pub(super) success: bool,
    /// Nobody looked.
    pub(super) skipped: bool,
    /// What is wrong.
    pub(super) errors: Vec<String>,
    /// What is more than it must be.
    pub(super) warnings: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DatabaseHealth {
    /// Its name.
    pub(super) file: String,
    /// Whether it is there and can be read.
    pub(super) readable: bool,
    /// Its tables.
    pub(super) tables: Vec<String>,
    /// Those that are missing.
    pub(super) missing_tables: Vec<String>,
    /// Rows of the tables that are counted.
    pub(super) counts: BTreeMap<String, i64>,
}

/// How a file is opened: one way for an application, another for who must not leave a trace.
pub(super) type Look<'a> = &'a dyn Fn(&Path, &mut dyn FnMut(&Connection) -> Result<()>) -> Result<()>;

/// Judges the files of the mode.
pub(super) fn judge(profile: &Profile, place: &Place, shapes: &BTreeMap<String, Shape>, look: Look<'_>) -> Health {
    let mut validation = Validation { success: false, skipped: false, errors: Vec::new(), warnings: Vec::new() };
    let mut databases = BTreeMap::new();
    for wanted in wanted(profile, place.mode, shapes) {
        let mut found = DatabaseHealth {
            file: wanted.file.clone(),
            readable: false,
            tables: Vec::new(),
            missing_tables: Vec::new(),
            counts: BTreeMap::new(),
        };
        let path = place.file(&wanted.file);
        let mut examine = |connection: &Connection| examine(connection, &wanted, &mut found, &mut validation);
        if let Err(error) = look(&path, &mut examine) {
            validation.errors.push(format!("{}: {error}", wanted.file));
        }
        databases.insert(wanted.name, found);
    }
    validation.errors.extend(unfinished(place));
    if place.skip_schema_validation {
        validation.skipped = true;
        validation.errors.push(format!(
            "{} is set: nobody looked at the schema when this started; repair it and remove the variable",
            profile.variables.skip_schema_validation
        ));
    }
    validation.success = validation.errors.is_empty();
    let status = if validation.success { "healthy" } else { "unhealthy" };
    Health { status, mode: place.mode, validation, databases }
}

/// What a file must have.
struct Wanted {
    name: String,
    file: String,
    /// Tables with their columns.
    tables: BTreeMap<String, Vec<String>>,
    counted: Vec<String>,
}

fn wanted(profile: &Profile, mode: Mode, shapes: &BTreeMap<String, Shape>) -> Vec<Wanted> {
    let counted = |table: &String| verify::counted(profile).any(|(_, counted)| counted == table);
    match mode {
        Mode::Legacy => {
            let source = |(name, source): (&String, &super::profile::Source)| Wanted {
                name: name.clone(),
                file: source.file.clone(),
                tables: source.tables.iter().map(|table| (table.clone(), Vec::new())).collect(),
                counted: source.tables.iter().filter(|table| counted(table)).cloned().collect(),
            };
            profile.source.iter().map(source).collect()
        }
        Mode::Consolidated => {
            let names = |table: &super::shape::Table| table.columns.iter().map(|column| column.name.clone()).collect();
            let target = |(name, target): (&String, &super::profile::Target)| Wanted {
                name: name.clone(),
                file: target.file.clone(),
                tables: shapes[name].tables.iter().map(|(table, shape)| (table.clone(), names(shape))).collect(),
                counted: target.counted.iter().cloned().collect(),
            };
            profile.target.iter().map(target).collect()
        }
    }
}

fn examine(
    connection: &Connection,
    wanted: &Wanted,
    found: &mut DatabaseHealth,
    validation: &mut Validation,
) -> Result<()> {
    let failed = |error| Error::environment("SQLite cannot read it").caused_by(error);
    let shape = Shape::read(connection).map_err(failed)?;
    found.readable = true;
    found.tables = shape.tables.keys().cloned().collect();
    for (table, columns) in &wanted.tables {
        let Some(is) = shape.tables.get(table) else {
            validation.errors.push(format!("{}: table {table} is missing", wanted.file));
            found.missing_tables.push(table.clone());
            continue;
        };
        let missing = columns.iter().filter(|column| is.column(column).is_none());
        let missing = missing.map(|column| format!("{}: table {table}: column {column} is missing", wanted.file));
        validation.errors.extend(missing);
    }
    if !wanted.tables.values().all(Vec::is_empty) {
        let more = shape.tables.keys().filter(|table| !wanted.tables.contains_key(*table));
        validation.warnings.extend(more.map(|table| format!("{}: table {table} is not in the schema", wanted.file)));
    }
    for table in wanted.counted.iter().filter(|table| shape.tables.contains_key(*table)) {
        let sql = format!("select count(*) from {}", quoted(table));
        found.counts.insert(table.clone(), connection.query_row(&sql, [], |row| row.get(0)).map_err(failed)?);
    }
    Ok(())
}

/// A migration or a restore that is half in its place.
fn unfinished(place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    match Receipt::read(&place.data_dir) {
        Ok(Some(receipt)) if receipt.state == State::Publishing => {
            found.push("a migration was interrupted while it put its files in their places: run it again".to_owned());
        }
        Err(error) => found.push(error.to_string()),
        _ => {}
    }
    if restore::is_interrupted(&place.data_dir) {
        found.push("a restore was interrupted: run it again".to_owned());
    }
    found
}

/// `health`: the same, without a running application and without a trace.
pub(super) fn health(run: &Run) -> Result<Health> {
    let shapes = super::sources::target_shapes(&run.profile)?;
    let scratch = tempfile::tempdir().map_err(|error| Error::environment("no temporary folder").caused_by(error))?;
    let look = |path: &Path, examine: &mut dyn FnMut(&Connection) -> Result<()>| {
        let snapshot = super::snapshot::Snapshot::take(path, scratch.path(), run.options.patience)?;
        examine(&snapshot.connection)
    };
    Ok(judge(&run.profile, &run.place, &shapes, &look))
}
