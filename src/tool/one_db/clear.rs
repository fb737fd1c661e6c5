//! Emptying tables without reaching any other.

use super::catalog::{Qualified, Reference, ident, qualified};
use super::session::Session;
use super::table::Table;
use crate::Result;

/// Tables that can only be emptied together, children before parents.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Indices into the plan's tables, children first.
    pub(super) tables: Vec<usize>,
    /// Some table that is not migrated refers to one of them: TRUNCATE is impossible, even if it refers to no row.
    pub(super) referenced: bool,
}

impl Group {
    /// The statements that empty the group; inside a transaction, with all tables locked.
    pub(super) fn statements(&self, tables: &[Table]) -> Vec<String> {
        let names: Vec<String> = self.tables.iter().map(|index| tables[*index].target()).collect();
        if self.referenced {
            return names.iter().map(|name| format!("DELETE FROM {name}")).collect();
        }
        vec![format!("TRUNCATE TABLE {} RESTRICT", names.join(", "))]
    }

    pub(super) async fn clear(&self, session: &mut Session, step: &str, tables: &[Table]) -> Result<()> {
        for sql in self.statements(tables) {
            session.execute(step, &sql).await?;
        }
        Ok(())
    }
}

/// Tables that are not migrated and would lose or change rows, or forbid the deletion; one line for each.
///
/// A cascade is refused when there is a row that it would reach, and a plain reference when it would make us fail.
pub(super) async fn reached(session: &mut Session, outside: &[Reference]) -> Result<Vec<(Qualified, String)>> {
    let mut reached = Vec::new();
    for reference in outside {
        let child = qualified(&reference.child);
        let sql = format!("SELECT count(*)::text FROM {child} WHERE {}", reference.refers);
        let step = format!("{}.{} referring rows", reference.child.0, reference.child.1);
        let rows = session.number(&step, &sql).await?;
        if rows > 0 {
            let what = if reference.cascades { "a cascade would reach" } else { "this would orphan" };
            let constraint = ident(&reference.name);
            reached.push((
                reference.parent.clone(),
                format!("{what} {rows} rows of {child}, which is not migrated (foreign key {constraint})"),
            ));
        }
    }
    Ok(reached)
}

/// Locks the group's tables, and those outside that a cascade might reach, for the rest of the transaction.
pub(super) async fn lock(session: &mut Session, step: &str, tables: &[&Table], exclusive: bool) -> Result<()> {
    let names: Vec<String> = tables.iter().map(|table| table.target()).collect();
    let mode = if exclusive { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
    session.execute(step, &format!("LOCK TABLE {} IN {mode} MODE", names.join(", "))).await
}
