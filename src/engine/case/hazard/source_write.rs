//! `src.write`: one row in each table of a source that is copied, in one transaction, while the tool is parked.

use crate::db::postgres;
use crate::engine::case::hazard::file_write;
use crate::engine::case::hazard::writable::Table;
use crate::engine::case::stage::{Holding, Place as Kept, Stage};
use crate::engine::observe;
use crate::engine::run::context::CaseLog;
use crate::fault::Write;
use crate::model::{Body, Place, canonical};
use crate::{Error, Result};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Writes and records what the source held before and after; returns a sentence for the event of the fault.
pub(super) async fn write(stage: &Stage<'_>, log: &mut CaseLog<'_>, place: &Place, write: Write) -> Result<String> {
    let source = choose(stage, place)?;
    log.record(Body::WriterCame { case: log.case(), endpoint: source.endpoint.clone() })?;
    let before = stage.context.run.keep(observe::state(stage, source).await?)?;
    let written = match &source.place {
        Kept::Sqlite { path } => file_write::write(path, |table| is_copied(stage, source, table), write)?,
        Kept::Postgres { .. } => to_server(stage, source, write).await?,
    };
    let what = match written {
        Written::Rows(tables) => format!("{} in {}", verb(write), tables.join(", ")),
        Written::KeptOut => return Ok(format!("{}: the tool keeps writers out", source.endpoint)),
    };
    let after = stage.context.run.keep(observe::state(stage, source).await?)?;
    let (case, endpoint, said) = (log.case(), source.endpoint.clone(), format!("{}: {what}", source.endpoint));
    log.record(Body::SourceWritten { case, endpoint, what, before, after })?;
    Ok(said)
}

/// The source of the endpoint itself, else one that the place draws.
fn choose<'s>(stage: &'s Stage<'_>, place: &Place) -> Result<&'s Holding> {
    let sources: Vec<&Holding> = stage.holdings().iter().filter(|holding| holding.is_source).collect();
    if let Some(own) = sources.iter().find(|source| source.endpoint == place.endpoint) {
        return Ok(own);
    }
    let drawn = canonical::sha256_hex(place.to_string().as_bytes());
    let number = usize::from_str_radix(&drawn[..6], 16).unwrap_or(0);
    let none = || Error::environment("src.write needs a source");
    sources.get(number % sources.len().max(1)).copied().ok_or_else(none)
}

pub(super) enum Written {
    /// The tables that got another row, lost one or have a changed one.
    Rows(Vec<String>),
    /// The tool holds locks that no writer passes.
    KeptOut,
}

async fn to_server(stage: &Stage<'_>, source: &Holding, write: Write) -> Result<Written> {
    let (pool, database) = stage.database(&source.endpoint)?;
    let mut connection = pool.connect(&pool.cluster().admin(database)).await?;
    let written = in_one_transaction(&mut connection, stage, source, write).await;
    let _ = connection.close().await; // what it did is over
    written
}

/// Whether a table is copied, or a declared transformation reads it.
fn is_copied(stage: &Stage<'_>, source: &Holding, table: &str) -> bool {
    let plan = stage.context.plan;
    let copies = &plan.parity.copies;
    let is_copied = copies.iter().any(|copy| copy.source == source.endpoint && copy.source_table == table);
    is_copied || plan.parity.same_names || plan.maps_source(table)
}

async fn in_one_transaction(
    connection: &mut PgConnection,
    stage: &Stage<'_>,
    source: &Holding,
    write: Write,
) -> Result<Written> {
    postgres::execute(connection, "begin; set local lock_timeout = '300ms'").await?;
    let mut changed = Vec::new();
    for table in tables(connection, stage, source).await? {
        match one_row(connection, &table, write).await? {
            Tried::Changed => changed.push(table.name),
            Tried::Nothing => {}
            Tried::Locked => {
                postgres::execute(connection, "rollback").await?;
                return Ok(Written::KeptOut);
            }
        }
    }
    postgres::execute(connection, "commit").await?;
    let none = || Error::environment(format!("no table of {} lets us {} a row", source.endpoint, verb(write)));
    if changed.is_empty() { Err(none()) } else { Ok(Written::Rows(changed)) }
}

async fn tables(connection: &mut PgConnection, stage: &Stage<'_>, source: &Holding) -> Result<Vec<Table>> {
    let described: Vec<String> = sqlx::query_scalar(include_str!("writable.sql"))
        .fetch_all(connection)
        .await
        .map_err(|error| postgres::failed(&error))?;
    let parse = |text: &String| serde_json::from_str::<Table>(text);
    let tables: std::result::Result<Vec<Table>, _> = described.iter().map(parse).collect();
    let mut tables = tables.map_err(|error| Error::bug("the description of a table").caused_by(error))?;
    tables.retain(|table| is_copied(stage, source, &table.name));
    Ok(tables)
}

enum Tried {
    Changed,
    Nothing,
    Locked,
}

/// Each try is undone alone: a constraint that speaks against it is no trouble.
async fn one_row(connection: &mut PgConnection, table: &Table, write: Write) -> Result<Tried> {
    for sql in table.statements(write) {
        postgres::execute(connection, "savepoint one").await?;
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
            Ok(done) if done.rows_affected() > 0 => return Ok(Tried::Changed),
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) => {
                postgres::execute(connection, "rollback to savepoint one").await?;
                if error.code().as_deref() == Some("55P03") {
                    return Ok(Tried::Locked);
                }
            }
            Err(error) => return Err(postgres::failed(&error)),
        }
    }
    Ok(Tried::Nothing)
}

pub(super) fn verb(write: Write) -> &'static str {
    match write {
        Write::Insert => "insert",
        Write::Update => "update",
        Write::Delete => "delete",
    }
}
