//! The copy: a wave of tables at a time, each table one transaction.

use super::Run;
use super::clear;
use super::copy::Pipe;
use super::keys::{self, Key};
use super::lane::{Connections, Lane};
use super::plan::{Plan, plan};
use super::report::{Report, TableResult, TableStatus};
use super::session::{Session, may_pass};
use super::table::Table;
use crate::clock::Stopwatch;
use crate::model::TableDigest;
use crate::{Error, Result};
use std::sync::Arc;

const STAGE: &str = "pg_temp.one_db_stage";
const STAGE_NAME: &str = "one_db_stage";
const ATTEMPTS: usize = 3;

/// Plans and copies; the plan is returned for the comparison.
pub(super) async fn migrate(run: &Arc<Run>, connections: &mut Connections) -> Result<Arc<Plan>> {
    let mut plan = plan(run, connections, false).await?;
    keys::choose(run, &mut plan.tables, connections).await?;
    let plan = Arc::new(plan);
    connections.write_target("copy").await?;
    if run.options.replace_target {
        clear_groups(run, &plan, &mut connections.target).await?;
    }
    for wave in &plan.waves {
        let (context, tables) = (Arc::clone(run), Arc::clone(&plan));
        connections
            .each(run, wave, move |lane, index| {
                let (run, plan) = (Arc::clone(&context), Arc::clone(&tables));
                Box::pin(async move { with_retries(&run, &plan, lane, index).await })
            })
            .await?;
    }
    run.ledger.update(Report::count);
    run.ledger.save()?;
    Ok(plan)
}

/// Tables that refer to each other are emptied in one transaction per group, before any is filled.
async fn clear_groups(run: &Run, plan: &Plan, session: &mut Session) -> Result<()> {
    for group in plan.groups.iter().filter(|group| group.tables.len() > 1) {
        let tables: Vec<&Table> = group.tables.iter().map(|index| &plan.tables[*index]).collect();
        let step = |step: &str| tables[0].step(&format!("group {step}"));
        session.execute(&step("lock"), &clear::begin_and_lock(run, &tables, true)).await?;
        group.clear(session, &step("clear"), &plan.tables).await?;
        session.execute(&step("commit"), "COMMIT").await?;
        let names: Vec<String> = tables.iter().map(|table| table.name()).collect();
        (run.progress)(&format!("cleared {}", names.join(", ")));
    }
    Ok(())
}

/// Once more after what may pass; all else is final.
async fn with_retries(run: &Run, plan: &Plan, lane: &mut Lane, first: usize) -> Result<()> {
    let unit = plan.unit(first);
    let watch = Stopwatch::start();
    for attempt in 1.. {
        match copy_unit(run, plan, lane, &unit).await {
            Ok(all) => {
                for (table, done) in unit.iter().zip(&all) {
                    run.ledger.row(table.index, |row| note(row, table, done, &watch));
                    report_progress(run, table, &watch);
                }
                return Ok(());
            }
            Err((table, error)) => {
                lane.drop_target();
                let again = attempt < ATTEMPTS && may_pass(&error) && lane.still_reads(table.job.source).await;
                if !again {
                    run.ledger.row(table.index, |row| row.failed(&error));
                    return Err(error);
                }
                (run.progress)(&format!("{}: again after: {error}", table.name()));
            }
        }
    }
    Err(Error::bug("attempts without end ended"))
}

/// What each table got, or the table at which it went wrong.
async fn copy_unit<'p>(
    run: &Run,
    plan: &Plan,
    lane: &mut Lane,
    unit: &[&'p Table],
) -> std::result::Result<Vec<Done>, (&'p Table, Error)> {
    match unit {
        [table] if table.present => keep_table(run, lane, table).await.map(|done| vec![done]),
        [table] => copy_table(run, plan, lane, table).await.map(|done| vec![done]),
        circle => return copy_circle(run, lane, circle).await,
    }
    .map_err(|error| (unit[0], error))
}

/// What a table's transaction left: the source's digest if it was read, and rows in the target.
struct Done {
    source: Option<TableDigest>,
    target_after: u64,
}

fn note(row: &mut TableResult, table: &Table, done: &Done, watch: &Stopwatch) {
    row.status = TableStatus::Ok;
    row.error = None;
    row.duration_us += watch.elapsed_us();
    row.checksum_form = Some(table.form.name());
    row.target_count = Some(done.target_after);
    row.target_count_after = Some(done.target_after);
    if let Some(source) = done.source {
        row.source_count = Some(source.rows);
        row.source_checksum = Some(source.sum);
    }
}

fn report_progress(run: &Run, table: &Table, watch: &Stopwatch) {
    let what = if table.present { "was there already" } else { "copied" };
    let rows = run.ledger.read(|report| report.results[table.index].source_count.unwrap_or_default());
    (run.progress)(&format!("{what} {}: {rows} rows, {} ms", table.name(), watch.elapsed().as_millis()));
}

async fn copy_table(run: &Run, plan: &Plan, lane: &mut Lane, table: &Table) -> Result<Done> {
    let (source, target) = lane.sessions(run, table.job.source).await?;
    let lock = clear::begin_and_lock(run, &[table], run.options.replace_target || table.keys_after);
    match cleared_alone(plan, table).filter(|_| run.options.replace_target) {
        Some(group) => {
            target.execute(&table.step("lock"), &lock).await?;
            group.clear(target, &table.step("clear"), &plan.tables).await?;
        }
        None if run.options.upsert => target.execute(&table.step("lock"), &lock).await?,
        None => lock_unchanged(target, table, &lock, 0).await?,
    }
    let keys = if table.keys_after { keys::take_away(target, table).await? } else { Vec::new() };
    let done = match keys.is_empty() {
        true => fill(run, source, target, table).await?,
        false => fill_then_bring_back(source, target, table, &keys).await?,
    };
    finish(target, table).await?;
    Ok(done)
}

