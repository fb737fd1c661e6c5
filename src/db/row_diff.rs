//! The rows in which two Postgres tables differ: exact numbers, and the first rows by key.
//!
//! Both tables are read twice: once for a digest of every row, once for the rows whose digests do not cancel out. Only
//! digests are kept of all rows, some 50 bytes each.

use crate::db::copy_text;
use crate::db::postgres::{fetch_text, quoted};
use crate::db::state::copy_lines;
use crate::error::{Error, Result};
use crate::model::{Row, RowDifference};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// In which rows two tables differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowDifferences {
    /// Rows that only the expected table has.
    pub missing: u64,
    /// Rows that only the found table has.
    pub extra: u64,
    /// Keys that both have, with other content.
    pub changed: u64,
    /// The first ones by key.
    pub rows: Vec<RowDifference>,
}

/// Compares `found` with `expected`, both spelled as in a state (`schema.table`); no expected table is an empty one.
/// Columns in `left_out` and columns that only one side has do not count. At most `limit` rows are returned.
///
/// # Errors
/// There is no such table, or the server's words; drop the connections then.
pub async fn row_differences(
    expected: Option<(&mut PgConnection, &str)>,
    found: (&mut PgConnection, &str),
    left_out: &BTreeSet<String>,
    limit: usize,
) -> Result<RowDifferences> {
    let (found_connection, found_table) = found;
    let mut shape = Shape::of(found_connection, found_table).await?;
    shape.columns.retain(|column| !left_out.contains(column));
    let mut found = Side { connection: found_connection, from: shape.from.clone() };
    let mut expected = match expected {
        None => None,
        Some((connection, table)) => {
            let other = Shape::of(connection, table).await?;
            shape.columns.retain(|column| other.columns.contains(column));
            Some(Side { connection, from: other.from })
        }
    };
    shape.key.retain(|column| shape.columns.contains(column));

    let mut balance: HashMap<u128, i64> = HashMap::new();
    found.read(&shape, false, |line| *balance.entry(xxh3_128(line)).or_default() -= 1).await?;
    if let Some(expected) = &mut expected {
        expected.read(&shape, false, |line| *balance.entry(xxh3_128(line)).or_default() += 1).await?;
    }
    balance.retain(|_, difference| *difference != 0);

    let mut missing = Lines::new(limit, &shape);
    if let Some(expected) = &mut expected {
        let mut left = balance.clone();
        expected.read(&shape, true, |line| missing.take(&mut left, line, 1)).await?;
    }
    let mut extra = Lines { wanted: missing.keys(), ..Lines::new(limit, &shape) };
    found.read(&shape, true, |line| extra.take(&mut balance, line, -1)).await?;
    Ok(paired(missing, extra, limit))
}

/// A table as SQL takes it, its columns by name, and which of them identify a row.
struct Shape {
    from: String,
    columns: Vec<String>,
    key: Vec<String>,
}

impl Shape {
    async fn of(connection: &mut PgConnection, table: &str) -> Result<Shape> {
        let sql = format!(
            "select json_build_array(format('%I.%I', n.nspname, c.relname), \
             (select coalesce(json_agg(a.attname order by a.attname), '[]') from pg_attribute a \
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), \
             (select coalesce(json_agg(a.attname), '[]') from pg_index i join pg_attribute a \
              on a.attrelid = c.oid and a.attnum = any(i.indkey) where i.indrelid = c.oid and i.indisprimary))::text \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname || '.' || c.relname = '{}'",
            table.replace('\'', "''")
        );
        let found = fetch_text(connection, &sql).await?;
        let found = found.ok_or_else(|| Error::environment(format!("there is no table {table}")))?;
        let (from, columns, key) = serde_json::from_str(&found)
            .map_err(|error| Error::bug(format!("columns of table {table}")).caused_by(error))?;
        Ok(Shape { from, columns, key })
    }

    /// Key columns first, each part in the order of names.
    fn ordered(&self) -> Vec<&String> {
        let rest = self.columns.iter().filter(|column| !self.key.contains(column));
        self.key.iter().chain(rest).collect()
    }

    fn row(&self, line: &[u8]) -> Row {
        let line = String::from_utf8_lossy(line);
        let fields = copy_text::fields(&line).into_iter().map(|field| field.map(|text| text.into_owned()));
        self.ordered().into_iter().cloned().zip(fields).collect()
    }

