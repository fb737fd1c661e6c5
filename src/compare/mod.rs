//! Whether two databases hold the same, and where not: rows by key, definitions by name.
//!
//! Both sides are read once, side by side, each in one snapshot. Rows are hashed as they come and their digests summed,
//! so that neither an order nor a key is needed; the sums decide, and the server's own hashes never do. In the same
//! pass a [`Sketch`](sketch::Sketch) keeps which rows there are, and gives back exactly those that differ. Memory does
//! not grow with the tables.

mod canonical;
mod catalog;
mod ident;
mod key;
mod lane;
mod naming;
mod options;
mod place;
mod read;
mod report;
mod rows;
mod sides;
pub mod sketch;
mod table;
mod tally;
mod values;

pub use options::Options;
pub use place::Place;
pub use read::Form;
pub use report::{Answer, ChangedRow, Comparison, RowDifferences, TableComparison};
pub use values::{DifferingRows, differing_rows};

use crate::db::TableShape;
use crate::model::TableDigest;
use crate::{Error, Result};
use options::{Engine, Name, named};
use read::Sink;
use sides::Sides;
use std::collections::{BTreeMap, BTreeSet};
use table::{Table, Which};

/// Compares two databases.
///
/// # Errors
/// A side cannot be reached or does not say what tables it has; definitions are asked for of two engines. Trouble with
/// one table is an answer of that table, [`Answer::Unknown`].
pub async fn compare(source: &Place, target: &Place, options: &Options) -> Result<Comparison> {
    let mut sides = Sides::open(source, target).await?;
    let (source_shapes, target_shapes) = sides.shapes().await?;
    let engines = (sides.engine(Which::Source), sides.engine(Which::Target));
    if options.catalog && engines.0 != engines.1 {
        return Err(Error::usage(
            "definitions can be compared between databases of one engine only; leave --catalog out",
        ));
    }
    let mut tables = Vec::new();
    for pair in pairs(source_shapes, target_shapes, engines, options) {
        tables.push(compare_pair(&mut sides, pair, options).await);
    }
    tables.extend(unknown_names(&tables, options));
    let catalog = match options.catalog {
        true => Some(catalog::differences(source.definitions().await?, target.definitions().await?, options)),
        false => None,
    };
    let (source, target) = (source.to_string(), target.to_string());
    Ok(Comparison { answer: Answer::Equal, source, target, tables, catalog }.judged())
}

/// Count and digest of one table, `schema.table` or a bare name in SQLite, and the form in which its rows were read.
///
/// # Errors
/// The database cannot be reached, or has no such table.
pub async fn digest(place: &Place, table: &str) -> Result<(Form, TableDigest)> {
    let mut side = place.open().await?;
    let shapes = side.shapes().await.map_err(|error| error.within(place))?;
    let shape = shapes.iter().find(|shape| shape.qualified() == table);
    let shape = shape.ok_or_else(|| Error::environment(format!("{place} has no table {table}")))?;
    let both = (shape, place.engine());
    let (table, _) = Table::new(both, both, &Options::default()).map_err(|notes| Error::bug(notes.join("; ")))?;
    let (_, Count(digest)) = side.read(table.all(Which::Source, place.engine()), Count::default()).await?;
    Ok((table.form, digest))
}

/// Counts and digests, and nothing else.
#[derive(Default)]
struct Count(TableDigest);

impl Sink for Count {
    #[inline]
    fn row(&mut self, row: &[u8], _key: usize) {
        self.0.add(row);
    }
}

/// A table under both of its names, and what each side has of it.
struct Pair {
    names: (Name, Name),
    source: Option<TableShape>,
    target: Option<TableShape>,
}

fn pairs(
    sources: Vec<TableShape>,
    targets: Vec<TableShape>,
    engines: (Engine, Engine),
    options: &Options,
) -> Vec<Pair> {
    let name = |shape: &TableShape| (shape.schema.clone(), shape.name.clone());
    let mut pairs: BTreeMap<Name, Pair> = BTreeMap::new();
    for shape in sources {
        let source = name(&shape);
        if options.wants(&source) {
            let names = (source.clone(), options.target_of(&source, engines.1));
            pairs.insert(source, Pair { names, source: Some(shape), target: None });
        }
    }
    for shape in targets {
        let target = name(&shape);
        let source = options.source_of(&target, engines.0);
        match pairs.get_mut(&source).filter(|pair| pair.names.1 == target) {
            Some(pair) => pair.target = Some(shape),
            None if options.wants(&source) => {
                let names = (source, target.clone());
                pairs.insert(target, Pair { names, source: None, target: Some(shape) });
            }
            None => {}
        }
    }
    pairs.into_values().collect()
}

fn spelled((schema, table): &Name) -> String {
    if schema == crate::db::SQLITE_SCHEMA { table.clone() } else { format!("{schema}.{table}") }
}

fn untold(source_table: String, target_table: String, answer: Answer, notes: Vec<String>) -> TableComparison {
    TableComparison {
        source_table,
        target_table,
        answer,
        form: None,
        key: Vec::new(),
        source_digest: None,
        target_digest: None,
        rows: RowDifferences::default(),
        notes,
    }
}

async fn compare_pair(sides: &mut Sides, pair: Pair, options: &Options) -> TableComparison {
    let (source_table, target_table) = (spelled(&pair.names.0), spelled(&pair.names.1));
    let one_sided =
        |note: &str| untold(source_table.clone(), target_table.clone(), Answer::Different, vec![note.into()]);
    let (source, target) = match (pair.source, pair.target) {
        (Some(source), Some(target)) => (source, target),
        (Some(_), None) => return one_sided("the table is missing in the target"),
        (None, _) => return one_sided("the table is only in the target"),
    };
    let engines = (sides.engine(Which::Source), sides.engine(Which::Target));
    let (table, mut notes) = match Table::new((&source, engines.0), (&target, engines.1), options) {
        Ok(found) => found,
        Err(notes) => return untold(source_table, target_table, Answer::Unknown, notes),
    };
    match rows::compare(sides, &table, options.samples).await {
        Err(error) => {
            notes.push(error.to_string());
            untold(source_table, target_table, Answer::Unknown, notes)
        }
        Ok(rows) => TableComparison {
            answer: if rows.source == rows.target && notes.is_empty() { Answer::Equal } else { Answer::Different },
            form: Some(table.form),
            key: table.key.clone(),
            source_digest: Some(rows.source),
            target_digest: Some(rows.target),
            rows: values::told(sides, &table, rows.differing).await,
            ..untold(source_table, target_table, Answer::Equal, notes)
        },
    }
}

/// Names that were asked for and that no side has: a typo must not look like a table that is equal.
fn unknown_names(tables: &[TableComparison], options: &Options) -> Vec<TableComparison> {
    let known: BTreeSet<&str> = tables.iter().map(|table| table.source_table.as_str()).collect();
    let schemas: BTreeSet<&str> = known.iter().map(|table| named(table).0).collect();
    let tables =
        options.tables.iter().chain(options.renamed_tables.keys()).filter(|table| !known.contains(table.as_str()));
    let tables = tables.map(|table| (table.clone(), format!("no side has a table {table}")));
    let missing = options.schemas.iter().filter(|schema| !schemas.contains(schema.as_str()));
    let missing = missing.map(|schema| (format!("{schema}.*"), format!("no side has a table in schema {schema}")));
    let found: BTreeMap<String, String> = tables.chain(missing).collect();
    found.into_iter().map(|(name, note)| untold(name.clone(), name, Answer::Unknown, vec![note])).collect()
}
