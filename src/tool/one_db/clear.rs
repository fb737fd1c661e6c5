//! Emptying tables without reaching any other.

use super::Run;
use super::catalog::{Reference, ident, qualified};
use super::session::Session;
use super::table::Table;
use crate::{Error, Result};

/// Tables that can only be emptied together, children before parents.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Indices into the plan's tables, children first.
    pub(super) tables: Vec<usize>,
    /// Some of them refer to each other in a circle.
    pub(super) circular: bool,
    /// Foreign keys of tables that are not migrated. With one, TRUNCATE is impossible, even if it refers to no row.
    pub(super) outside: Vec<Reference>,
}

impl Group {
    /// Empties the group; inside a transaction, with all its tables locked, so that nobody can refer to them anew.
    pub(super) async fn clear(&self, session: &mut Session, step: &str, tables: &[Table]) -> Result<()> {
        let reached = self.reached(session).await?;
        if !reached.is_empty() {
            return Err(Error::refused(format!("{step}: {}; nothing was removed", reached.join("; "))));
        }
        for sql in self.statements(tables) {
            session.execute(step, &sql).await?;
        }
        Ok(())
    }

    fn statements(&self, tables: &[Table]) -> Vec<String> {
        let names: Vec<String> = self.tables.iter().map(|index| tables[*index].target_rows()).collect();
        if self.outside.is_empty() {
            return vec![format!("TRUNCATE TABLE {} RESTRICT", names.join(", "))];
        }
        let defer = self.circular.then(|| DEFER.to_owned());
        defer.into_iter().chain(names.iter().map(|name| format!("DELETE FROM {name}"))).collect()
    }

    /// Tables that are not migrated and would lose or change rows, or whose rows forbid the deletion; a line for each.
    pub(super) async fn reached(&self, session: &mut Session) -> Result<Vec<String>> {
        let mut reached = Vec::new();
        for reference in &self.outside {
            let child = qualified(&reference.child);
            let sql = format!("SELECT count(*)::text FROM {child} WHERE {}", reference.refers);
            let step = format!("{}.{} {} referring rows", reference.child.0, reference.child.1, reference.name);
            let rows = session.number(&step, &sql).await?;
            if rows > 0 {
                let what = if reference.cascades { "a cascade would reach" } else { "this would orphan" };
                let constraint = ident(&reference.name);
                reached
                    .push(format!("{what} {rows} rows of {child}, which is not migrated (foreign key {constraint})"));
            }
        }
        Ok(reached)
    }
}

/// Foreign keys that can wait are looked at when the transaction ends.
pub(super) const DEFER: &str = "SET CONSTRAINTS ALL DEFERRED";

/// Begins a transaction and locks tables for the rest of it; `exclusive` against readers too.
pub(super) fn begin_and_lock(run: &Run, tables: &[&Table], exclusive: bool) -> String {
    let names: Vec<String> = tables.iter().map(|table| table.target_rows()).collect();
    let mode = if exclusive { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
    let (timeout_ms, names) = (run.options.lock_timeout.as_millis(), names.join(", "));
    format!("BEGIN; SET LOCAL lock_timeout = {timeout_ms}; LOCK TABLE {names} IN {mode} MODE")
}
