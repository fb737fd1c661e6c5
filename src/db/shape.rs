//! What tables there are, with their columns and keys: what has to be known before rows can be compared.

use crate::db::postgres::{failed, quoted};
use crate::error::{Error, Result};
use rusqlite::Connection;
use serde::Deserialize;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

/// One table, as its server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableShape {
    /// Its schema; `main` in SQLite.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Sorted by name, byte by byte.
    pub columns: Vec<ColumnShape>,
    /// Columns that tell its rows apart, in the order of the key; empty: none do.
    pub key: Vec<String>,
    /// `copy table` gives all of it.
    pub whole: bool,
    /// Rows of tables that inherit from it are not its own.
    pub only: bool,
    /// Rows as the server last counted them; negative: unknown.
    pub rows: i64,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Its type, for people; as declared in SQLite.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The short name of a type that comes with Postgres, such as `int8`: its own, a domain's base, `text` of an enum.
    pub family: Option<String>,
    /// The binary form of its values means the same on every server.
    pub portable: bool,
}

impl TableShape {
    /// `schema.name`; in SQLite the bare name.
    pub fn qualified(&self) -> String {
        if self.schema == SQLITE_SCHEMA { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }

    /// The name as SQL takes it.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnShape> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// What SQLite calls the schema of the file itself.
pub const SQLITE_SCHEMA: &str = "main";

/// All tables that hold rows, also materialised views; partitions are part of their table.
///
/// # Errors
/// The server's message.
pub async fn postgres_shapes(connection: &mut PgConnection) -> Result<Vec<TableShape>> {
    let sql = sqlx::raw_sql(AssertSqlSafe(include_str!("shapes.sql")));
    let rows = connection.fetch_all(sql).await.map_err(|error| failed(&error))?;
    let shape = |row: &sqlx::postgres::PgRow| {
        let text: String = row.try_get(0).map_err(|error| failed(&error))?;
        serde_json::from_str(&text).map_err(|error| Error::bug("the shape of a table").caused_by(error))
    };
    rows.iter().map(shape).collect()
}

/// All tables of a SQLite database that hold rows of their own, shadow tables of virtual ones included.
///
/// # Errors
/// SQLite's words.
pub fn sqlite_shapes(connection: &Connection) -> Result<Vec<TableShape>> {
    let failed = |error: rusqlite::Error| Error::environment("cannot read the schema").caused_by(error);
    let names = crate::db::sqlite::stored_tables(connection).map_err(failed)?;
    let shapes = names.into_iter().map(|name| sqlite_shape(connection, name));
    shapes.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)
}

fn sqlite_shape(connection: &Connection, name: String) -> rusqlite::Result<TableShape> {
    let sql = "select name, type, pk from pragma_table_xinfo(?) where hidden <> 1 order by name";
    let mut statement = connection.prepare(sql)?;
    let mut key: Vec<(i64, String)> = Vec::new();
    let columns = statement.query_map([&name], |row| {
        let (column, type_name, place): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if place > 0 {
            key.push((place, column.clone()));
        }
        Ok(ColumnShape { name: column, type_name, family: None, portable: true })
    })?;
    let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
    key.sort();
    let key = key.into_iter().map(|(_, column)| column).collect();
    let schema = SQLITE_SCHEMA.to_owned();
    Ok(TableShape { schema, name, columns, key, whole: true, only: false, rows: -1 })
}
