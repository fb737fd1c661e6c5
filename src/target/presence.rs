//! Who is in a database: the server's processes, and transactions that were prepared and left.

use super::cluster::{APPLICATION, connect};
use super::pool::Pool;
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

impl Pool {
    /// The server's processes in these databases that are not ours, ascending by pid.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn backends(&self, databases: &[&str]) -> Result<Vec<Backend>> {
        let mut connection = self.take().await?;
        let found = backends(&mut connection, databases).await?;
        self.put(connection);
        Ok(found)
    }

    /// Sessions in these databases that are in a transaction or hold a lock, ours left out; one sentence each.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn busy(&self, databases: &[&str]) -> Result<Vec<String>> {
        let sql = "select concat_ws(' ', 'a session of', nullif(a.application_name, ''), 'is', a.state, \
                   'and holds ' || nullif(string_agg(distinct l.locktype || ' lock', ', '), '')) \
                   from pg_stat_activity a left join pg_locks l on l.pid = a.pid and l.granted and l.locktype <> 'virtualxid' \
                   where a.datname = any($1) and a.application_name <> $2 \
                   group by a.pid, a.application_name, a.state having a.state <> 'idle' or count(l.pid) > 0 order by 1";
        let mut connection = self.take().await?;
        let query = sqlx::query_scalar(sql).bind(names(databases)).bind(APPLICATION);
        let found = query.fetch_all(&mut connection).await.map_err(refused)?;
        self.put(connection);
        Ok(found)
    }

    /// Waits until no process of the server is left in these databases; returns how long that took, in microseconds.
    ///
    /// After a tool is killed, its statements go on for a while and may commit.
    ///
    /// # Errors
    /// Some are left at the end of `timeout`; names them.
    pub async fn wait_gone(&self, databases: &[&str], timeout: Duration) -> Result<u64> {
        let mut connection = self.take().await?;
        let waited_us = wait_gone(&mut connection, databases, timeout).await?;
        self.put(connection);
        Ok(waited_us)
    }

    /// As [`Pool::wait_gone`], and our own connections count too: after it a database can be dropped at once.
    ///
    /// # Errors
    /// As in [`Pool::wait_gone`].
    pub async fn wait_empty(&self, databases: &[&str], timeout: Duration) -> Result<()> {
        let sql = "select count(*) from pg_stat_activity where datname = any($1)";
        let mut connection = self.take().await?;
        let watch = Stopwatch::start();
        loop {
            let query = sqlx::query_scalar::<_, i64>(sql).bind(names(databases));
            match query.fetch_one(&mut connection).await.map_err(refused)? {
                0 => break,
                left if watch.elapsed() > timeout => {
                    return Err(Error::environment(format!("{left} connections of ours are left in a database")));
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        self.put(connection);
        Ok(())
    }

    /// Whether nobody is in these databases but the administrator, by whatever name a session calls itself. Processes
    /// that are nobody's count.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_empty_but_for_us(&self, databases: &[&str]) -> Result<bool> {
        let Some(admin) = self.cluster().admin_role() else { return Ok(false) }; // nobody could tell the tool from us
        let sql =
            "select not exists (select from pg_stat_activity where datname = any($1) and usename is distinct from $2)";
        let mut connection = self.take().await?;
        let query = sqlx::query_scalar(sql).bind(names(databases)).bind(admin);
        let is_empty = query.fetch_one(&mut connection).await.map_err(refused)?;
        self.put(connection);
        Ok(is_empty)
    }

    /// The prepared transactions in these databases, by name.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn prepared(&self, databases: &[&str]) -> Result<Vec<Prepared>> {
        let mut connection = self.take().await?;
        let found = prepared(&mut connection, databases).await?;
        self.put(connection);
        Ok(found)
    }

    /// Rolls back what is prepared in a database.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn roll_back_prepared(&self, database: &str) -> Result<()> {
        let mut connection = self.take().await?;
        roll_back_prepared(&mut connection, |name| self.cluster().admin(name), database).await?;
        self.put(connection);
        Ok(())
    }
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

async fn prepared(connection: &mut PgConnection, databases: &[&str]) -> Result<Vec<Prepared>> {
    let sql = "select gid::text, database::text from pg_prepared_xacts where database = any($1) order by gid";
    let rows = sqlx::query(sql).bind(names(databases)).fetch_all(connection).await.map_err(refused)?;
    Ok(rows.iter().map(|row| Prepared { gid: row.get(0), database: row.get(1) }).collect())
}

async fn backends(connection: &mut PgConnection, databases: &[&str]) -> Result<Vec<Backend>> {
    let sql = "select pid, datname::text, coalesce(state, ''), coalesce(query_start::text, '') from pg_stat_activity \
               where datname = any($1) and application_name <> $2 order by pid";
    let query = sqlx::query(sql).bind(names(databases)).bind(APPLICATION);
    let backend =
        |row: &PgRow| Backend { pid: row.get(0), database: row.get(1), state: row.get(2), query_start: row.get(3) };
    Ok(query.fetch_all(connection).await.map_err(refused)?.iter().map(backend).collect())
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
