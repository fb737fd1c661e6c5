//! What rows hold, asked by their keys: for people, a few at a time.

use super::ident;
use super::key::Key;
use super::naming::Kind;
use super::options::Options;
use super::place::Place;
use super::read::{Form, Sink};
use super::report::{ChangedRow, RowDifferences};
use super::rows::{self, Differing};
use super::sides::Sides;
use super::table::{Table, Which};
use crate::db::{TableShape, sqlite_value};
use crate::model::{Row, RowDifference};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// In which rows a table differs from what it should hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DifferingRows {
    /// Rows that should be there and are not.
    pub missing: u64,
    /// Rows that are there and should not be.
    pub extra: u64,
    /// Keys of both, with other content.
    pub changed: u64,
    /// The first ones by key.
    pub rows: Vec<RowDifference>,
}

/// Compares a table, `schema.table` or a bare name in SQLite, with the one that it should equal; none: with an empty one.
///
/// Columns in `left_out` and columns that only one side has do not count. At most `limit` rows are returned.
///
/// # Errors
/// A side cannot be reached, or has no such table; a type that no form covers.
pub async fn differing_rows(
    expected: Option<(&Place, &str)>,
    found: (&Place, &str),
    left_out: &BTreeSet<String>,
    limit: usize,
) -> Result<DifferingRows> {
    let (source, target) = (expected.unwrap_or(found), found);
    let mut sides = Sides::open(source.0, target.0).await?;
    let (sources, targets) = sides.shapes().await?;
    let (source_shape, target_shape) = (shape(sources, source)?, shape(targets, target)?);
    let ignored = BTreeMap::from([(target_shape.qualified(), left_out.clone())]);
    let options = Options { ignored, ..Options::default() };
    let engines = (source.0.engine(), target.0.engine());
    let table = Table::new((&source_shape, engines.0), (&target_shape, engines.1), &options);
    let (mut table, _) = table.map_err(|notes| Error::environment(notes.join("; ")).within(target.1))?;
    table.source_is_empty = expected.is_none();
    let Differing { missing, extra, changed, keys } = rows::compare(&mut sides, &table, limit).await?.differing;
    let mut first: Vec<(Key, Kind)> =
        keys.into_iter().flat_map(|(kind, keys)| keys.into_iter().map(move |key| (key, kind))).collect();
    first.sort();
    let mut rows = Vec::new();
    for (key, kind) in first.into_iter().take(limit) {
        rows.push(difference(&mut sides, &table, &key, kind).await?);
    }
    Ok(DifferingRows { missing, extra, changed, rows })
}

fn shape(shapes: Vec<TableShape>, (place, table): (&Place, &str)) -> Result<TableShape> {
    let found = shapes.into_iter().find(|shape| shape.qualified() == table);
    found.ok_or_else(|| Error::environment(format!("there is no table {table} in {place}")))
}

/// A row that changed is told by the columns that differ, another one by all but its key.
async fn difference(sides: &mut Sides, table: &Table, key: &Key, kind: Kind) -> Result<RowDifference> {
    let row = table.told().iter().cloned().zip(key.0.iter().cloned()).collect();
    let expected = if kind == Kind::Extra { None } else { Some(values(sides, table, Which::Source, key).await?) };
    let found = if kind == Kind::Missing { None } else { Some(values(sides, table, Which::Target, key).await?) };
    let differs = |column: &String| match (&expected, &found) {
        (Some(expected), Some(found)) => expected.get(column) != found.get(column),
        _ => !table.key.contains(column),
    };
    let differing = |of: &Row| -> Row {
        of.iter().filter(|(column, _)| differs(column)).map(|(c, v)| (c.clone(), v.clone())).collect()
    };
    Ok(RowDifference { key: row, expected: expected.as_ref().map(differing), found: found.as_ref().map(differing) })
}

/// What is printed of the rows that differ.
pub(super) async fn told(sides: &mut Sides, table: &Table, differing: Differing) -> RowDifferences {
    let Differing { missing, extra, changed, mut keys } = differing;
    let mut keys = |kind| keys.remove(&kind).unwrap_or_default();
    let (gone, come, other): (Vec<Key>, Vec<Key>, Vec<Key>) =
        (keys(Kind::Missing), keys(Kind::Extra), keys(Kind::Changed));
    let texts = |keys: Vec<Key>| keys.iter().map(|key| key.text(table.told())).collect();
    let mut changed_keys = Vec::new();
    for key in other {
        // That the row differs is known, whatever becomes of this question.
        let columns = changed_columns(sides, table, &key).await.unwrap_or_default();
        changed_keys.push(ChangedRow { key: key.text(table.told()), columns });
    }
    RowDifferences { missing, extra, changed, missing_keys: texts(gone), extra_keys: texts(come), changed_keys }
}

/// The columns in which the rows of one key differ.
async fn changed_columns(sides: &mut Sides, table: &Table, key: &Key) -> Result<Vec<String>> {
    let row = difference(sides, table, key, Kind::Changed).await?;
    Ok(row.expected.into_iter().flatten().map(|(column, _)| column).collect())
}

/// The row of a key by column: what is known of it where it cannot be asked for, the whole of it where there is no key.
async fn values(sides: &mut Sides, table: &Table, which: Which, key: &Key) -> Result<Row> {
    let known = || table.told().iter().cloned().zip(key.0.iter().cloned()).collect();
    let Some(reading) = table.one(which, sides.engine(which), &key.0) else { return Ok(known()) };
    let fields = Fields { form: reading.form, rows: Vec::new() };
    let rows = sides.read(which, reading, fields).await?.rows;
    let Some(row) = rows.into_iter().next() else { return Ok(known()) };
    Ok(row.into_iter().enumerate().filter_map(|(place, value)| Some((table.column(place)?.clone(), value))).collect())
}

/// The values of a few rows.
struct Fields {
    form: Form,
    rows: Vec<Vec<Option<String>>>,
}

impl Sink for Fields {
    fn row(&mut self, row: &[u8], _key: usize) {
        self.rows.push(match self.form {
            Form::Sqlite | Form::Canonical => sqlite_value::texts(row),
            Form::Text | Form::Binary => ident::text_fields(row),
        });
    }
}
