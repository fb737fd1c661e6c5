//! What the databases of a case hold, asked of the servers themselves, never of the tool.
//!
//! ```text
//! look      how to look into the databases of a case
//! still     databases that nobody can have written since the last look
//! untouched clones that nobody has written to at all
//! seen      what earlier runs have seen of a template
//! same      files whose bytes were read before
//! facts     what else golden runs tell
//! maps      both sides of each declared transformation
//! diagnose  why a case is red: what is in the way
//! rows      and which rows differ
//! ```

pub(in crate::engine) mod diagnose;
pub(in crate::engine) mod facts;
pub(in crate::engine) mod look;
pub(in crate::engine) mod maps;
pub(in crate::engine) mod rows;
pub(in crate::engine) mod same;
pub(in crate::engine) mod seen;
pub(in crate::engine) mod still;
pub(in crate::engine) mod untouched;

use crate::db::{self, Volatile};
use crate::engine::case::service;
use crate::engine::case::stage::{Holding, Place, Serving, Stage};
use crate::engine::run::context::CaseLog;
use crate::model::{Body, DatabaseState, Moment, TableDigest};
use crate::process;
use crate::{Error, Result};
use futures_util::future::{join_all, try_join_all};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use untouched::Untouched;

/// Which databases are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Which {
    All,
    Targets,
}

/// Records the states at `moment`, and both sides of each declared transformation. A database that nobody can have
/// written since it was last read is not read again.
pub(in crate::engine) async fn probe(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    moment: &Moment,
    which: Which,
) -> Result<()> {
    let still = still::still(stage).await?;
    let looked_at = || stage.holdings().iter().filter(|holding| which == Which::All || !holding.is_source);
    let untouched = Untouched::of(stage, log, still).await;
    let states = join_all(looked_at().map(|holding| digest(stage, holding, still, &untouched))).await;
    for (holding, state) in looked_at().zip(states) {
        let state = match state {
            Err(error) if db::postgres::is_locked_out(&error) => locked_out(stage, log, moment, holding).await?,
            state => Some(state?),
        };
        let Some(state) = state else { continue };
        let (case, moment) = (log.case(), moment.clone());
        log.record(Body::Probe { case, moment, endpoint: holding.endpoint.clone(), state })?;
    }
    if *moment != Moment::Start {
        maps::look(stage, log, moment).await?;
    }
    Ok(())
}

/// What locks us out locks out the tool as well: it is told. Only a prepared transaction can outlast the tool and the
/// wait for its backends; at the end of a case it is rolled back, and what was there without it counts.
async fn locked_out(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    moment: &Moment,
    holding: &Holding,
) -> Result<Option<String>> {
    diagnose::obstacles(stage, log, "in the way of our own look").await?;
    if *moment != Moment::End {
        return Ok(None);
    }
    let (pool, name) = stage.database(&holding.endpoint)?;
    pool.roll_back_prepared(&[name]).await?;
    let state = state(stage, holding).await?;
    stage.context.run.keep(state).map(Some)
}

/// The digest of what one database holds now; the state itself is kept.
async fn digest(
    stage: &Stage<'_>,
    holding: &Holding,
    still: Option<still::Still>,
    untouched: &Untouched,
) -> Result<String> {
    let run = stage.context.run;
    if let Place::Sqlite { path } = &holding.place {
        let read = || found(path, &volatile(stage, holding), holding).and_then(|state| run.keep(state));
        return run.same.digest(path, &volatile(stage, holding), read);
    }
    if let Some(known) = stage.looks.known(&holding.endpoint, still) {
        return Ok(known);
    }
    let state = untouched::or_look(stage, holding, untouched, state(stage, holding)).await?;
    stage.looks.keep(&holding.endpoint, still, &state);
    Ok(state)
}

/// What one database holds now.
pub(in crate::engine) async fn state(stage: &Stage<'_>, holding: &Holding) -> Result<DatabaseState> {
    let volatile = volatile(stage, holding);
    match &holding.place {
        Place::Sqlite { path } => found(path, &volatile, holding),
        Place::Postgres { .. } => {
            ask(stage, holding, async |connection| db::postgres_state(connection, &volatile).await).await
        }
    }
}

/// Asks over the connection of ours that a database keeps.
pub(in crate::engine) async fn ask<T>(
    stage: &Stage<'_>,
    holding: &Holding,
    question: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T>,
) -> Result<T> {
    answer(stage, holding, question).await.flatten().map_err(|error| error.within(&holding.endpoint))
}

