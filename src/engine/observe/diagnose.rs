//! Why a case is red, looked for while its databases are still there: what is in the way, and which rows differ.

use crate::check;
use crate::dataset::Classification;
use crate::db::{self, RowDifferences, copy_text};
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::run::context::CaseLog;
use crate::engine::run::golden::Golden;
use crate::engine::run::house::Origin;
use crate::model::{
    Beside, Body, CaseEvents, Fate, History, Moment, Obstacle, Role, Row, RowDifference, TableDifference, canonical,
};
use crate::{Error, Result};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rows of a table, and of a case, that are kept in `diff.jsonl`.
const MAX_ROWS: usize = 200;
/// Rows of a table that are shown.
const MAX_SAMPLE: usize = 5;
/// Characters of a value.
const MAX_VALUE: usize = 120;
const AT_THE_END: &str = "at the end";
/// A server that does not answer is a finding of its own, and not this one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Explains a red case at its end: trouble with that is a note, and changes no verdict.
pub(in crate::engine) async fn red_case(stage: &Stage<'_>, log: &mut CaseLog<'_>, golden: &Golden) -> Result<()> {
    obstacles(stage, log, AT_THE_END).await?;
    files(stage, log, &golden.first.files)?;
    let golden = &golden.events;
    let states = stage.context.run.states();
    let targets = stage.context.plan.target_endpoints();
    let fates = Beside { case: &log.events, golden, states: &states }.fates(&targets);
    let is_undone = log.events.step_ends().last().is_some_and(|last| is_rollback(stage, &last.step));
    let tables = fates.iter().filter_map(differing_table).collect();
    let rows = rows(stage, golden, tables, is_undone).await;
    record(stage, log, Moment::End, fates, rows)
}

/// Explains a golden run that does not end in parity, right after the step that should have brought it there.
///
/// Answers whether there was something to explain.
pub(in crate::engine) async fn golden_run(stage: &Stage<'_>, log: &mut CaseLog<'_>, moment: &Moment) -> Result<bool> {
    let (states, golden) = (stage.context.run.states(), log.events.clone());
    let (scenario, plan) = (stage.context.scenario, stage.context.plan);
    let history = History { scenario, plan, golden: &golden, case: &golden, states: &states };
    let differing: Vec<(String, String)> = plan
        .target_endpoints()
        .into_iter()
        .flat_map(|endpoint| {
            check::differing_tables(&history, &endpoint, moment).into_iter().map(move |t| (endpoint.clone(), t))
        })
        .collect();
    if differing.is_empty() {
        return Ok(false);
    }
    let rows = rows(stage, &golden, differing, false).await;
    record(stage, log, moment.clone(), Vec::new(), rows).map(|()| true)
}

fn is_rollback(stage: &Stage<'_>, step: &str) -> bool {
    stage.context.plan.step(step).is_some_and(|step| step.role == Role::Rollback)
}

/// Tables that both sides have: of the others there is nothing to compare.
fn differing_table(fate: &Fate) -> Option<(String, String)> {
    let table = fate.object.strip_prefix("table ")?;
    (fate.golden.is_some() && fate.after_recovery.is_some()).then(|| (fate.endpoint.clone(), table.to_owned()))
}

