//! The rows in which a table differs from what it should hold, as far as they may be shown.

use crate::Error;
use crate::Result;
use crate::compare::{DifferingRows, Place as Compared, differing_rows};
use crate::db::Dsn;
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::run::house::Origin;
use crate::model::{CaseEvents, History, Row, RowDifference, TableDifference, canonical};
use crate::target::{Database, Pool};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Rows of a case that are kept in `diff.jsonl`.
const MAX_ROWS: usize = 200;
/// Characters of a value.
const MAX_VALUE: usize = 120;

/// The rows in which tables, each with its endpoint, differ from what they should hold.
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
        let DifferingRows { missing, extra, changed, rows } = difference;
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
) -> Result<Option<DifferingRows>> {
    // What a declared transformation speaks of is nowhere as a table.
    if stage.context.plan.maps_target(table) {
        return Ok(None);
    }
    let Some(holding) = stage.holdings().iter().find(|holding| holding.endpoint == endpoint) else { return Ok(None) };
    let Some(found) = place(stage, holding)? else { return Ok(None) };
    let left_out = stage.context.scenario.volatile_columns().remove(table).unwrap_or_default();
    let compare = async |expected: Option<(&Compared, &str)>| {
        differing_rows(expected, (&found, table), &left_out, limit).await.map(Some)
    };
    match expected(stage, golden, endpoint, table, is_undone) {
        Expected::Empty => compare(None).await,
        Expected::Copied(source, source_table) => match place(stage, source)? {
            Some(source) => compare(Some((&source, &source_table))).await,
            None => Ok(None),
        },
        Expected::Untouched => {
            let start = Start::of(stage, endpoint).await?;
            let compared = compare(Some((start.place(), table))).await;
            start.drop().await?;
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

/// A database of the case, if it is still there.
fn place(stage: &Stage<'_>, holding: &Holding) -> Result<Option<Compared>> {
    match &holding.place {
        Place::Sqlite { path } => Ok(path.exists().then(|| Compared::Sqlite(path.clone()))),
        Place::Postgres { .. } => {
            let (pool, name) = stage.database(&holding.endpoint)?;
            Ok(Some(admin(pool, name)))
        }
    }
}

fn admin(pool: &Pool, database: &str) -> Compared {
    Compared::Postgres(Dsn::of(pool.cluster().admin(database)))
}

/// A database as it was at the start of the case.
enum Start {
    Postgres { place: Compared, pool: Arc<Pool>, clone: Database },
    Sqlite { place: Compared, folder: tempfile::TempDir },
}

impl Start {
    async fn of(stage: &Stage<'_>, endpoint: &str) -> Result<Start> {
        let target = stage.context.plan.targets.iter().find(|target| target.endpoint() == endpoint);
        let target = target.ok_or_else(|| Error::bug(format!("no target {endpoint}")))?;
        let house = &stage.context.run.house;
        match house.origin(stage.context.dataset, target).await? {
            Origin::Postgres(pool, template) => {
                let clone = Pool::clone(&pool, &template, &format!("d{}", house.next_case())).await?;
                Ok(Start::Postgres { place: admin(&pool, clone.name()), pool, clone })
            }
            Origin::Sqlite(template) => {
                // In the session's, which ends with the run whatever ends the run.
                let folder = tempfile::tempdir_in(house.dir());
                let folder = folder.map_err(|error| Error::io("create a folder in", house.dir(), error))?;
                let path = folder.path().join("start");
                template.clone_to(&path)?;
                Ok(Start::Sqlite { place: Compared::Sqlite(path), folder })
            }
        }
    }

    fn place(&self) -> &Compared {
        let (Start::Postgres { place, .. } | Start::Sqlite { place, .. }) = self;
        place
    }

    async fn drop(self) -> Result<()> {
        match self {
            Start::Sqlite { folder, .. } => {
                folder.close().map_err(|error| Error::environment("cannot remove a copy").caused_by(error))
            }
            Start::Postgres { pool, clone, .. } => Pool::drop(&pool, clone).await,
        }
    }
}

/// Clear values of synthetic data; of all other data digests with the key of the run, which is thrown away.
fn shown(stage: &Stage<'_>, row: RowDifference) -> RowDifference {
    let is_clear = stage.context.may_show_rows();
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
    let hex = canonical::hex(&digest[..8]);
    format!("digest {hex}")
}