/// The same, and tells apart that nobody could be asked and that the server refused. After an error nobody knows what is
/// on the wire, and the connection is not kept.
pub(in crate::engine) async fn answer<T>(
    stage: &Stage<'_>,
    holding: &Holding,
    question: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T>,
) -> Result<Result<T>> {
    let Place::Postgres { observer, .. } = &holding.place else {
        return Err(Error::bug(format!("`{}` is a file, and nobody connects to it", holding.endpoint)));
    };
    let mut kept = observer.lock().await;
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => connect(stage, holding).await?,
    };
    let answer = question(&mut connection).await;
    if answer.is_ok() {
        *kept = Some(connection);
    }
    Ok(answer)
}

fn found(path: &Path, volatile: &Volatile, holding: &Holding) -> Result<DatabaseState> {
    db::sqlite::found_state(path, volatile).map_err(|error| error.within(&holding.endpoint))
}

/// Connects to the targets, which will be looked at, before anybody waits for that.
pub(in crate::engine) async fn join_targets(stage: &Stage<'_>) -> Result<()> {
    let is_target = |holding: &&Holding| !holding.is_source && matches!(holding.place, Place::Postgres { .. });
    let joined = stage.holdings().iter().filter(is_target).map(|holding| ask(stage, holding, async |_| Ok(())));
    try_join_all(joined).await.map(drop)
}

pub(in crate::engine) async fn connect(stage: &Stage<'_>, holding: &Holding) -> Result<sqlx::PgConnection> {
    let (pool, name) = stage.database(&holding.endpoint)?;
    db::postgres::connect(&pool.cluster().admin(name)).await
}

/// The columns to leave out. What is volatile in a target table is left out of the source table that it is compared
/// with, or the two could never be equal.
fn volatile(stage: &Stage<'_>, holding: &Holding) -> BTreeMap<String, BTreeSet<String>> {
    let declared = stage.context.scenario.volatile_columns();
    let mut columns = declared.clone();
    for copy in stage.context.plan.parity.copies.iter().filter(|copy| copy.source == holding.endpoint) {
        if let Some(more) = declared.get(&copy.target_table) {
            columns.entry(copy.source_table.clone()).or_default().extend(more.iter().cloned());
        }
    }
    columns
}

/// Looks for what the tool left, ends it, and records it.
pub(in crate::engine) async fn leftovers(stage: &Stage<'_>, log: &mut CaseLog<'_>) -> Result<()> {
    stage.services.end_all().await?; // they are meant to run; what outlives them is not
    let session = stage.context.run.house.session.id();
    let mut found = Vec::new();
    let services = (!stage.context.scenario.services.is_empty()).then(|| service::marker(stage));
    for case in std::iter::once(stage.marker.clone()).chain(services) {
        found.extend(process::marked_descendants(session, Some(&case)).into_iter().map(process_text));
        process::kill_descendants(session, Some(&case))?;
    }
    for Serving { pool, databases, .. } in stage.servers() {
        if pool.wait_gone(&databases, LEAVING).await.is_err() {
            let left = pool.backends(&databases).await?;
            found.extend(left.iter().map(|backend| format!("a backend that is {}", backend.state)));
        }
        let prepared = pool.prepared(&databases).await?;
        found.extend(prepared.iter().map(|transaction| format!("prepared transaction `{}`", transaction.gid)));
    }
    found.sort();
    let case = log.case();
    log.record(Body::Leftovers { case, found })
}

/// How long the server may take to notice that a client is gone.
const LEAVING: Duration = Duration::from_secs(5);

/// The program's name only: its arguments may hold a password.
fn process_text(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_else(|_| "?".to_owned());
    format!("process `{}`", name.trim_end())
}

/// The columns in which a table differs between two stages, sorted.
pub(in crate::engine) async fn differing_columns(
    one: &Stage<'_>,
    other: &Stage<'_>,
    endpoint: &str,
    table: &str,
) -> Result<Vec<String>> {
    let (one, other) = (columns(one, endpoint, table).await?, columns(other, endpoint, table).await?);
    Ok(one.into_iter().filter(|(column, digest)| other.get(column) != Some(digest)).map(|(column, _)| column).collect())
}

async fn columns(stage: &Stage<'_>, endpoint: &str, table: &str) -> Result<BTreeMap<String, TableDigest>> {
    let Some(holding) = stage.holdings().iter().find(|holding| holding.endpoint == endpoint) else {
        return Ok(BTreeMap::new());
    };
    match &holding.place {
        Place::Sqlite { path } => db::sqlite_column_digests(path, table),
        Place::Postgres { .. } => {
            ask(stage, holding, async |connection| db::column_digests(connection, table).await).await
        }
    }
}