    /// The bytes of a line that are its key: all of them, where there is none.
    fn key_bytes<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let fields = if self.key.is_empty() { usize::MAX } else { self.key.len() };
        let end = line.iter().enumerate().filter(|(_, byte)| **byte == b'\t').nth(fields.saturating_sub(1));
        end.map_or(line, |(at, _)| &line[..at])
    }
}

struct Side<'a> {
    connection: &'a mut PgConnection,
    from: String,
}

impl Side<'_> {
    async fn read(&mut self, shape: &Shape, sorted: bool, mut each: impl FnMut(&[u8])) -> Result<()> {
        let columns: Vec<String> = shape.ordered().into_iter().map(|column| quoted(column)).collect();
        let order: Vec<String> = (1..=shape.key.len()).map(|number| number.to_string()).collect();
        let order = if sorted && !order.is_empty() { format!(" order by {}", order.join(", ")) } else { String::new() };
        let copy = format!("copy (select {} from only {}{order}) to stdout", columns.join(", "), self.from);
        let line = |line: &[u8]| {
            each(line);
            Ok(())
        };
        copy_lines(self.connection, &copy, line).await.map_err(|error| error.within(&self.from))
    }
}

/// The rows of one side that the other has not: all keys, and the first rows.
struct Lines<'a> {
    shape: &'a Shape,
    limit: usize,
    total: u64,
    all_keys: HashSet<u128>,
    /// Keys whose rows are kept beyond the limit, for they have a counterpart.
    wanted: HashSet<Vec<u8>>,
    kept: BTreeMap<Vec<u8>, Row>,
    order: Vec<Vec<u8>>,
}

impl<'a> Lines<'a> {
    fn new(limit: usize, shape: &'a Shape) -> Lines<'a> {
        let (all_keys, wanted, kept, order) = Default::default();
        Lines { shape, limit, total: 0, all_keys, wanted, kept, order }
    }

    /// Takes a line as often as the balance says that this side has more of it.
    fn take(&mut self, balance: &mut HashMap<u128, i64>, line: &[u8], sign: i64) {
        let Some(left) = balance.get_mut(&xxh3_128(line)).filter(|left| **left * sign > 0) else { return };
        *left -= sign;
        self.total += 1;
        let key = self.shape.key_bytes(line);
        self.all_keys.insert(xxh3_128(key));
        if self.order.len() < self.limit || self.wanted.contains(key) {
            self.order.push(key.to_owned());
            self.kept.insert(key.to_owned(), self.shape.row(line));
        }
    }

    fn keys(&self) -> HashSet<Vec<u8>> {
        self.kept.keys().cloned().collect()
    }
}

/// Rows of one key on both sides are one changed row.
fn paired(missing: Lines<'_>, extra: Lines<'_>, limit: usize) -> RowDifferences {
    let has_key = !missing.shape.key.is_empty();
    let both = missing.all_keys.intersection(&extra.all_keys).count();
    let changed = if has_key { both as u64 } else { 0 };
    let mut seen = HashSet::new();
    let keys = missing.order.iter().chain(&extra.order).filter(|key| seen.insert(*key));
    let rows = keys.map(|key| difference(missing.shape, missing.kept.get(key), extra.kept.get(key)));
    RowDifferences {
        missing: missing.total - changed,
        extra: extra.total - changed,
        changed,
        rows: rows.take(limit).collect(),
    }
}

fn difference(shape: &Shape, expected: Option<&Row>, found: Option<&Row>) -> RowDifference {
    let some = expected.or(found).cloned().unwrap_or_default();
    let is_key = |column: &String| shape.key.is_empty() || shape.key.contains(column);
    let key: Row = some.into_iter().filter(|(column, _)| is_key(column)).collect();
    // A changed row is told by the columns that differ.
    let differs = |column: &String| match (expected, found) {
        (Some(expected), Some(found)) => expected.get(column) != found.get(column),
        _ => !shape.key.contains(column),
    };
    let told =
        |row: &Row| row.iter().filter(|(column, _)| differs(column)).map(|(c, v)| (c.clone(), v.clone())).collect();
    RowDifference { key, expected: expected.map(told), found: found.map(told) }
}
