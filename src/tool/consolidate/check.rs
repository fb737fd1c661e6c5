//! A file as a whole, read again by somebody who did not write it: its pages, each table, each index beside its table.
//!
//! Everything is read once, from end to end, in pieces that can be read side by side; one reading tells whether the file
//! is sound, whether it holds what it must, and what it holds altogether.

use super::jobs::Task;
use crate::db::sqlite::{LITTLE_CACHE, definitions, open_immutable, stored_tables};
use crate::db::sqlite_plan::Plan;
use crate::db::sqlite_scan::{Found, Part};
use crate::model::{DatabaseState, TableDigest};
use crate::{Error, Result};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a file is read.
pub(super) struct Reading {
    path: PathBuf,
    /// All but the rows.
    state: DatabaseState,
    pages: Part,
    plans: BTreeMap<String, Plan>,
}

/// What a table must hold: columns, and the digest of them.
pub(super) type Expected = BTreeMap<String, (Vec<String>, TableDigest)>;

impl Reading {
    /// Of the file at `path`, which nobody writes.
    ///
    /// # Errors
    /// SQLite cannot read it.
    pub(super) fn of(path: &Path, expected: &Expected) -> Result<Reading> {
        let plan = || -> Result<Reading> {
            let connection = open_immutable(path)?;
            let read = |error| Error::environment("its tables cannot be read").caused_by(error);
            let plan = |table: String| {
                let asked = expected.get(&table).map(|(columns, _)| columns.as_slice());
                Plan::of(&connection, &table, asked).map(|plan| (table, plan))
            };
            let plans = stored_tables(&connection).map_err(read)?.into_iter().map(plan);
            Ok(Reading {
                path: path.to_owned(),
                state: definitions(&connection)?,
                pages: Part::Ask("quick_check(1)".to_owned()),
                plans: plans.collect::<rusqlite::Result<_>>().map_err(read)?,
            })
        };
        plan().map_err(|error| error.within(path.display()))
    }

    /// Each reads on a connection of its own.
    pub(super) fn tasks(&self) -> Vec<Task<'_, Result<Found>>> {
        let parts = [&self.pages].into_iter().chain(self.plans.values().flat_map(|plan| &plan.parts));
        let task = |part| {
            let read = move || open_to_scan(&self.path).and_then(|connection| Part::read(part, &connection));
            Box::new(move || read().map_err(|error| error.within(self.path.display()))) as Task<'_, _>
        };
        parts.map(task).collect()
    }

    /// All that the file holds; `found`: of each task, in their order.
    ///
    /// # Errors
    /// Refused: it is not sound, or a table does not hold what it must.
    pub(super) fn judge(mut self, found: Vec<Found>, expected: &Expected) -> Result<DatabaseState> {
        let refused = |text: String| Error::refused(format!("{}: {text}", self.path.display()));
        let mut found = found.into_iter();
        if let Some(complaint) = found.next().and_then(|pages| pages.complaint) {
            return Err(refused(format!("it is not sound: {complaint}")));
        }
        for (table, plan) in &self.plans {
            let found: Vec<Found> = found.by_ref().take(plan.parts.len()).collect();
            let content = plan.judge(&found).map_err(|complaint| refused(format!("it is not sound: {complaint}")))?;
            match expected.get(table) {
                Some((_, expected)) if content.asked != *expected => {
                    let is = content.asked;
                    return Err(refused(format!("table {table} holds {is}, and its sources gave {expected}")));
                }
                _ => drop(self.state.tables.insert(table.clone(), content.all)),
            }
        }
        Ok(self.state)
    }
}

fn open_to_scan(path: &Path) -> Result<Connection> {
    let connection = open_immutable(path)?;
    let failed = |error| Error::environment("it cannot be read").caused_by(error);
    connection.execute_batch(&format!("pragma {LITTLE_CACHE}")).map_err(failed)?;
    Ok(connection)
}

/// All that the file at `path` holds, found sound.
///
/// # Errors
/// As of [`Reading::judge`].
pub(super) fn sound(path: &Path) -> Result<DatabaseState> {
    let expected = Expected::new();
    let reading = Reading::of(path, &expected)?;
    let found = reading.tasks().into_iter().map(|task| task()).collect::<Result<Vec<_>>>()?;
    reading.judge(found, &expected)
}
