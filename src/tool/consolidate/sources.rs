//! All sources, opened and looked at; and the schemas of the targets.

use super::jobs::{Task, side_by_side};
use super::shape::Shape;
use super::snapshot::Snapshot;
use super::{Profile, Run};
use crate::db::sqlite::{immutable_uri, quoted};
use crate::{Error, Result};
use rusqlite::{Connection, params_from_iter, types::Value};
use std::collections::BTreeMap;
use std::path::Path;

/// See the module.
pub(super) struct Sources {
    /// By name.
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    /// What SQL attaches in the place of each: a file in UTF-8.
    pub(super) uris: BTreeMap<String, String>,
    pub(super) shapes: BTreeMap<String, Shape>,
    /// Of the targets, as their schemas make them.
    pub(super) target_shapes: BTreeMap<String, Shape>,
}

impl Sources {
    /// Opens every file of the profile and checks it. `scratch` takes copies where they are needed.
    ///
    /// # Errors
    /// All files that cannot be used, one per line.
    pub(super) fn open(run: &Run, scratch: &Path) -> Result<Sources> {
        let mut sources = Sources {
            snapshots: BTreeMap::new(),
            uris: BTreeMap::new(),
            shapes: BTreeMap::new(),
            target_shapes: target_shapes(&run.profile)?,
        };
        let names = run.profile.source.keys();
        let tasks: Vec<Task<'_, Result<Looked>>> =
            names.map(|name| Box::new(move || look(run, scratch, name)) as Task<'_, _>).collect();
        let looked = side_by_side(run.jobs(), tasks);
        let mut problems = Vec::new();
        for (name, looked) in run.profile.source.keys().zip(looked) {
            match looked {
                Ok((snapshot, shape, uri)) => {
                    sources.snapshots.insert(name.clone(), snapshot);
                    sources.shapes.insert(name.clone(), shape);
                    sources.uris.insert(name.clone(), uri);
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        match problems.is_empty() {
            true => Ok(sources),
            false => Err(Error::environment(problems.join("\n"))),
        }
    }

    /// Whether every source is still what it was.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn recheck(&self) -> Result<()> {
        self.snapshots.values().try_for_each(Snapshot::recheck)
    }
}

/// A file, its shape, and what SQL attaches.
type Looked = (Snapshot, Shape, String);

/// Opens one file and checks it.
fn look(run: &Run, scratch: &Path, name: &str) -> Result<Looked> {
    let source = &run.profile.source[name];
    let path = run.place.file(&source.file);
    let snapshot = Snapshot::take(&path, scratch, run.options.patience)?;
    let within = |error: Error| error.within(path.display());
    snapshot.check().map_err(within)?;
    let read = |error| within(Error::environment("its schema cannot be read").caused_by(error));
    let shape = Shape::read(&snapshot.connection).map_err(read)?;
    let uri = in_utf8(&snapshot, &source.tables, &scratch.join(format!("{name}.utf8"))).map_err(within)?;
    Ok((snapshot, shape, uri))
}

/// The shapes that the schemas of a profile make.
///
/// # Errors
/// A schema that SQLite does not take, or that is not UTF-8.
pub(super) fn target_shapes(profile: &Profile) -> Result<BTreeMap<String, Shape>> {
    let shape = |(name, schema): (&String, &String)| {
        let failed = |error| Error::environment(format!("schema of target {name}")).caused_by(error);
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch(schema).map_err(failed)?;
        if encoding(&connection).map_err(failed)? != "UTF-8" {
            return Err(Error::environment(format!("schema of target {name}: targets are in UTF-8")));
        }
        Ok((name.clone(), Shape::read(&connection).map_err(failed)?))
    };
    profile.schemas.iter().map(shape).collect()
}

fn encoding(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("pragma encoding", [], |row| row.get(0))
}

/// SQLite attaches only files of one encoding: what is in UTF-16 is written anew, table by table.
fn in_utf8(snapshot: &Snapshot, tables: &[String], copy: &Path) -> Result<String> {
    let failed = |error| Error::environment("it cannot be put into UTF-8").caused_by(error);
    if encoding(&snapshot.connection).map_err(failed)? == "UTF-8" {
        return Ok(snapshot.uri.clone());
    }
    if let Some(folder) = copy.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    }
    let to = Connection::open(copy).map_err(failed)?;
    to.execute_batch("pragma synchronous = off; pragma journal_mode = off; pragma foreign_keys = off; begin")
        .map_err(failed)?;
    for table in tables {
        rewrite(&snapshot.connection, &to, table).map_err(failed)?;
    }
    to.execute_batch("commit").map_err(failed)?;
    to.close().map_err(|(_, error)| failed(error))?;
    Ok(immutable_uri(copy))
}

fn rewrite(from: &Connection, to: &Connection, table: &str) -> rusqlite::Result<()> {
    let sql = "select sql from sqlite_master where type = 'table' and name = ?1";
    let mut found = from.prepare(sql)?;
    let Some(definition) = found.query_map([table], |row| row.get::<_, String>(0))?.next() else { return Ok(()) };
    to.execute_batch(&definition?)?;
    let mut columns = from.prepare("select name from pragma_table_xinfo(?1) where hidden = 0 order by cid")?;
    let columns = columns.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let list = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let mut read = from.prepare(&format!("select {list} from {}", quoted(table)))?;
    let mut write = to.prepare(&format!("insert into {} ({list}) values ({marks})", quoted(table)))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns.len()).map(|index| row.get(index)).collect::<rusqlite::Result<Vec<Value>>>()?;
        write.execute(params_from_iter(values))?;
    }
    let counter = "select seq from sqlite_sequence where name = ?1";
    if let Ok(last) = from.query_row(counter, [table], |row| row.get::<_, i64>(0)) {
        to.execute("delete from sqlite_sequence where name = ?1", [table])?;
        to.execute("insert into sqlite_sequence (name, seq) values (?1, ?2)", (table, last))?;
    }
    Ok(())
}
