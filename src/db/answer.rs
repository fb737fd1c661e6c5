//! Answers to single questions: the first row of a query, the keys in which two queries differ, sequences in use.

use crate::db::postgres::{BEGIN, LOCAL_PINS, execute, failed, fetch_text, quoted};
use crate::db::state::OWN;
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

/// Every sequence that a column of whole numbers owns or takes its default from, sorted by sequence and column. Two round
/// trips, however many there are.
///
/// # Errors
/// The server's message and SQLSTATE; drop the connection then, which is inside a transaction.
pub async fn sequence_uses(connection: &mut PgConnection) -> Result<Vec<SequenceUse>> {
    let found = rows(connection, &format!("{BEGIN} {LOCAL_PINS} {SEQUENCES}")).await?;
    let found: Vec<Vec<String>> = found.iter().map(texts).collect::<Result<_>>()?;
    let queries: String = found.iter().filter_map(|row| row.get(3)).map(|query| format!("{query};")).collect();
    let numbers = rows(connection, &format!("{queries} rollback")).await?; // a row of each
    found.into_iter().zip(numbers).map(|(row, numbers)| sequence_use(row, texts(&numbers)?)).collect()
}

/// The next value of every sequence, by qualified name, as [`postgres_state`](crate::db::postgres_state) has them.
///
/// # Errors
/// As [`sequence_uses`].
pub async fn postgres_next_values(connection: &mut PgConnection) -> Result<BTreeMap<String, String>> {
    let named = |error: crate::Error| error.within("cannot read the sequences");
    let query = fetch_text(connection, &format!("{BEGIN} {OWN} {NEXT_VALUES}")).await.map_err(named)?;
    let query = query.unwrap_or_default(); // there need be none
    let values = rows(connection, &format!("{query}; commit")).await.map_err(named)?;
    values.iter().map(|row| Ok(pair(texts(row)?))).collect()
}

/// The object ids of all sequences, ascending; clones of one database share them.
///
/// # Errors
/// The server's message and SQLSTATE.
pub async fn sequence_oids(connection: &mut PgConnection) -> Result<Vec<i64>> {
    let rows = rows(connection, "select seqrelid::int8 from pg_catalog.pg_sequence order by 1").await?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| failed(&error))).collect()
}

fn sequence_use(row: Vec<String>, numbers: Vec<String>) -> Result<SequenceUse> {
    let [sequence, table, column, _, ascending]: [String; 5] =
        row.try_into().map_err(|_| crate::Error::bug("a sequence in use has five parts"))?;
    let (next, furthest) = pair(numbers);
    let furthest = Some(furthest).filter(|text| text != NULL);
    Ok(SequenceUse { sequence, table, column, next, furthest, ascending: ascending == "t" })
}

/// The query for name and next value of each sequence; nothing where there is none.
const NEXT_VALUES: &str = "select string_agg(format('select %L, (last_value::numeric + case when is_called then %s else 0 \
    end)::text from %I.%I', n.nspname || '.' || c.relname, s.seqincrement, n.nspname, c.relname), ' union all ') \
    from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace \
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

const SEQUENCES: &str = include_str!("sequences.sql");
const NULL: &str = "\\N";

async fn read(connection: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>> {
    execute(connection, &format!("{BEGIN} {LOCAL_PINS}")).await?;
    let rows = rows(connection, sql).await;
    execute(connection, "rollback").await?;
    rows
}

/// The rows of all statements of a message, one after the other.
async fn rows(connection: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>> {
    connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await.map_err(|error| failed(&error))
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