/// Looks for what is in the way: locks, prepared transactions, slots, invalid indexes.
pub(in crate::engine) async fn obstacles(stage: &Stage<'_>, log: &mut CaseLog<'_>, when: &str) -> Result<()> {
    let mut found = Vec::new();
    for holding in stage.holdings() {
        match tokio::time::timeout(PATIENCE, obstacles_in(stage, holding)).await {
            Ok(Ok(more)) => found.extend(more),
            Ok(Err(error)) => return note(stage, log, &error.to_string()),
            Err(_) => return note(stage, log, &format!("{} does not answer", holding.endpoint)),
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    log.record(Body::Obstacles { case: log.case(), when: when.to_owned(), found })
}

/// Files that the uninterrupted run does not leave.
fn files(stage: &Stage<'_>, log: &mut CaseLog<'_>, golden: &BTreeSet<String>) -> Result<()> {
    let left = |name: &String| Obstacle { what: format!("file {name}"), unblock: Some(format!("rm {name}")) };
    let found: Vec<Obstacle> = stage.file_names()?.difference(golden).map(left).collect();
    if found.is_empty() {
        return Ok(());
    }
    log.record(Body::Obstacles { case: log.case(), when: AT_THE_END.to_owned(), found })
}

async fn obstacles_in(stage: &Stage<'_>, holding: &Holding) -> Result<Vec<Obstacle>> {
    let Place::Postgres { database: Some(database), .. } = &holding.place else { return Ok(Vec::new()) };
    let pool = stage.context.run.house.postgres().await?;
    let mut connection = db::postgres::connect(&pool.cluster().admin(database.name())).await?;
    let mut found = Vec::new();
    let copy = format!("copy ({} order by 1) to stdout", include_str!("obstacles.sql"));
    db::copy_lines(&mut connection, &copy, |line| {
        let line = String::from_utf8_lossy(line);
        let mut fields = copy_text::fields(&line).into_iter();
        let mut next = || fields.next().flatten().map(|field| field.into_owned());
        let what = format!("{}: {}", holding.endpoint, next().unwrap_or_default());
        found.push(Obstacle { what, unblock: next() });
        Ok(())
    })
    .await?;
    Ok(found)
}

fn note(stage: &Stage<'_>, log: &CaseLog<'_>, why: &str) -> Result<()> {
    let text = format!("cannot say more of it: {why}");
    stage.context.run.journal.append(Body::Note { case: Some(log.case()), text })
}

/// The rows in which tables differ from what they should hold.
pub(in crate::engine) async fn rows(
    stage: &Stage<'_>,
    golden: &CaseEvents,
    tables: Vec<(String, String)>,
    is_undone: bool,
) -> Result<Vec<TableDifference>> {
    let mut left = MAX_ROWS;
    let mut found = Vec::new();
    for (endpoint, table) in tables {
        let Some(difference) = of_table(stage, golden, &endpoint, &table, is_undone, left).await? else { continue };
        let RowDifferences { missing, extra, changed, rows } = difference;
        left = left.saturating_sub(rows.len());
        let sample = rows.into_iter().map(|row| shown(stage, row)).collect();
        found.push(TableDifference { endpoint, table, missing, extra, changed, sample });
    }
    Ok(found)
}

/// Where the rows of a table should have come from.
enum Expected<'a> {
    /// A table of a source.
    Copied(&'a Holding, String),
    /// The table itself as it was at the start.
    Untouched,
    /// A rollback takes everything.
    Empty,
}

async fn of_table(
    stage: &Stage<'_>,
    golden: &CaseEvents,
    endpoint: &str,
    table: &str,
    is_undone: bool,
    limit: usize,
) -> Result<Option<RowDifferences>> {
    // What a declared transformation speaks of is nowhere as a table.
    if stage.context.plan.maps_target(table) {
        return Ok(None);
    }
    let Some(holding) = stage.holdings().iter().find(|holding| holding.endpoint == endpoint) else { return Ok(None) };
    let Some(mut found) = connect(stage, holding).await? else { return Ok(None) };
    let left_out = stage.context.scenario.volatile_columns().remove(table).unwrap_or_default();
    let left_out: BTreeSet<String> = left_out;
    let compare = async |expected: Option<(&mut PgConnection, &str)>, found: &mut PgConnection| {
        db::row_differences(expected, (found, table), &left_out, limit).await.map(Some)
    };
    match expected(stage, golden, endpoint, table, is_undone) {
        Expected::Empty => compare(None, &mut found).await,
        Expected::Copied(source, source_table) => {
            let Some(mut source) = connect(stage, source).await? else { return Ok(None) };
            compare(Some((&mut source, &source_table)), &mut found).await
        }
        Expected::Untouched => {
            let pool = stage.context.run.house.postgres().await?;
            let target = stage.context.plan.targets.iter().find(|target| target.endpoint() == endpoint);
            let target = target.ok_or_else(|| Error::bug(format!("no target {endpoint}")))?;
            let house = &stage.context.run.house;
            let Origin::Postgres(template) =
                house.origin(stage.context.dataset, &target.database, target.engine).await?
            else {
                return Ok(None);
            };
            let clone = pool.clone(&template, &format!("d{}", house.next_case())).await?;
            let mut start = db::postgres::connect(&pool.cluster().admin(clone.name())).await?;
            let compared = compare(Some((&mut start, table)), &mut found).await;
            drop(start);
            pool.drop(clone).await?;
            compared
        }
    }
}

fn expected<'a>(
    stage: &'a Stage<'_>,
    golden: &CaseEvents,
    endpoint: &str,
    table: &str,
    is_undone: bool,
) -> Expected<'a> {
    let (states, scenario, plan) = (stage.context.run.states(), stage.context.scenario, stage.context.plan);
    let history = History { scenario, plan, golden, case: golden, states: &states };
    let copies = history.copies();
    let copy = copies.into_iter().find(|copy| copy.target == endpoint && copy.target_table == table);
    let source = copy.and_then(|copy| {
        let holding = stage.holdings().iter().find(|holding| holding.endpoint == copy.source)?;
        Some((holding, copy.source_table))
    });
    match source {
        Some(_) if is_undone => Expected::Empty,
        Some((holding, table)) => Expected::Copied(holding, table),
        None => Expected::Untouched,
    }
}

