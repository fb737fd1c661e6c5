//! Who is in a database: the server's processes, and transactions that were prepared and left.
//!
//! The functions below the views of the catalog are asked: on a connection that is new, to plan a view costs twice as much.

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

/// How long a server may take for what it answers at once: others wait for their turn.
const AT_ONCE: Duration = Duration::from_secs(60);

impl Pool {
    /// Asks something that the server answers at once. One after the other, for then it is the same connection mostly, whose
    /// process has read of the catalog what it takes.
    pub(super) async fn quick<T>(&self, question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let _turn = self.turn.lock().await;
        let mut connection = self.take().await?;
        let answer = tokio::time::timeout(AT_ONCE, question(&mut connection)).await;
        let answer = answer.map_err(|_| Error::environment("the target server does not answer"))??;
        self.put(connection);
        Ok(answer)
    }

    /// The server's processes in these databases that are not ours, ascending by pid.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn backends(&self, databases: &[&str]) -> Result<Vec<Backend>> {
        let sql = "select pid, datname::text, coalesce(state, ''), coalesce(query_start::text, '') \
                   from pg_stat_get_activity(null) a join pg_database d on d.oid = a.datid \
                   where datname = any($1) and application_name <> $2 order by pid";
        let query = sqlx::query(sql).bind(names(databases)).bind(APPLICATION);
        let backend =
            |row: &PgRow| Backend { pid: row.get(0), database: row.get(1), state: row.get(2), query_start: row.get(3) };
        let rows = self.quick(async |connection| query.fetch_all(connection).await.map_err(refused)).await?;
        Ok(rows.iter().map(backend).collect())
    }

    /// Sessions in these databases that are in a transaction or hold a lock, ours left out; one sentence each.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn busy(&self, databases: &[&str]) -> Result<Vec<String>> {
        let sql = "select concat_ws(' ', 'a session of', nullif(a.application_name, ''), 'is', a.state, \
                   'and holds ' || nullif(string_agg(distinct l.locktype || ' lock', ', '), '')) \
                   from pg_stat_get_activity(null) a join pg_database d on d.oid = a.datid \
                   left join pg_lock_status() l on l.pid = a.pid and l.granted and l.locktype <> 'virtualxid' \
                   where d.datname = any($1) and a.application_name <> $2 \
                   group by a.pid, a.application_name, a.state having a.state <> 'idle' or count(l.pid) > 0 order by 1";
        let query = sqlx::query_scalar(sql).bind(names(databases)).bind(APPLICATION);
        self.quick(async |connection| query.fetch_all(connection).await.map_err(refused)).await
    }

    /// Waits until no process of the server is left in these databases; returns how long that took, in microseconds.
    ///
    /// After a tool is killed, its statements go on for a while and may commit.
    ///
    /// # Errors
    /// Some are left at the end of `timeout`; names one of them.
    pub async fn wait_gone(&self, databases: &[&str], timeout: Duration) -> Result<u64> {
        let watch = Stopwatch::start();
        loop {
            let found = self.backends(databases).await?;
            match found.first() {
                None => return Ok(watch.elapsed_us()),
                Some(Backend { pid, database, state, .. }) if watch.elapsed() > timeout => {
                    let (count, ms) = (found.len(), timeout.as_millis());
                    let text =
                        format!("{count} backends are left after {ms} ms, such as {pid} ({state}) in {database}");
                    return Err(Error::environment(text));
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }

    /// As [`Pool::wait_gone`], and our own connections count too: after it a database can be dropped at once.
    ///
    /// # Errors
    /// As in [`Pool::wait_gone`].
    pub async fn wait_empty(&self, databases: &[&str], timeout: Duration) -> Result<()> {
        let sql = "select count(*) from pg_stat_get_activity(null) a join pg_database d on d.oid = a.datid \
                   where d.datname = any($1)";
        let watch = Stopwatch::start();
        loop {
            let query = sqlx::query_scalar::<_, i64>(sql).bind(names(databases));
            match self.quick(async |connection| query.fetch_one(connection).await.map_err(refused)).await? {
                0 => return Ok(()),
                left if watch.elapsed() > timeout => {
                    return Err(Error::environment(format!("{left} connections of ours are left in a database")));
                }
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// Whether nobody is in these databases but the administrator, by whatever name a session calls itself. Processes
    /// that are nobody's count.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_empty_but_for_us(&self, databases: &[&str]) -> Result<bool> {
        let Some(admin) = self.cluster().admin_role() else { return Ok(false) }; // nobody could tell the tool from us
        let sql = "select not exists (select from pg_stat_get_activity(null) a join pg_database d on d.oid = a.datid \
                   where d.datname = any($1) and a.usesysid is distinct from to_regrole(quote_ident($2)))";
        let query = sqlx::query_scalar(sql).bind(names(databases)).bind(admin);
        self.quick(async |connection| query.fetch_one(connection).await.map_err(refused)).await
    }

    /// The prepared transactions in these databases, by name.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn prepared(&self, databases: &[&str]) -> Result<Vec<Prepared>> {
        self.quick(async |connection| prepared(connection, databases).await).await
    }

    /// Rolls back what is prepared in these databases.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn roll_back_prepared(&self, databases: &[&str]) -> Result<()> {
        roll_back(self.prepared(databases).await?, |name| self.cluster().admin(name)).await
    }
}

/// A prepared transaction blocks even a forced drop, and can be ended only from within its database.
pub(super) async fn roll_back(found: Vec<Prepared>, options: impl Fn(&str) -> PgConnectOptions) -> Result<()> {
    for Prepared { gid, database } in found {
        let mut inside = connect(&options(&database)).await?;
        order(&mut inside, &format!("rollback prepared '{}'", gid.replace('\'', "''"))).await?;
        let _ = inside.close().await;
    }
    Ok(())
}

pub(super) async fn prepared(connection: &mut PgConnection, databases: &[&str]) -> Result<Vec<Prepared>> {
    let sql = "select gid::text, database::text from pg_prepared_xacts where database = any($1) order by gid";
    let rows = sqlx::query(sql).bind(names(databases)).fetch_all(connection).await.map_err(refused)?;
    Ok(rows.iter().map(|row| Prepared { gid: row.get(0), database: row.get(1) }).collect())
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
