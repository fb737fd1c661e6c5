//! How a red case came to where it is: where it stood after the fault, what diverged when, what is left and blocks.

use super::diagnosis::{line, lines};
use super::words::{count, cut, plain, plural};
use crate::model::{
    Beside, Body, CaseRecord, Fate, MAX_FINDINGS, Moment, Obstacle, Row, RowDifference, ScenarioRecord, Standing,
    States, TableDifference,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MAX_SHOWN_TABLES: usize = 4;
const MAX_SHOWN_ROWS: usize = 3;
const MAX_SHOWN_OBSTACLES: usize = 6;
const MAX_VALUE: usize = 60;

/// What explains a red case; a pure function of the record and the states.
pub(super) struct Explanation {
    standing: Option<Standing>,
    /// Objects that ended otherwise than in the uninterrupted run.
    fates: Vec<Fate>,
    tables: Vec<(TableDifference, Option<Moment>)>,
    obstacles: Vec<(String, Obstacle)>,
    diff_sha256: Option<String>,
}

impl Explanation {
    pub(super) fn of(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Explanation {
        let this = case.as_events();
        let golden = match case.address {
            Some(_) => scenario.golden().next().map(CaseRecord::as_events).unwrap_or_default(),
            None => this.clone(),
        };
        let beside = Beside { case: &this, golden: &golden, states };
        let targets = targets(scenario, case);
        let differences = case.events.iter().find_map(|event| match event {
            Body::Differences { tables, moment, diff_sha256, .. } => Some((tables, moment, diff_sha256)),
            _ => None,
        });
        let tables = differences.map_or(&[][..], |(tables, _, _)| tables);
        let since = |table: &TableDifference| match case.address {
            Some(_) => beside.diverged(&table.endpoint, &table.table),
            None => differences.map(|(_, moment, _)| moment.clone()),
        };
        Explanation {
            standing: beside.standing(&targets),
            fates: beside.fates(&targets),
            tables: tables.iter().map(|table| (table.clone(), since(table))).collect(),
            obstacles: obstacles(case),
            diff_sha256: differences.map(|(_, _, sha256)| sha256.clone()),
        }
    }

    /// Lines for people.
    pub(super) fn text(&self) -> String {
        let mut text = self.standing.map_or(String::new(), |standing| {
            line("after", &format!("right after the fault the targets were {standing}"))
        });
        text.extend(self.tables.iter().take(MAX_SHOWN_TABLES).map(|(table, since)| of_table(table, since.as_ref())));
        let half = self.fates.iter().filter(|fate| fate.object.starts_with("table ") && fate.is_half_done());
        text.extend(half.take(MAX_SHOWN_TABLES).map(half_done));
        let left = self.fates.iter().filter(|fate| fate.unblock().is_some());
        text.extend(left.take(MAX_SHOWN_OBSTACLES).map(left_over));
        let shown = self.obstacles.iter().take(MAX_SHOWN_OBSTACLES);
        text.extend(shown.map(|(when, found)| obstacle(when, &found.what, found.unblock.as_deref())));
        text
    }

    /// The same for machines.
    pub(super) fn json(&self) -> Value {
        json!({
            "after_fault": self.standing.map(|standing| standing.to_string()),
            // All of them are in `diff.jsonl`.
            "objects": self.fates.iter().take(MAX_FINDINGS).map(of_fate).collect::<Vec<_>>(),
            "objects_total": self.fates.len(),
            "rows": self.tables.iter().map(of_rows).collect::<Vec<_>>(),
            "obstacles": self.obstacles.iter().map(|(when, found)| {
                json!({ "when": when, "what": found.what, "unblock": found.unblock })
            }).collect::<Vec<_>>(),
            "diff_sha256": self.diff_sha256,
        })
    }
}

/// The databases of a case that it may write to.
fn targets(scenario: &ScenarioRecord, case: &CaseRecord) -> Vec<String> {
    let probed = case.events.iter().filter_map(|event| match event {
        Body::Probe { endpoint, .. } if !scenario.sources.contains(endpoint) => Some(endpoint.clone()),
        _ => None,
    });
    probed.collect::<BTreeSet<_>>().into_iter().collect()
}

fn obstacles(case: &CaseRecord) -> Vec<(String, Obstacle)> {
    let found = case.events.iter().filter_map(|event| match event {
        Body::Obstacles { when, found, .. } => Some(found.iter().map(move |one| (when.clone(), one.clone()))),
        _ => None,
    });
    found.flatten().collect()
}

fn of_table(table: &TableDifference, since: Option<&Moment>) -> String {
    let TableDifference { missing, extra, changed, .. } = table;
    let since = since.map_or(String::new(), |moment| format!(", first wrong {moment}"));
    let counts =
        format!("{} missing, {} too many, {} changed", plural(*missing, "row"), count(*extra), count(*changed));
    let mut text = line("rows", &format!("{} table {}: {counts}{since}", table.endpoint, table.table));
    text.extend(table.sample.iter().take(MAX_SHOWN_ROWS).map(|row| line("", &of_row(row))));
    text
}

fn of_row(row: &RowDifference) -> String {
    let key = cells(&row.key);
    match (&row.expected, &row.found) {
        (Some(expected), Some(found)) => format!("{key}: expected {}, found {}", cells(expected), cells(found)),
        (Some(_), None) => format!("{key}: is missing"),
        (None, _) => format!("{key}: is too much"),
    }
}

fn cells(row: &Row) -> String {
    let value =
        |value: &Option<String>| value.as_deref().map_or("NULL".to_owned(), |text| cut(&plain(text), MAX_VALUE));
    row.iter().map(|(column, text)| format!("{column}={}", value(text))).collect::<Vec<_>>().join(" ")
}

fn half_done(fate: &Fate) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let (start, golden, found) = (text(&fate.start), text(&fate.golden), text(&fate.after_recovery));
    line(
        "half done",
        &format!("{} {}: began with {start}, should have {golden}, has {found}", fate.endpoint, fate.object),
    )
}

fn left_over(fate: &Fate) -> String {
    let what = match fate.is_left_over() {
        true => format!("{} {}", fate.endpoint, fate.object),
        false => format!("{} {} is invalid", fate.endpoint, fate.object),
    };
    obstacle("at the end", &what, fate.unblock().as_deref())
}

fn obstacle(when: &str, what: &str, unblock: Option<&str>) -> String {
    let unblock = unblock.map_or(String::new(), |command| format!("\nunblock: {command}"));
    lines("blocks", &format!("{when}: {what}{unblock}"))
}

fn of_fate(fate: &Fate) -> Value {
    json!({
        "endpoint": fate.endpoint,
        "object": fate.object,
        "start": fate.start,
        "golden": fate.golden,
        "after_fault": fate.after_fault,
        "after_recovery": fate.after_recovery,
        "unblock": fate.unblock(),
    })
}

fn of_rows((table, since): &(TableDifference, Option<Moment>)) -> Value {
    json!({
        "endpoint": table.endpoint,
        "table": table.table,
        "missing": table.missing,
        "extra": table.extra,
        "changed": table.changed,
        "sample": table.sample,
        "first_wrong": since.as_ref().map(ToString::to_string),
    })
}
