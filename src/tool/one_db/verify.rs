//! The comparison: content against content, each side in a new snapshot.

use super::lane::{Connections, Lane};
use super::plan::Plan;
use super::report::{Report, TableResult, TableStatus};
use super::session::Session;
use super::table::{Form, Table};
use super::{Run, copy, differ};
use crate::clock::Stopwatch;
use crate::model::TableDigest;
use crate::{Error, Result};
use std::sync::Arc;

/// Compares all tables, names what differs, and fails if anything does.
pub(super) async fn verify(run: &Arc<Run>, plan: &Arc<Plan>, connections: &mut Connections) -> Result<()> {
    connections.take_snapshots(run, "verify").await?;
    let all: Vec<usize> = (0..plan.tables.len()).collect();
    let (context, tables) = (Arc::clone(run), Arc::clone(plan));
    connections
        .each(run, &all, move |lane, index| {
            let (run, plan) = (Arc::clone(&context), Arc::clone(&tables));
            Box::pin(async move { compare(&run, &plan.tables[index], lane).await })
        })
        .await?;
    run.ledger.update(Report::count);
    let failed: Vec<String> = run.ledger.read(|report| {
        report.results.iter().filter(|row| row.status == TableStatus::Mismatch).map(TableResult::name).collect()
    });
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "PARITY CHECK FAILED: {} of {} tables differ ({}); do not cut over, find out who wrote, then run again",
        failed.len(),
        plan.tables.len(),
        failed.join(", ")
    )))
}

/// Both sides of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    pub(super) source: TableDigest,
    pub(super) target: TableDigest,
}

impl Sides {
    pub(super) fn note(&self, row: &mut TableResult, form: Form) {
        row.source_count = Some(self.source.rows);
        row.target_count = Some(self.target.rows);
        row.source_checksum = Some(self.source.sum);
        row.target_checksum = Some(self.target.sum);
        row.checksum_form = Some(form.name());
    }
}

pub(super) async fn digests(table: &Table, source: &mut Session, target: &mut Session) -> Result<Sides> {
    let form = table.form;
    let source = copy::digest(source, &table.step("read source"), &table.read_source(form), form).await?;
    let target = copy::digest(target, &table.step("read target"), &table.read_target(form), form).await?;
    Ok(Sides { source, target })
}

async fn compare(run: &Run, table: &Table, lane: &mut Lane) -> Result<()> {
    let watch = Stopwatch::start();
    let compared = compare_sides(run, table, lane).await;
    if let Err(error) = &compared {
        run.ledger.row(table.index, |row| row.failed(error));
    }
    run.ledger.row(table.index, |row| row.duration_us += watch.elapsed_us());
    compared
}

async fn compare_sides(run: &Run, table: &Table, lane: &mut Lane) -> Result<()> {
    let (source, target) = lane.sessions(run, table.job.source).await?;
    let sides = digests(table, source, target).await?;
    let differences =
        if sides.source == sides.target { None } else { Some(differ::differ(table, source, target).await?) };
    let tolerated = |found: &differ::Differences| run.options.upsert && found.missing + found.changed == 0;
    let equal = differences.as_ref().is_none_or(tolerated);
    (run.progress)(&match &differences {
        None => format!("equal {}: {}", table.name(), sides.source),
        Some(found) => format!("{} {}: {found}", if equal { "contained" } else { "DIFFERENT" }, table.name()),
    });
    run.ledger.row(table.index, |row| {
        sides.note(row, table.form);
        row.differences = differences;
        row.status = if equal { TableStatus::Ok } else { TableStatus::Mismatch };
    });
    Ok(())
}
