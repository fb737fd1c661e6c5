//! The columns of one table, each with a digest of its values: names the columns in which two tables differ.

use crate::db::postgres::{fetch_text, quoted};
use crate::db::{query_digest, sqlite};
use crate::error::{Error, Result};
use crate::model::TableDigest;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::path::Path;

/// The digest of each column of a Postgres table, by name; `table` is spelled as in a state, `schema.table`.
///
/// # Errors
/// No such table, or the server's words.
pub async fn column_digests(connection: &mut PgConnection, table: &str) -> Result<BTreeMap<String, TableDigest>> {
    let sql = format!(
        "select json_build_array(format('%I.%I', n.nspname, c.relname), (select json_agg(a.attname) from pg_attribute a \
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))::text from pg_class c join pg_namespace n \
         on n.oid = c.relnamespace where n.nspname || '.' || c.relname = {}",
        literal(table)
    );
    let found = fetch_text(connection, &sql).await?;
    let found = found.ok_or_else(|| Error::environment(format!("there is no table {table}")))?;
    let (from, columns): (String, Vec<String>) = serde_json::from_str(&found)
        .map_err(|error| Error::bug(format!("columns of table {table}")).caused_by(error))?;
    let mut digests = BTreeMap::new();
    for column in columns {
        let digest = query_digest(connection, &format!("select {} from only {from}", quoted(&column))).await?;
        digests.insert(column, digest);
    }
    Ok(digests)
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The digest of each column of a table of the SQLite file at `path`, by name.
///
/// # Errors
/// No such file or table, or SQLite's words.
pub fn sqlite_column_digests(path: &Path, table: &str) -> Result<BTreeMap<String, TableDigest>> {
    let connection = sqlite::open_read_only(path)?;
    let failed = |error: rusqlite::Error| Error::environment(format!("table {table}")).caused_by(error);
    let query = connection.prepare(&format!("select * from {}", quoted(table))).map_err(failed)?;
    #[allow(clippy::useless_conversion)] // a list of names in older versions of rusqlite
    let columns: Vec<String> = query.column_names().into_iter().map(str::to_owned).collect();
    let digest = |column: String| {
        let sql = format!("select {} from {}", quoted(&column), quoted(table));
        Ok((column, sqlite::sqlite_query_digest(&connection, &sql)?))
    };
    columns.into_iter().map(digest).collect()
}
