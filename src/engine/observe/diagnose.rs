//! Why a case is red, looked for while its databases are still there: what is in the way, and which rows differ.

use crate::Result;
use crate::check;
use crate::db::{self, copy_text};
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::observe::{self, rows::rows};
use crate::engine::run::context::CaseLog;
use crate::engine::run::golden::Golden;
use crate::model::{Beside, Body, Fate, History, Moment, Obstacle, Role, TableDifference, canonical};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rows of a table that are shown.
const MAX_SAMPLE: usize = 5;
const AT_THE_END: &str = "at the end";
/// A server that does not answer is a finding of its own, and not this one.
const PATIENCE: Duration = Duration::from_secs(3);

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
    let Place::Postgres { .. } = &holding.place else { return Ok(Vec::new()) };
    let copy = format!("copy ({} order by 1) to stdout", include_str!("obstacles.sql"));
    let mut found = Vec::new();
    let add = |line: &[u8]| {
        found.push(obstacle(&holding.endpoint, &String::from_utf8_lossy(line)));
        Ok(())
    };
    observe::ask(stage, holding, async |connection| db::copy_lines(connection, &copy, add).await).await?;
    Ok(found)
}

fn obstacle(endpoint: &str, line: &str) -> Obstacle {
    let mut fields = copy_text::fields(line).into_iter();
    let mut next = || fields.next().flatten().map(|field| field.into_owned());
    let what = format!("{endpoint}: {}", next().unwrap_or_default());
    Obstacle { what, unblock: next() }
}

fn note(stage: &Stage<'_>, log: &CaseLog<'_>, why: &str) -> Result<()> {
    let text = format!("cannot say more of it: {why}");
    stage.context.run.journal.append(Body::Note { case: Some(log.case()), text })
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