/// The rows are there already, but nobody knows how they came: not by us, and the sequences may stand at their start.
async fn keep_table(run: &Run, lane: &mut Lane, table: &Table) -> Result<Done> {
    let (_, target) = lane.sessions(run, table.job.source).await?;
    lock_unchanged(target, table, &clear::begin_and_lock(run, &[table], false), table.target_before).await?;
    finish(target, table).await?;
    Ok(Done { source: None, target_after: table.target_before })
}

/// Tables that refer to each other, in one transaction: foreign keys that can wait are looked at when it commits.
async fn copy_circle<'p>(
    run: &Run,
    lane: &mut Lane,
    tables: &[&'p Table],
) -> std::result::Result<Vec<Done>, (&'p Table, Error)> {
    let mut all = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        let before = if number == 0 {
            clear::begin_and_lock(run, tables, run.options.replace_target) + "; "
        } else {
            String::new()
        };
        all.push(copy_in_circle(run, lane, table, &before).await.map_err(|error| (*table, error))?);
    }
    let last = tables[tables.len() - 1];
    let (_, target) = lane.sessions(run, last.job.source).await.map_err(|error| (last, error))?;
    target.execute(&last.step("commit"), "COMMIT").await.map_err(|error| (last, error))?;
    Ok(all)
}

/// `before`: what opens the transaction, in front of its first table.
async fn copy_in_circle(run: &Run, lane: &mut Lane, table: &Table, before: &str) -> Result<Done> {
    let (source, target) = lane.sessions(run, table.job.source).await?;
    let expected = if table.present { table.target_before } else { 0 };
    let defer = format!("{before}{}", clear::DEFER);
    match run.options.upsert {
        true => target.execute(&table.step("lock"), &defer).await?,
        false => lock_unchanged(target, table, &defer, expected).await?,
    }
    let done = match table.present {
        true => Done { source: None, target_after: expected },
        false => fill(run, source, target, table).await?,
    };
    if run.options.upsert {
        target.execute(&table.step("unstage"), &format!("DROP TABLE {STAGE}")).await?;
    }
    move_sequences(target, table).await?;
    Ok(done)
}

async fn finish(target: &mut Session, table: &Table) -> Result<()> {
    move_sequences(target, table).await?;
    target.execute(&table.step("commit"), "COMMIT").await
}

async fn move_sequences(target: &mut Session, table: &Table) -> Result<()> {
    for sequence in &table.sequences {
        let step = table.step(&format!("sequence {}", sequence.sequence.column));
        if let Some(lock) = sequence.lock() {
            target.execute(&step, &lock).await?;
        }
        target.execute(&step, &sequence.advance(&table.target_rows())).await?;
    }
    Ok(())
}

/// The group of a table that is emptied in its own transaction; those of a larger group were emptied before.
fn cleared_alone<'p>(plan: &'p Plan, table: &Table) -> Option<&'p clear::Group> {
    plan.groups.iter().find(|group| group.tables.len() == 1 && plan.tables[group.tables[0]].index == table.index)
}

/// Somebody may have written between the plan, or the clearing of the group, and the lock.
async fn lock_unchanged(target: &mut Session, table: &Table, lock: &str, expected: u64) -> Result<()> {
    let sql = format!("{lock}; {}", table.count_target());
    let rows = target.number(&table.step("lock"), &sql).await?;
    if rows == expected {
        return Ok(());
    }
    let what = if rows > expected { "appeared in" } else { "vanished from" };
    Err(Error::refused(format!(
        "{}: {} rows {what} the target since the plan; stop what writes there, then run again",
        table.name(),
        rows.abs_diff(expected)
    )))
}

async fn fill(run: &Run, source: &mut Session, target: &mut Session, table: &Table) -> Result<Done> {
    let stage = run.options.upsert.then_some(STAGE);
    if stage.is_some() {
        target.execute(&table.step("stage"), &table.stage(STAGE_NAME)).await?;
    }
    let digest = pump(source, target, table, stage).await?;
    if stage.is_some() {
        refuse_stuck(target, table).await?;
        target.execute(&table.step("upsert"), &table.upsert(STAGE)).await?;
    }
    let target_after = target.number(&table.step("count"), &table.count_target()).await?;
    Ok(Done { source: Some(digest), target_after })
}

/// The table was empty, and where keys may leave no trigger writes: it holds what COPY wrote, and nobody need count it.
async fn fill_then_bring_back(source: &mut Session, target: &mut Session, table: &Table, keys: &[Key]) -> Result<Done> {
    let digest = pump(source, target, table, None).await?;
    keys::bring_back(target, table, keys).await?;
    Ok(Done { source: Some(digest), target_after: digest.rows })
}

async fn pump(source: &mut Session, target: &mut Session, table: &Table, stage: Option<&str>) -> Result<TableDigest> {
    let (step, out, into) = (table.step("copy"), table.copy_out(), table.copy_in(stage));
    let pipe = Pipe { step: &step, out: &out, into: &into, form: table.form };
    pipe.pump(source, target).await
}

async fn refuse_stuck(target: &mut Session, table: &Table) -> Result<()> {
    let Some(sql) = table.stuck_identities(STAGE) else { return Ok(()) };
    match target.number(&table.step("identities"), &sql).await? {
        0 => Ok(()),
        rows => Err(Error::refused(format!(
            "{}: {rows} rows have another identity value in the target, which cannot be updated; use --replace-target",
            table.name()
        ))),
    }
}
