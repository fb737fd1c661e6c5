//! Filling a real database: schema, rows, sequences.

use super::{Database, Table};
use crate::db::postgres::{connect, execute, failed, quoted};
use crate::error::{Error, Result};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::path::Path;

/// Runs the schema of `database` in the empty database that `options` name, then fills its tables, parents first, in
/// one transaction, and sets the sequences. The connection is closed when this returns.
///
/// # Errors
/// Names the file or the table, and the server's words.
pub async fn load_postgres(options: PgConnectOptions, database: &Database) -> Result<()> {
    let mut connection = connect(&options).await?;
    for (file, sql) in &database.schema {
        execute(&mut connection, sql).await.map_err(|error| error.within(file))?;
    }
    execute(&mut connection, "reset search_path; begin").await?;
    for table in &database.tables {
        fill(&mut connection, table).await.map_err(|error| error.within(format!("table {}", table.name)))?;
    }
    execute(&mut connection, "commit").await?;
    connection.close().await.map_err(|error| failed(&error))
}

async fn fill(connection: &mut PgConnection, table: &Table) -> Result<()> {
    let name = qualified(&table.name);
    let copy = format!("copy {name} ({}) from stdin", column_list(table));
    let mut sink = connection.copy_in_raw(&copy).await.map_err(|error| failed(&error))?;
    for block in table.copy_blocks() {
        sink.send(block).await.map_err(|error| failed(&error))?;
    }
    sink.finish().await.map_err(|error| failed(&error))?;
    for column in table.columns.iter().filter(|column| column.is_serial()) {
        let (name, column) = (name.replace('\'', "''"), column.name.replace('\'', "''"));
        let last = table.rows;
        let advance = format!(
            "select setval(sequence, {last}) from pg_get_serial_sequence('{name}', '{column}') sequence \
             where sequence is not null"
        );
        execute(connection, &advance).await?;
    }
    Ok(())
}

/// Creates the file at `path`, which must not exist, with the schema and rows of `database`.
///
/// # Errors
/// Names the file or the table, and SQLite's words.
pub fn load_sqlite(path: &Path, database: &Database) -> Result<()> {
    if path.exists() {
        return Err(Error::environment(format!("{} exists already", path.display())));
    }
    let place =
        |what: &str, error: rusqlite::Error| Error::environment(format!("{}: {what}", path.display())).caused_by(error);
    let mut connection = rusqlite::Connection::open(path).map_err(|error| place("cannot create it", error))?;
    connection.execute_batch(FILLING).map_err(|error| place("pragma", error))?;
    for (file, sql) in &database.schema {
        connection.execute_batch(sql).map_err(|error| place(file, error))?;
    }
    let transaction = connection.transaction().map_err(|error| place("begin", error))?;
    for table in &database.tables {
        insert(&transaction, table).map_err(|error| place(&format!("table {}", table.name), error))?;
    }
    transaction.commit().map_err(|error| place("commit", error))?;
    connection.close().map_err(|(_, error)| place("close", error))?;
    super::side::leave(path, &database.side).map_err(|(what, error)| place(&what, error))
}

/// Nothing to lose yet; and a row may refer to a later one of its own table.
const FILLING: &str = "pragma synchronous = off; pragma foreign_keys = off;";

fn insert(connection: &rusqlite::Connection, table: &Table) -> rusqlite::Result<()> {
    let marks = vec!["?"; table.columns.len()].join(", ");
    let sql = format!("insert into {} ({}) values ({marks})", qualified(&table.name), column_list(table));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = table.copy_blocks();
    while let Some(cells) = rows.next_row() {
        statement.execute(rusqlite::params_from_iter(cells))?;
    }
    Ok(())
}

fn qualified(name: &str) -> String {
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

fn column_list(table: &Table) -> String {
    table.columns().map(quoted).collect::<Vec<_>>().join(", ")
}