async fn connect(stage: &Stage<'_>, holding: &Holding) -> Result<Option<PgConnection>> {
    let Place::Postgres { database: Some(database), .. } = &holding.place else { return Ok(None) };
    let pool = stage.context.run.house.postgres().await?;
    db::postgres::connect(&pool.cluster().admin(database.name())).await.map(Some)
}

/// Clear values of synthetic data; of all other data digests with the key of the run, which is thrown away.
fn shown(stage: &Stage<'_>, row: RowDifference) -> RowDifference {
    let is_clear = stage.context.dataset.classification == Classification::Synthetic;
    let key = stage.context.run.diff_key;
    let value = |text: String| match is_clear {
        true => shortened(&text),
        false => keyed(&key, &text),
    };
    let row_of = |row: Row| -> Row { row.into_iter().map(|(column, text)| (column, text.map(value))).collect() };
    RowDifference { key: row_of(row.key), expected: row.expected.map(row_of), found: row.found.map(row_of) }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}... ({} bytes)", &text[..at], text.len()),
    }
}

fn keyed(key: &[u8; 32], text: &str) -> String {
    let digest = Sha256::new().chain_update(key).chain_update(text.as_bytes()).finalize();
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("digest {hex}")
}

/// Writes `diff.jsonl`, and the head of it into the journal.
fn record(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    moment: Moment,
    fates: Vec<Fate>,
    rows: Result<Vec<TableDifference>>,
) -> Result<()> {
    let mut tables = match rows {
        Ok(tables) => tables,
        Err(error) => {
            note(stage, log, &error.to_string())?;
            Vec::new()
        }
    };
    if fates.is_empty() && tables.is_empty() {
        return Ok(());
    }
    let mut file = Vec::new();
    for fate in &fates {
        file.extend(canonical::to_file(fate)?);
    }
    for table in &tables {
        for row in &table.sample {
            let line = BTreeMap::from([
                ("endpoint", serde_json::json!(table.endpoint)),
                ("table", serde_json::json!(table.table)),
                ("key", serde_json::json!(row.key)),
                ("golden", serde_json::json!(row.expected)),
                ("after_recovery", serde_json::json!(row.found)),
            ]);
            file.extend(canonical::to_file(&line)?);
        }
    }
    let file = stage.context.run.redactor.mask(&file);
    let run = stage.context.run;
    run.bundle.write(&format!("cases/{}/diff.jsonl", log.case()), &file)?;
    tables.iter_mut().for_each(|table| table.sample.truncate(MAX_SAMPLE));
    let diff_sha256 = canonical::sha256_hex(&file);
    log.record(Body::Differences { case: log.case(), moment, tables, diff_sha256 })
}
