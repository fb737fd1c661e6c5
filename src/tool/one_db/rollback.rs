//! The rollback: the named tables are emptied, their sequences start anew, nothing else is touched.

use super::lane::Connections;
use super::plan::{self, Plan};
use super::report::{Report, TableStatus};
use super::session::Session;
use super::table::Table;
use super::{Run, clear, differ, verify};
use crate::clock::Stopwatch;
use crate::{Error, Result};
use std::sync::Arc;

/// Refuses without the exact word.
pub(super) fn confirm(run: &Run) -> Result<()> {
    let word = &run.profile.confirm_rollback;
    if run.options.confirm_rollback.as_ref() == Some(word) {
        return Ok(());
    }
    Err(Error::refused(format!(
        "a rollback empties {} tables of {}; confirm it with --confirm-rollback {word}, nothing was changed",
        run.layout.jobs.len(),
        run.layout.target.place()
    )))
}

/// Says what it will destroy, then does, in one transaction; again does no harm.
pub(super) async fn rollback(run: &Arc<Run>, connections: &mut Connections) -> Result<()> {
    let watch = Stopwatch::start();
    let mut plan = plan::shapes(run, connections).await?;
    plan::count_target(run, &mut plan, &mut connections.target).await?;
    plan.refuse_reach(run, &mut connections.target).await?;
    announce(run, &plan, connections).await?;
    connections.write_target("rollback").await?;
    run.ledger.save()?;

    let session = &mut connections.target;
    let tables: Vec<&Table> = plan.tables.iter().collect();
    session.execute("rollback lock", &clear::begin_and_lock(run, &tables, true)).await?;
    for group in &plan.groups {
        group.clear(session, &plan.tables[group.tables[0]].step("rollback clear"), &plan.tables).await?;
    }
    session.execute("rollback commit", "COMMIT").await?;
    for table in tables {
        settle(run, session, table, &watch).await?;
    }
    run.ledger.update(Report::count);
    Ok(())
}

/// Names the rows that no source could give back.
async fn announce(run: &Run, plan: &Plan, connections: &mut Connections) -> Result<()> {
    for table in plan.tables.iter().filter(|table| table.target_before > 0) {
        let (source, target) = connections.pair(table.job.source)?;
        let sides = verify::digests(table, source, target).await?;
        run.ledger.row(table.index, |row| sides.note(row, table.form));
        (run.progress)(&format!("removes {}: {} rows", table.name(), table.target_before));
        if sides.source == sides.target {
            continue;
        }
        let found = differ::differ(table, source, target).await?;
        if found.extra + found.changed > 0 {
            let lost = found.extra + found.changed;
            (run.progress)(&format!("  of these {lost} are not what the source holds, and will be lost: {found}"));
        }
        run.ledger.row(table.index, |row| row.differences = Some(found));
    }
    Ok(())
}

/// Sequences are set after the commit: `setval` is at once and for ever, and before it the rows might have stayed.
async fn settle(run: &Run, session: &mut Session, table: &Table, watch: &Stopwatch) -> Result<()> {
    for sequence in &table.sequences {
        let step = table.step(&format!("rollback sequence {}", sequence.sequence.column));
        session.execute(&step, &sequence.restart()).await?;
    }
    let after = session.number(&table.step("rollback count"), &table.count_target()).await?;
    run.ledger.row(table.index, |row| {
        row.target_count = Some(after);
        row.target_count_after = Some(after);
        row.duration_us = watch.elapsed_us();
        row.status = TableStatus::Ok;
    });
    if after > 0 {
        let error = Error::refused(format!("{}: {after} rows were written meanwhile; roll back again", table.name()));
        run.ledger.row(table.index, |row| row.failed(&error));
        return Err(error);
    }
    Ok(())
}
