//! Digests of what a database holds. Plain data; they are computed in `db`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Count, size and order-free digest of a multiset of rows.
///
/// `rows` counts rows, `bytes` is the sum of the encoded row lengths, `sum` is the sum modulo 2^128 of the xxh3-128
/// digests of the rows. A sum, never an exclusive or: that would lose pairs of equal rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDigest {
    /// Rows.
    pub rows: u64,
    /// Encoded bytes of all rows.
    pub bytes: u64,
    /// Sum of the row digests.
    pub sum: RowSum,
}

impl TableDigest {
    /// Adds one row, given by its encoded bytes.
    pub fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        self.bytes += row.len() as u64;
        self.sum.0 = self.sum.0.wrapping_add(xxhash_rust::xxh3::xxh3_128(row));
    }

    /// Both multisets in one.
    #[must_use]
    pub fn and(self, other: TableDigest) -> TableDigest {
        TableDigest {
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
            sum: RowSum(self.sum.0.wrapping_add(other.sum.0)),
        }
    }
}

impl fmt::Display for TableDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, digest {}", self.rows, &self.sum.to_string()[..8])
    }
}

/// A sum of row digests modulo 2^128; 32 hexadecimal digits in text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RowSum(pub u128);

impl fmt::Display for RowSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for RowSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RowSum, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(RowSum).map_err(serde::de::Error::custom)
    }
}

/// Everything that one database holds, as far as it is compared.
///
/// `tables`: one entry per table that holds rows of its own, by qualified name (`schema.table`; in SQLite the bare
/// name), also those that nobody named. Row order does not matter; columns count by name, not by position.
/// `sequences`: the next value of each sequence, by qualified name. `catalog`: the definition of each other object
/// (columns, constraints, indexes, triggers, views, functions, extensions, schemas), by a name that begins with its
/// kind, such as `index app.users_pkey`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseState {
    /// Rows per table.
    pub tables: BTreeMap<String, TableDigest>,
    /// Next value per sequence.
    pub sequences: BTreeMap<String, String>,
    /// Definition per catalog object.
    pub catalog: BTreeMap<String, String>,
}

impl DatabaseState {
    /// The entry in the catalog of what is no database any more; its text is the first complaint of the engine.
    pub const DAMAGE: &str = "damage";

    /// Whether its own engine finds it damaged.
    pub fn is_damaged(&self) -> bool {
        self.catalog.contains_key(DatabaseState::DAMAGE)
    }
}

/// One thing in which two states differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// What differs, such as `table general.state` or `sequence app.users_id_seq`.
    pub object: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.object, self.expected, self.found)
    }
}

impl DatabaseState {
    /// What differs from `expected`: tables first, then sequences, then the catalog, each sorted by name.
    pub fn differences(&self, expected: &DatabaseState) -> Vec<Difference> {
        let mut found = compare("table ", &expected.tables, &self.tables);
        found.extend(compare("sequence ", &expected.sequences, &self.sequences));
        found.extend(compare("", &expected.catalog, &self.catalog));
        found
    }

    /// The rows of `table`: its own, or those of all its partitions.
    pub fn rows_of(&self, table: &str) -> Option<TableDigest> {
        let partitions = self.partitions(table);
        let rows = partitions.iter().filter_map(|partition| self.tables.get(*partition));
        if partitions.is_empty() { self.tables.get(table).copied() } else { rows.copied().reduce(TableDigest::and) }
    }

    /// The tables that hold the rows of a partitioned table, also those of a deeper level; none of any other.
    pub fn partitions(&self, table: &str) -> Vec<&str> {
        if !self.catalog.get(&format!("relation {table}")).is_some_and(|text| text.starts_with("partitioned table")) {
            return Vec::new();
        }
        let child = |(name, parent): (&'_ String, &String)| {
            let name = name.strip_prefix("inheritance ").filter(|_| parent == table)?;
            name.rsplit_once(' ').map(|(child, _)| self.catalog.get_key_value(&format!("relation {child}")))?
        };
        let children = self.catalog.iter().filter_map(child);
        let children = children.filter_map(|(name, _)| name.strip_prefix("relation "));
        children
            .flat_map(|child| if self.tables.contains_key(child) { vec![child] } else { self.partitions(child) })
            .collect()
    }

    /// Rows of all tables together.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).fold(0, u64::saturating_add)
    }
}

/// The entries in which two maps differ, in the order of their names.
pub fn compare<V: PartialEq + fmt::Display>(
    prefix: &str,
    expected: &BTreeMap<String, V>,
    found: &BTreeMap<String, V>,
) -> Vec<Difference> {
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let text = |value: Option<&V>| value.map_or("nothing".to_owned(), V::to_string);
    names
        .into_iter()
        .filter(|name| expected.get(*name) != found.get(*name))
        .map(|name| Difference {
            object: format!("{prefix}{name}"),
            expected: text(expected.get(name)),
            found: text(found.get(name)),
        })
        .collect()
}
