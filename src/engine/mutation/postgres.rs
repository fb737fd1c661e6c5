//! Mutations of a Postgres database.

use super::Candidate;
use crate::db::postgres::{execute, failed, fetch_text};
use crate::db::{Volatile, postgres_state_inside};
use crate::model::DatabaseState;
use crate::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

const CANDIDATES: &str = include_str!("postgres.sql");

/// All that could be changed in a database, kind by kind, the best places first.
///
/// # Errors
/// The server's words.
pub async fn postgres_candidates(connection: &mut PgConnection) -> Result<Vec<Candidate>> {
    let sql = format!(
        "select coalesce(json_agg(json_build_object('mutation', mutation, 'object', object, 'statement', statement)), \
         '[]')::text from ({CANDIDATES}) c"
    );
    let found = fetch_text(connection, &sql).await.map_err(|error| error.within("places to change"))?;
    serde_json::from_str(&found.unwrap_or_default()).map_err(|error| Error::bug("places to change").caused_by(error))
}

/// Does the first of `candidates` that can be done, as a superuser to whom no trigger and no foreign key speaks.
///
/// # Errors
/// It is no superuser, or the connection fails. That the server refuses a candidate is no error.
pub async fn postgres_mutate<'c>(
    connection: &mut PgConnection,
    candidates: &'c [Candidate],
) -> Result<Option<&'c Candidate>> {
    let done = first_done(connection, candidates).await?;
    execute(connection, "commit").await.map(|()| done)
}

/// What the database would hold after [`postgres_mutate`]; it is undone again.
/// Where none of `candidates` can be done: nothing, unless there is none.
///
/// # Errors
/// As [`postgres_mutate`], and [`crate::db::postgres_state`].
pub(super) async fn postgres_tried<'c>(
    connection: &mut PgConnection,
    candidates: &'c [Candidate],
) -> Result<(Option<&'c Candidate>, DatabaseState)> {
    let done = first_done(connection, candidates).await?;
    let state = match done.is_some() || candidates.is_empty() {
        true => postgres_state_inside(connection, &Volatile::new()).await?,
        false => DatabaseState::default(),
    };
    execute(connection, "rollback").await.map(|()| (done, state))
}

/// Begins a transaction, and does it there.
async fn first_done<'c>(connection: &mut PgConnection, candidates: &'c [Candidate]) -> Result<Option<&'c Candidate>> {
    let begin = "begin; set local session_replication_role = replica; set local allow_system_table_mods = on";
    execute(connection, begin).await?;
    for candidate in candidates {
        execute(connection, "savepoint candidate").await?;
        match connection.execute(sqlx::raw_sql(AssertSqlSafe(candidate.statement.as_str()))).await {
            Ok(done) if done.rows_affected() > 0 || !candidate.changes_rows() => return Ok(Some(candidate)),
            Ok(_) | Err(sqlx::Error::Database(_)) => execute(connection, "rollback to savepoint candidate").await?,
            Err(error) => return Err(failed(&error).within(&candidate.mutation)),
        }
    }
    Ok(None)
}
