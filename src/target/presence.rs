//! Who is in a database: the server's processes, and transactions that were prepared and left.

use super::cluster::{APPLICATION, connect};
use crate::clock::Stopwatch;
use crate::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::time::Duration;

/// A process of the server in somebody's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Process of the server.
    pub pid: i32,
    /// Where it is.
    pub database: String,
    /// Such as `active` or `idle in transaction`; empty for processes that are no client's.
    pub state: String,
    /// When its last statement began, as the server writes it; empty if there was none.
    pub query_start: String,
}

/// A transaction that was prepared and neither committed nor rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its global name.
    pub gid: String,
    /// Where it is.
    pub database: String,
}

/// The first connection after a change of definitions reads the whole catalog, and leaves the next ones a file of what
/// it found: copies of the database get it with the rest.
pub(super) async fn wake(options: &PgConnectOptions) -> Result<()> {
    let connection = connect(options).await?;
    let _ = connection.close().await; // it is asked for later whether everybody is gone
    Ok(())
}

/// Waits until [`backends`] finds none; microseconds. Names one of those that are left at the end of `timeout`.
pub(super) async fn wait_gone(connection: &mut PgConnection, databases: &[&str], timeout: Duration) -> Result<u64> {
    let watch = Stopwatch::start();
    loop {
        let found = backends(connection, databases).await?;
        match found.first() {
            None => return Ok(watch.elapsed_us()),
            Some(Backend { pid, database, state, .. }) if watch.elapsed() > timeout => {
                let (count, ms) = (found.len(), timeout.as_millis());
                let text = format!("{count} backends are left after {ms} ms, such as {pid} ({state}) in {database}");
                return Err(Error::environment(text));
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

// A prepared transaction blocks even a forced drop, and can be ended only from within its database.
pub(super) async fn roll_back_prepared(
    connection: &mut PgConnection,
    options: impl Fn(&str) -> PgConnectOptions,
    name: &str,
) -> Result<()> {
    let found = prepared(connection, &[name]).await?;
    if found.is_empty() {
        return Ok(());
    }
    let mut inside = connect(&options(name)).await?;
    for Prepared { gid, .. } in found {
        order(&mut inside, &format!("rollback prepared '{}'", gid.replace('\'', "''"))).await?;
    }
    let _ = inside.close().await;
    Ok(())
}

pub(super) async fn prepared(connection: &mut PgConnection, databases: &[&str]) -> Result<Vec<Prepared>> {
    let sql = "select gid::text, database::text from pg_prepared_xacts where database = any($1) order by gid";
    let rows = sqlx::query(sql).bind(names(databases)).fetch_all(connection).await.map_err(refused)?;
    Ok(rows.iter().map(|row| Prepared { gid: row.get(0), database: row.get(1) }).collect())
}

pub(super) async fn backends(connection: &mut PgConnection, databases: &[&str]) -> Result<Vec<Backend>> {
    let sql = "select pid, datname::text, coalesce(state, ''), coalesce(query_start::text, '') from pg_stat_activity \
               where datname = any($1) and application_name <> $2 order by pid";
    let query = sqlx::query(sql).bind(names(databases)).bind(APPLICATION);
    let backend =
        |row: &PgRow| Backend { pid: row.get(0), database: row.get(1), state: row.get(2), query_start: row.get(3) };
    Ok(query.fetch_all(connection).await.map_err(refused)?.iter().map(backend).collect())
}

/// Whether there are only sessions of the administrator in these databases. Processes that are nobody's count.
pub(super) async fn is_empty_but_for_us(
    connection: &mut PgConnection,
    admin: &str,
    databases: &[&str],
) -> Result<bool> {
    let sql =
        "select not exists (select from pg_stat_activity where datname = any($1) and usename is distinct from $2)";
    let query = sqlx::query_scalar(sql).bind(names(databases)).bind(admin);
    query.fetch_one(connection).await.map_err(refused)
}

/// Who works in these databases or keeps something there: one sentence each.
pub(super) async fn busy(connection: &mut PgConnection, databases: &[&str]) -> Result<Vec<String>> {
    let sql = "select concat_ws(' ', 'a session of', nullif(a.application_name, ''), 'is', a.state, \
               'and holds ' || nullif(string_agg(distinct l.locktype || ' lock', ', '), '')) \
               from pg_stat_activity a left join pg_locks l on l.pid = a.pid and l.granted and l.locktype <> 'virtualxid' \
               where a.datname = any($1) and a.application_name <> $2 \
               group by a.pid, a.application_name, a.state having a.state <> 'idle' or count(l.pid) > 0 order by 1";
    let query = sqlx::query_scalar(sql).bind(names(databases)).bind(APPLICATION);
    query.fetch_all(connection).await.map_err(refused)
}

pub(super) async fn order(connection: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(drop).map_err(refused)
}

pub(super) fn refused(error: sqlx::Error) -> Error {
    Error::environment("the target server refuses").caused_by(error)
}

pub(super) fn names(databases: &[&str]) -> Vec<String> {
    databases.iter().map(|name| (*name).to_owned()).collect()
}
