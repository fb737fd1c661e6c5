//! One connection, thin: statements named by a comment, values as the server's own text, trouble with its place.

use super::catalog;
use crate::db::Dsn;
use crate::db::postgres::{self, Identity};
use crate::{Error, Result};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgCopyIn};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::str::FromStr;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Both sides speak alike, no row is hidden, no scan starts in the middle, and no patience of the server's ends us.
const SETTINGS: [(&str, &str); 8] = [
    ("IntervalStyle", "postgres"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    ("row_security", "off"),
    ("synchronize_seqscans", "off"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// A row of values as text, in the order of the select list.
pub(super) type TextRow = Vec<Option<String>>;

/// A database that a variable names.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) variable: String,
    /// User, host and database, never the password.
    pub(super) address: String,
    options: PgConnectOptions,
}

impl Endpoint {
    pub(super) fn from_variable(name: &str, variable: &str) -> Result<Endpoint> {
        let dsn = match std::env::var(variable) {
            Ok(dsn) if !dsn.trim().is_empty() => dsn,
            _ => return Err(Error::environment(format!("variable {variable} is not set ({name}); set it to a DSN"))),
        };
        let dsn = Dsn::parse(dsn.trim()).map_err(|e| e.within(format!("variable {variable} ({name})")))?;
        let options = dsn.options().application_name("rehearse-one-db").options(SETTINGS);
        Ok(Endpoint { name: name.to_owned(), variable: variable.to_owned(), address: dsn.to_string(), options })
    }

    /// For messages: what, where, and the variable that says so.
    pub(super) fn place(&self) -> String {
        format!("{} ({}, variable {})", self.name, self.address, self.variable)
    }
}

/// One connection to an endpoint.
pub(super) struct Session {
    connection: PgConnection,
    endpoint: Endpoint,
    /// The name of the snapshot in which it reads.
    snapshot: Option<String>,
}

impl Session {
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Session> {
        let cannot = || Error::environment(format!("cannot connect to {}", endpoint.place()));
        match tokio::time::timeout(CONNECT_TIMEOUT, endpoint.options.connect()).await {
            Ok(Ok(connection)) => Ok(Session { connection, endpoint: endpoint.clone(), snapshot: None }),
            Ok(Err(error)) => Err(cannot().caused_by(postgres::refusal(&endpoint.options, &error))),
            Err(_) => Err(cannot().caused_by(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    /// Runs a statement for its effect.
    pub(super) async fn execute(&mut self, step: &str, sql: &str) -> Result<()> {
        self.rows(step, sql).await.map(drop)
    }

    /// All rows of a statement.
    pub(super) async fn rows(&mut self, step: &str, sql: &str) -> Result<Vec<TextRow>> {
        let query = sqlx::raw_sql(AssertSqlSafe(named(step, sql)));
        match query.fetch_all(&mut self.connection).await {
            Ok(rows) => rows.iter().map(|row| (0..row.len()).map(|i| text(row, i)).collect()).collect(),
            Err(error) => Err(trouble(&self.endpoint, step, error)),
        }
    }

    /// The only value of the only row, a number.
    pub(super) async fn number(&mut self, step: &str, sql: &str) -> Result<u64> {
        let rows = self.rows(step, sql).await?;
        number(step, rows.first())
    }

    /// The numbers that `queries` give, in their order; asked all at once.
    pub(super) async fn numbers<N: FromStr>(&mut self, step: &str, queries: &[String]) -> Result<Vec<N>> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT pg_catalog.unnest(ARRAY[({})])::text", queries.join("), ("));
        let rows = self.rows(step, &sql).await?;
        (0..queries.len()).map(|index| number(step, rows.get(index))).collect()
    }

    /// Which database this is.
    pub(super) async fn identity(&mut self, step: &str) -> Result<Identity> {
        let asked = postgres::identity(&mut self.connection).await;
        asked.map_err(|error| error.within(format!("{step}: {}", self.endpoint.place())))
    }

    /// Reads in a new snapshot from now on; others can join it as long as this connection stays in it.
    pub(super) async fn take_snapshot(&mut self, step: &str) -> Result<String> {
        let sql = format!("{}; SELECT pg_catalog.pg_export_snapshot()", self.begin_reading());
        let rows = self.rows(step, &sql).await?;
        let id = rows.into_iter().flatten().next().flatten().ok_or_else(|| Error::bug("a snapshot without a name"))?;
        self.snapshot = Some(id.clone());
        Ok(id)
    }

    /// Reads in another connection's snapshot from now on.
    pub(super) async fn join_snapshot(&mut self, step: &str, id: &str) -> Result<()> {
        if self.snapshot.as_deref() == Some(id) {
            return Ok(());
        }
        let sql = format!("{}; SET TRANSACTION SNAPSHOT {}", self.begin_reading(), catalog::literal(id));
        let place = self.endpoint.place();
        let gone = |e| Error::environment(format!("the snapshot of {place} is gone; run again")).caused_by(e);
        self.execute(step, &sql).await.map_err(gone)?;
        self.snapshot = Some(id.to_owned());
        Ok(())
    }

    /// Ends the reading.
    pub(super) async fn leave_snapshot(&mut self, step: &str) -> Result<()> {
        self.snapshot = None;
        self.execute(step, "COMMIT").await
    }

    /// With an empty search path, so that both sides name objects (`regclass`) with their schema.
    fn begin_reading(&self) -> &'static str {
        match self.snapshot {
            None => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''",
            Some(_) => "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''",
        }
    }

    /// Reads a COPY to its end; `each` gets the messages of the server, one for each row and some without a row.
    pub(super) async fn copy_out(&mut self, step: &str, sql: &str, mut each: impl FnMut(&[u8])) -> Result<()> {
        let sql = named(step, sql);
        let read = async {
            let mut messages = self.connection.copy_out_raw(&sql).await?;
            while let Some(message) = messages.try_next().await? {
                each(&message);
            }
            Ok(())
        };
        read.await.map_err(|error| trouble(&self.endpoint, step, error))
    }

    /// The raw connection, for the one place that reads and writes at once.
    pub(super) fn connection(&mut self) -> (&mut PgConnection, &Endpoint) {
        (&mut self.connection, &self.endpoint)
    }

    /// Says goodbye; trouble with it changes nothing.
    pub(super) async fn close(self) {
        self.connection.close().await.ok();
    }
}

/// The sink of a COPY.
pub(super) type Sink<'c> = PgCopyIn<&'c mut PgConnection>;

/// A statement that carries the name of its step.
pub(super) fn named(step: &str, sql: &str) -> String {
    format!("/* one-db:{} */ {sql}", step.replace("*/", "* /").replace("/*", "/ *"))
}

fn number<N: FromStr>(step: &str, row: Option<&TextRow>) -> Result<N> {
    let value = row.and_then(|row| row.first()).and_then(Option::as_deref);
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Error::bug(format!("{step}: expected a number, got {value:?}")))
}

fn text(row: &sqlx::postgres::PgRow, index: usize) -> Result<Option<String>> {
    let value = row.try_get_raw(index).map_err(|e| Error::bug("a column of our own is missing").caused_by(e))?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    value.as_str().map(|text| Some(text.to_owned())).map_err(|e| Error::bug("a value is not text").caused_by(e))
}

/// Data that the target does not take is a refusal (SQLSTATE classes 22 and 23); all else is the environment.
pub(super) fn trouble(endpoint: &Endpoint, step: &str, error: sqlx::Error) -> Error {
    let class = error.as_database_error().and_then(|e| e.code()).map(|code| code[..2].to_owned());
    let message = match class.as_deref() {
        Some("22" | "23") => return Error::refused(format!("{step}: {}", endpoint.place())).caused_by(error),
        Some(_) => format!("{step}: {} answered with an error", endpoint.place()),
        None => format!(
            "{step}: lost the connection to {}; what was not committed is rolled back, run the same command again",
            endpoint.place()
        ),
    };
    Error::environment(message).caused_by(error)
}

/// The code that the server gave, if it was the server.
pub(super) fn sqlstate(error: &Error) -> Option<String> {
    let cause = std::error::Error::source(error)?.downcast_ref::<sqlx::Error>()?;
    Some(cause.as_database_error()?.code()?.into_owned())
}

/// A lock that was not to be had, a deadlock or a lost race: the next attempt may do better.
pub(super) fn may_pass(error: &Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("55P03" | "40P01" | "40001"))
}
