//! All sources, opened and looked at; and the schemas of the targets.

use super::check::{Asked, Reading};
use super::jobs::{Task, side_by_side};
use super::shape::Shape;
use super::snapshot::Snapshot;
use super::{Profile, Run};
use crate::db::sqlite::{immutable_uri, quoted};
use crate::db::sqlite_plan::{Content, Indexes};
use crate::db::sqlite_scan::Found;
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
    readings: BTreeMap<String, Reading>,
}

/// What each table of each source holds, by source and table.
pub(super) type Contents = BTreeMap<String, BTreeMap<String, Content>>;

impl Sources {
    /// Opens every file of the profile. `scratch` takes copies where they are needed. Whether the files are sound is
    /// found by [`Sources::tasks`].
    ///
    /// # Errors
    /// All files that cannot be used, one per line.
    pub(super) fn open(run: &Run, scratch: &Path) -> Result<Sources> {
        let mut sources = Sources {
            snapshots: BTreeMap::new(),
            uris: BTreeMap::new(),
            shapes: BTreeMap::new(),
            target_shapes: target_shapes(&run.profile)?,
            readings: BTreeMap::new(),
        };
        let names = run.profile.source.keys();
        let tasks = names.map(|name| Task::new(1, move || look(run, scratch, name)));
        let looked = side_by_side(run.jobs(), tasks.collect());
        let mut problems = Vec::new();
        for (name, looked) in run.profile.source.keys().zip(looked) {
            match looked {
                Ok(Looked { snapshot, shape, uri, reading }) => {
                    sources.snapshots.insert(name.clone(), snapshot);
                    sources.shapes.insert(name.clone(), shape);
                    sources.uris.insert(name.clone(), uri);
                    sources.readings.insert(name.clone(), reading);
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        match problems.is_empty() {
            true => Ok(sources),
            false => Err(Error::environment(problems.join("\n"))),
        }
    }

    /// Reads every file from end to end; `done`: what is made of each part's result.
    pub(super) fn tasks<'a, T: 'a>(&'a self, done: fn(Result<Found>) -> T) -> impl Iterator<Item = Task<'a, T>> {
        self.readings.values().flat_map(move |reading| reading.tasks(done))
    }

    /// `found`: of each task, in their order.
    ///
    /// # Errors
    /// All files that are damaged, one per line.
    pub(super) fn judge(&self, found: impl IntoIterator<Item = Result<Found>>) -> Result<Contents> {
        let (mut contents, mut problems, mut found) = (Contents::new(), Vec::new(), found.into_iter());
        for (name, reading) in &self.readings {
            let of_file = found.by_ref().take(reading.parts().count()).collect::<Result<Vec<_>>>();
            match of_file.and_then(|found| reading.contents(&found).map_err(|what| self.snapshots[name].damaged(&what)))
            {
                Ok(tables) => drop(contents.insert(name.clone(), tables)),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() {
            return Ok(contents);
        }
        self.recheck()?; // what looks damaged may have been written meanwhile
        Err(Error::environment(problems.join("\n")))
    }

    /// What every table holds, if all files are sound.
    ///
    /// # Errors
    /// As of [`Sources::judge`].
    pub(super) fn check(&self, run: &Run) -> Result<Contents> {
        self.judge(side_by_side(run.jobs(), self.tasks(|found| found).collect()))
    }

    /// Whether every source is still what it was.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn recheck(&self) -> Result<()> {
        self.snapshots.values().try_for_each(Snapshot::recheck)
    }
}

/// One file.
struct Looked {
    snapshot: Snapshot,
    shape: Shape,
    /// What SQL attaches.
    uri: String,
    reading: Reading,
}

/// Opens one file; the words for what cannot be opened are SQLite's own.
fn look(run: &Run, scratch: &Path, name: &str) -> Result<Looked> {
    let source = &run.profile.source[name];
    let path = run.place.file(&source.file);
    let snapshot = Snapshot::take(&path, scratch, run.options.patience)?;
    let read = || {
        let failed = |error| Error::environment("its schema cannot be read").caused_by(error);
        let shape = Shape::read(&snapshot.connection).map_err(failed)?;
        let uri = in_utf8(&snapshot, &source.tables, &scratch.join(format!("{name}.utf8")))?;
        let reading = Reading::of(&snapshot.file, &Asked::new(), Indexes::Walked)?;
        Ok::<_, Error>((shape, uri, reading))
    };
    let found = read().or_else(|error| snapshot.check().and(Err(error)));
    let (shape, uri, reading) = found.map_err(|error| error.within(path.display()))?;
    // The connection stays open as long as the run takes; its pages need not.
    let failed = |error| Error::environment("SQLite cannot read it").caused_by(error);
    snapshot.connection.execute_batch("pragma shrink_memory").map_err(failed)?;
    Ok(Looked { snapshot, shape, uri, reading })
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
