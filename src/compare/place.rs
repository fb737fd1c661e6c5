//! The two databases: where they are, and the connection that reads them.

use super::lane::{HangUp, Lane};
use super::options::Engine;
use super::read::{self, Reading, Sink};
use crate::db::postgres::{self, LOCAL_PINS};
use crate::db::{Dsn, TableShape, postgres_definitions, postgres_shapes, sqlite, sqlite_shapes};
use crate::model::DatabaseState;
use crate::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// A database that can be compared. What it prints never holds a password.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // there are two of them
pub enum Place {
    /// A Postgres database.
    Postgres(Dsn),
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl Place {
    /// Reads `postgres://...`, `sqlite:PATH`, or `env:NAME` for a variable that holds one of the two.
    ///
    /// # Errors
    /// Says what is wrong, never what the text was: it may hold a password.
    pub fn parse(text: &str) -> Result<Place> {
        match text.strip_prefix("env:") {
            None => Place::literal(text),
            Some(name) => match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => {
                    Place::literal(value.trim()).map_err(|error| error.within(format!("variable {name}")))
                }
                _ => {
                    Err(Error::environment(format!("variable {name} is not set; set it to the address of a database")))
                }
            },
        }
    }

    fn literal(text: &str) -> Result<Place> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err(Error::environment("sqlite: wants the path of a file, as in sqlite:data/app.db")),
            Some(path) => Ok(Place::Sqlite(PathBuf::from(path))),
            None if text.starts_with("postgres") => Dsn::parse(text).map(Place::Postgres),
            None => Err(Error::environment("a database is written postgres://..., sqlite:PATH or env:NAME")),
        }
    }

    /// All definitions and the next value of each sequence, without the rows.
    pub(super) async fn definitions(&self) -> Result<DatabaseState> {
        let read = match self {
            Place::Postgres(dsn) => postgres_definitions(&mut postgres::connect(&dsn.options()).await?).await,
            Place::Sqlite(path) => sqlite::definitions(&sqlite::open_read_only(path)?),
        };
        read.map_err(|error| error.within(self))
    }

    pub(super) fn engine(&self) -> Engine {
        match self {
            Place::Postgres(_) => Engine::Postgres,
            Place::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Connects, and begins to read in one snapshot.
    pub(super) async fn open(&self) -> Result<Side> {
        match self {
            Place::Postgres(dsn) => {
                let mut connection = postgres::connect(&dsn.options()).await?;
                let lane = lane(&mut connection, dsn).await?;
                Ok(Side::Postgres(connection, lane))
            }
            Place::Sqlite(path) => {
                let connection = sqlite::open_read_only(path)?;
                let begun = connection.execute_batch("begin; select 1 from sqlite_schema limit 1");
                begun.map_err(|error| Error::environment(format!("cannot read {self}")).caused_by(error))?;
                Ok(Side::Sqlite(connection))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Postgres(dsn) => write!(f, "{dsn}"),
            Place::Sqlite(path) => write!(f, "{}", path.display()),
        }
    }
}

const BEGIN: &str = "begin isolation level repeatable read, read only;";
/// Names are printed in full, money alike everywhere, and no scan begins in the middle of a table.
const PLAIN: &str = "set local search_path = ''; set local lc_monetary = 'C'; set local synchronize_seqscans = off; \
    set local idle_in_transaction_session_timeout = 0;";

/// Begins the transaction of the reading, and opens a lane into its snapshot where there may be one.
async fn lane(connection: &mut sqlx::PgConnection, dsn: &Dsn) -> Result<Option<Lane>> {
    let begin = |snapshot: &str| format!("{BEGIN} {snapshot} {LOCAL_PINS} {PLAIN}");
    if !dsn.host().starts_with('/') {
        return postgres::execute(connection, &begin("")).await.map(|()| None);
    }
    postgres::execute(connection, BEGIN).await?;
    // A standby may not have one to give; the transaction is over then.
    let snapshot = postgres::fetch_text(connection, "select pg_catalog.pg_export_snapshot()").await;
    let Ok(Some(snapshot)) = snapshot else {
        return postgres::execute(connection, &format!("rollback; {}", begin(""))).await.map(|()| None);
    };
    postgres::execute(connection, &format!("{LOCAL_PINS} {PLAIN}")).await?;
    let (dsn, begin) = (dsn.clone(), begin(&format!("set transaction snapshot '{snapshot}';")));
    let opened = tokio::task::spawn_blocking(move || Lane::open(&dsn, &begin)).await;
    opened.map_err(|error| Error::bug("a reader ended badly").caused_by(error))
}

/// An open side. After an error nobody knows what is on the wire: it is dropped, and opened again.
pub(super) enum Side {
    Postgres(sqlx::PgConnection, Option<Lane>),
    Sqlite(rusqlite::Connection),
}

impl Side {
    pub(super) async fn shapes(&mut self) -> Result<Vec<TableShape>> {
        match self {
            Side::Postgres(connection, _) => postgres_shapes(connection).await,
            Side::Sqlite(connection) => sqlite_shapes(connection),
        }
    }

    /// Gives all rows to `sink`, on a thread of its own.
    pub(super) async fn read<S: Sink>(self, reading: Reading, sink: S) -> Result<(Side, S)> {
        match self {
            Side::Postgres(connection, Some(mut lane)) => {
                let hang_up = lane.hang_up();
                let task = move || {
                    let mut sink = sink;
                    read::lane(&mut lane, &reading, &mut sink)?;
                    Ok((Side::Postgres(connection, Some(lane)), sink))
                };
                let outcome = joined(tokio::task::spawn_blocking(task)).await;
                hang_up.into_iter().for_each(HangUp::keep);
                outcome
            }
            Side::Postgres(mut connection, None) => {
                let task = async move {
                    let mut sink = sink;
                    read::postgres(&mut connection, &reading, &mut sink).await?;
                    Ok((Side::Postgres(connection, None), sink))
                };
                joined(tokio::spawn(task)).await
            }
            Side::Sqlite(connection) => {
                let _stop = Stop(connection.get_interrupt_handle());
                let task = move || {
                    let mut sink = sink;
                    read::sqlite(&connection, &reading, &mut sink)?;
                    Ok((Side::Sqlite(connection), sink))
                };
                joined(tokio::task::spawn_blocking(task)).await
            }
        }
    }
}

async fn joined<T>(task: tokio::task::JoinHandle<Result<T>>) -> Result<T> {
    task.await.map_err(|error| Error::bug("a reader ended badly").caused_by(error))?
}

/// Ends a statement that nobody waits for any more.
struct Stop(rusqlite::InterruptHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}
