//! A connection of our own beside those of the tool: it ends a backend, and asks how far the server's log has got.

use crate::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

/// The longest wait for an answer: the proxy holds a message meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the log of a cluster was when somebody last looked; shared by the proxies in front of one cluster.
///
/// Means something only where nobody else writes to the cluster: the log is everybody's.
#[derive(Debug, Clone, Default)]
pub struct Epochs(Arc<std::sync::Mutex<String>>);

impl Epochs {
    pub(super) fn have_begun(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Notes where the log is; whether that is further than the last time. The first time nothing is known.
    fn moved(&self, now: String) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *last, now);
        before != *last
    }
}

/// Opened when it is first needed, kept while it answers.
pub(super) struct Side {
    options: Option<PgConnectOptions>,
    connection: Mutex<Option<PgConnection>>,
}

impl Side {
    pub(super) fn new(options: Option<PgConnectOptions>) -> Side {
        Side { options, connection: Mutex::default() }
    }

    /// Whether the log has got further since the last call on `epochs`: what a transaction leaves is in it.
    pub(super) async fn moved(&self, epochs: &Epochs) -> Result<bool> {
        let now = self.ask("select pg_current_wal_insert_lsn()::text", |row| row.get::<String, _>(0)).await?;
        Ok(epochs.moved(now))
    }

    /// Ends a backend.
    pub(super) async fn terminate(&self, pid: i32) -> Result<bool> {
        self.ask(&format!("select pg_terminate_backend({pid})"), |row| row.get(0)).await
    }

    async fn ask<T>(&self, sql: &str, read: impl FnOnce(sqlx::postgres::PgRow) -> T) -> Result<T> {
        let trouble = || Error::environment("the proxy's own connection to the server does not answer");
        let Some(options) = &self.options else {
            return Err(Error::bug("a proxy without a connection of its own was asked for one"));
        };
        let asked = async {
            let mut kept = self.connection.lock().await;
            // Taken out, so that after trouble a new one is opened.
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => options.connect().await?,
            };
            let row = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await?;
            *kept = Some(connection);
            Ok::<T, sqlx::Error>(read(row))
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map_err(|error| trouble().caused_by(error)),
            Err(late) => Err(trouble().caused_by(late)),
        }
    }
}
