//! Answers to single questions: the first row of a query, the keys in which two queries differ, sequences in use.

use crate::db::postgres::{LOCAL_PINS, execute, failed, quoted};
use crate::error::Result;
use crate::model::SequenceUse;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, ValueRef as _};
use std::collections::BTreeMap;

/// The first row of `query` by the server's own text, columns apart by tabs; nothing where there is no row. NULL is
/// `\N`. It cannot write.
///
/// # Errors
/// The server's message and SQLSTATE.
pub async fn first_row(connection: &mut PgConnection, query: &str) -> Result<Option<String>> {
    let rows = read(connection, query).await?;
    rows.first().map(|row| Ok(texts(row)?.join("\t"))).transpose()
}

/// For each key that `query` gives, a digest of its rows. Several rows of one key are taken together.
///
/// # Errors
/// The server's message and SQLSTATE; a column of the key is not there.
pub async fn rows_by_key(
    connection: &mut PgConnection,
    query: &str,
    key: &[String],
) -> Result<BTreeMap<String, String>> {
    let columns: Vec<String> = key.iter().map(|column| format!("q.{}::text", quoted(column))).collect();
    let sql = format!(
        "select concat_ws(', ', {}), md5(string_agg(md5(q::text), '' order by md5(q::text))) from ({query}\n) q group by 1",
        columns.join(", ")
    );
    read(connection, &sql).await?.iter().map(|row| Ok(pair(texts(row)?))).collect()
}

fn pair(texts: Vec<String>) -> (String, String) {
    let mut texts = texts.into_iter();
    (texts.next().unwrap_or_default(), texts.next().unwrap_or_default())
}

/// Every sequence that a column of whole numbers owns or takes its default from, sorted by sequence and column.
///
/// # Errors
/// The server's message and SQLSTATE.
pub async fn sequence_uses(connection: &mut PgConnection) -> Result<Vec<SequenceUse>> {
    let found = read(connection, SEQUENCES).await?;
    let found: Vec<Vec<String>> = found.iter().map(texts).collect::<Result<_>>()?;
    let mut uses = Vec::new();
    for row in found {
        let [sequence, table, column, query, ascending]: [String; 5] =
            row.try_into().map_err(|_| crate::Error::bug("a sequence in use has five parts"))?;
        let numbers = read(connection, &query).await?;
        let (next, furthest) = numbers.first().map(texts).transpose()?.map(pair).unwrap_or_default();
        let furthest = Some(furthest).filter(|text| text != NULL);
        uses.push(SequenceUse { sequence, table, column, next, furthest, ascending: ascending == "t" });
    }
    Ok(uses)
}

const SEQUENCES: &str = include_str!("sequences.sql");
const NULL: &str = "\\N";

async fn read(connection: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>> {
    execute(connection, &format!("begin isolation level repeatable read, read only; {LOCAL_PINS}")).await?;
    let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await.map_err(|error| failed(&error));
    execute(connection, "rollback").await?;
    rows
}

/// Without parameters the server sends text, whatever the type.
fn texts(row: &PgRow) -> Result<Vec<String>> {
    let text = |index| {
        let value = row.try_get_raw(index).map_err(|error| failed(&error))?;
        let text = if value.is_null() { Ok(NULL) } else { value.as_str() };
        text.map(str::to_owned).map_err(|error| crate::Error::bug(format!("a value that is no text: {error}")))
    };
    (0..row.len()).map(text).collect()
}
