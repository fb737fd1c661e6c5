//! Connections to Postgres: errors that name the place, sessions that print every value without loss.

use crate::db::dsn::place;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use std::fmt;

/// Settings under which the text form of every value is exact and the same on every server.
///
/// `bytea_output` and `extra_float_digits` lose nothing in this form; `postgres` intervals keep months, days and
/// microseconds apart; `row_security = off` turns a silently filtered read into an error.
pub const PINS: &str = "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; \
     set extra_float_digits = 3; set bytea_output = 'hex'; set xmloption = 'content'; set row_security = off; \
     set client_encoding = 'UTF8'; set standard_conforming_strings = on;";

/// Begins a transaction of one snapshot, in which nothing can be written.
pub(crate) const BEGIN: &str = "begin isolation level repeatable read, read only;";

/// The same as [`PINS`], until the end of the transaction, and without plans that cost more than they gain on small
/// tables.
pub(crate) const LOCAL_PINS: &str = "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; \
     set local intervalstyle = 'postgres'; set local extra_float_digits = 3; set local bytea_output = 'hex'; \
     set local xmloption = 'content'; set local row_security = off; set local standard_conforming_strings = on; \
     set local jit = off; set local max_parallel_workers_per_gather = 0; \
     set local lock_timeout = '30s'; set local statement_timeout = 0;";

/// Connects, with the application name of the URL or `rehearse`, and [`PINS`] set.
///
/// # Errors
/// Names host, port and database and the cause (wrong password, refused, no such database), never the password.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let name = options.get_application_name().unwrap_or("rehearse");
    let options = options.clone().application_name(name).disable_statement_logging();
    let connected = PgConnection::connect_with(&options).await;
    let mut connection = connected.map_err(|error| cannot_connect(&options, &error))?;
    execute(&mut connection, PINS).await.map_err(|error| error.within(place(&options)))?;
    Ok(connection)
}

fn cannot_connect(options: &PgConnectOptions, error: &sqlx::Error) -> Error {
    Error::environment(format!("cannot connect to {}: {}", place(options), refusal(options, error)))
}

/// Why there is no connection, for an operator.
pub(crate) fn refusal(options: &PgConnectOptions, error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some("28P01") => format!("the password of user {} is wrong", options.get_username()),
            Some("3D000") => "there is no such database".to_owned(),
            _ => database.message().to_owned(),
        },
        sqlx::Error::Io(io) => match io.kind() {
            std::io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
            std::io::ErrorKind::NotFound => "there is no such socket".to_owned(),
            _ => io.to_string(),
        },
        sqlx::Error::Tls(_) if !cfg!(feature = "tls") => {
            "TLS is asked for, and this build has none: build it with `--features tls`, or say sslmode=disable"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Runs statements without parameters, all in one message.
///
/// # Errors
/// The server's message and SQLSTATE.
pub async fn execute(connection: &mut PgConnection, sql: &str) -> Result<()> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop).map_err(|error| failed(&error))
}

/// The first column of the first row, as text; `None` for NULL and for no row. Cast to text in the query.
///
/// # Errors
/// The server's message and SQLSTATE.
pub async fn fetch_text(connection: &mut PgConnection, sql: &str) -> Result<Option<String>> {
    let row: Option<PgRow> =
        connection.fetch_optional(sqlx::raw_sql(AssertSqlSafe(sql))).await.map_err(|error| failed(&error))?;
    match row {
        Some(row) => row.try_get(0).map_err(|error| failed(&error)),
        None => Ok(None),
    }
}

/// The server's answer in our type: message, detail, SQLSTATE. A value in the detail may be data of the database.
pub fn failed(error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(database) => Error::environment(format!(
            "the server says: {} (SQLSTATE {})",
            database.message(),
            database.code().unwrap_or_default()
        )),
        other => Error::environment(format!("the connection failed: {other}")),
    }
}

/// Whether a lock was not granted in time.
pub(crate) fn is_locked_out(error: &Error) -> bool {
    error.to_string().contains("(SQLSTATE 55P03)")
}

/// A name as SQL takes it, whatever it holds.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Which database this is, by the server's own word and not by the spelling of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The number that initdb gave to the cluster; `None` when the role may not see it. Copies of a data directory share
    /// it, so that it proves nothing alone.
    pub system_identifier: Option<String>,
    /// When the server was started, in seconds since 1970 with microseconds.
    pub started: String,
    /// The object id of the database: a renamed database keeps it.
    pub database_oid: String,
    /// The name of the database, for people.
    pub database: String,
    /// The server's version, for people.
    pub server_version: String,
    /// Whether it replays another server's writes.
    pub standby: bool,
}

impl Identity {
    /// Whether both are one database, under whatever address and name, or one is the other's standby. Ask both without
    /// a restart in between.
    pub fn is_same(&self, other: &Identity) -> bool {
        let same_cluster = match (&self.system_identifier, &other.system_identifier) {
            (Some(one), Some(another)) => Some(one == another),
            _ => None,
        };
        let same_server = same_cluster != Some(false) && self.started == other.started;
        let standby = same_cluster == Some(true) && (self.standby || other.standby);
        self.database_oid == other.database_oid && (same_server || standby)
    }

    fn server(&self) -> &str {
        self.system_identifier.as_deref().unwrap_or("unknown")
    }

    /// The cluster's identifier and the database's oid, for a report.
    pub fn short(&self) -> String {
        format!("{}/{}", self.server(), self.database_oid)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database {} (oid {}) of server {}", self.database, self.database_oid, self.server())
    }
}

/// Asks the server who it is; also a role that may not see the cluster's identifier gets an answer.
///
/// # Errors
/// The server's message.
pub async fn identity(connection: &mut PgConnection) -> Result<Identity> {
    let question = "select extract(epoch from pg_catalog.pg_postmaster_start_time())::text, \
        (select oid::text from pg_catalog.pg_database where datname = current_database()), current_database()::text, \
        current_setting('server_version'), pg_catalog.pg_is_in_recovery()::text, \
        has_function_privilege('pg_catalog.pg_control_system()', 'execute')::text";
    let row = connection.fetch_one(sqlx::raw_sql(question)).await.map_err(|error| failed(&error))?;
    let text = |index: usize| row.try_get::<String, usize>(index).map_err(|error| failed(&error));
    let system_identifier = match text(5)?.as_str() {
        "true" => fetch_text(connection, "select system_identifier::text from pg_catalog.pg_control_system()").await?,
        _ => None,
    };
    Ok(Identity {
        system_identifier,
        started: text(0)?,
        database_oid: text(1)?,
        database: text(2)?,
        server_version: text(3)?,
        standby: text(4)? == "true",
    })
}
