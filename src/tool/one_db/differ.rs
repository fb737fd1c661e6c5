//! Naming the rows in which two sides differ: exact totals, bounded samples, bounded memory.
//!
//! The first pass sums row digests in buckets by key; equal buckets are done with. Then the rows of the others are
//! held and compared, as many buckets at a time as fit. Rows are compared in the server's text form.

use super::copy::Rows;
use super::session::Session;
use super::table::{Form, Table};
use crate::Result;
use crate::model::TableDigest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const BUCKETS: usize = 8192;
const HELD_ROWS: u64 = 50_000;
/// Keys named per kind of difference.
const SAMPLE: usize = 5;
const SAMPLE_CHARS: usize = 120;

/// In which rows two tables differ.
///
/// The totals are exact. The samples are the first keys in byte order, at most five of each kind, as `column=value`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Rows of the source whose key the target does not have.
    pub missing: u64,
    /// Rows of the target whose key the source does not have.
    pub extra: u64,
    /// Keys on both sides with different rows.
    pub changed: u64,
    /// Keys of missing rows.
    pub missing_keys: Vec<String>,
    /// Keys of extra rows.
    pub extra_keys: Vec<String>,
    /// Keys of changed rows.
    pub changed_keys: Vec<String>,
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.missing, "missing", &self.missing_keys),
            (self.extra, "extra", &self.extra_keys),
            (self.changed, "changed", &self.changed_keys),
        ];
        let texts: Vec<String> = kinds
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, kind, keys)| {
                let more = if *count > keys.len() as u64 { ", ..." } else { "" };
                format!("{count} {kind} ({}{more})", keys.join(", "))
            })
            .collect();
        f.write_str(if texts.is_empty() { "no row differs" } else { "" })?;
        f.write_str(&texts.join("; "))
    }
}

/// Compares the two sides row by row; each is read at least twice.
pub(super) async fn differ(table: &Table, source: &mut Session, target: &mut Session) -> Result<Differences> {
    let (from, to) = (table.read_source(Form::Text), table.read_target(Form::Text));
    let sources = buckets(table, source, "differ source", &from).await?;
    let targets = buckets(table, target, "differ target", &to).await?;
    let mut found = Found::default();
    for wanted in batches(&sources, &targets) {
        let held = hold(table, source, &from, &wanted).await?;
        found.compare(table, target, &to, &wanted, held).await?;
    }
    Ok(found.named(&table.key_names()))
}

fn bucket(key: &[u8]) -> usize {
    usize::try_from(xxh3_64(key) % BUCKETS as u64).unwrap_or_default()
}

/// The first fields of a row in text form, or all of it where there is no key; a tab inside a value is escaped.
fn key_of(row: &[u8], columns: usize) -> &[u8] {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    if columns == 0 {
        return row;
    }
    let tabs = row.iter().enumerate().filter(|(_, byte)| **byte == b'\t');
    let end = tabs.map(|(position, _)| position).nth(columns.saturating_sub(1));
    &row[..end.unwrap_or(row.len())]
}

async fn buckets(table: &Table, session: &mut Session, step: &str, sql: &str) -> Result<Vec<TableDigest>> {
    let (mut sums, mut rows) = (vec![TableDigest::default(); BUCKETS], Rows::new(Form::Text));
    session
        .copy_out(&table.step(step), sql, |message| {
            if let Some(row) = rows.row(message) {
                sums[bucket(key_of(row, table.key_columns))].add(row);
            }
        })
        .await?;
    Ok(sums)
}

/// Buckets that differ, in batches of so many rows of the source as may be held.
fn batches(sources: &[TableDigest], targets: &[TableDigest]) -> Vec<BTreeSet<usize>> {
    let (mut batches, mut held): (Vec<BTreeSet<usize>>, u64) = (Vec::new(), HELD_ROWS);
    for index in (0..sources.len()).filter(|index| sources[*index] != targets[*index]) {
        held += sources[index].rows;
        match batches.last_mut() {
            Some(batch) if held <= HELD_ROWS => drop(batch.insert(index)),
            _ => {
                batches.push(BTreeSet::from([index]));
                held = sources[index].rows;
            }
        }
    }
    batches
}

/// By key, or by the whole row where there is no key.
type Held = BTreeMap<Box<[u8]>, Rest>;

/// What is held of the rows with one key.
#[derive(Clone, Copy)]
struct Rest {
    /// How many of them have not been found on the other side; with a key, one.
    count: u64,
    hash: u128,
}

async fn hold(table: &Table, source: &mut Session, sql: &str, wanted: &BTreeSet<usize>) -> Result<Held> {
    let (mut held, mut rows) = (Held::new(), Rows::new(Form::Text));
    let step = table.step("differ source rows");
    source
        .copy_out(&step, sql, |message| {
            let Some(row) = rows.row(message) else { return };
            let key = key_of(row, table.key_columns);
            if wanted.contains(&bucket(key)) {
                held.entry(key.into()).or_insert(Rest { count: 0, hash: xxh3_128(row) }).count += 1;
            }
        })
        .await?;
    Ok(held)
}

#[derive(Default)]
struct Kind {
    count: u64,
    keys: BTreeSet<Box<[u8]>>,
}

impl Kind {
    fn add(&mut self, key: &[u8]) {
        self.count += 1;
        self.keys.insert(key.into());
        if self.keys.len() > SAMPLE {
            self.keys.pop_last();
        }
    }

    fn named(&self, columns: &[&str]) -> Vec<String> {
        self.keys.iter().map(|key| name_key(key, columns)).collect()
    }
}

fn name_key(key: &[u8], columns: &[&str]) -> String {
    let values = key.split(|byte| *byte == b'\t').map(String::from_utf8_lossy);
    let text = columns.iter().zip(values).map(|(column, value)| format!("{column}={value}"));
    let text = text.collect::<Vec<_>>().join(",");
    if text.chars().count() <= SAMPLE_CHARS {
        return text;
    }
    text.chars().take(SAMPLE_CHARS).chain("...".chars()).collect()
}

#[derive(Default)]
struct Found {
    missing: Kind,
    extra: Kind,
    changed: Kind,
}

impl Found {
    async fn compare(
        &mut self,
        table: &Table,
        target: &mut Session,
        sql: &str,
        wanted: &BTreeSet<usize>,
        mut held: Held,
    ) -> Result<()> {
        let mut rows = Rows::new(Form::Text);
        let step = table.step("differ target rows");
        target
            .copy_out(&step, sql, |message| {
                let Some(row) = rows.row(message) else { return };
                let key = key_of(row, table.key_columns);
                if !wanted.contains(&bucket(key)) {
                    return;
                }
                let Some(rest) = held.get_mut(key).filter(|rest| rest.count > 0) else { return self.extra.add(key) };
                rest.count -= 1;
                if rest.hash != xxh3_128(row) {
                    self.changed.add(key);
                }
            })
            .await?;
        for (key, rest) in &held {
            (0..rest.count).for_each(|_| self.missing.add(key));
        }
        Ok(())
    }

    fn named(&self, columns: &[&str]) -> Differences {
        Differences {
            missing: self.missing.count,
            extra: self.extra.count,
            changed: self.changed.count,
            missing_keys: self.missing.named(columns),
            extra_keys: self.extra.named(columns),
            changed_keys: self.changed.named(columns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"1\ta\tb\n", 1, b"1")]
    #[case(b"1\ta\\tx\tb\n", 2, b"1\ta\\tx")]
    #[case(b"only\n", 1, b"only")]
    #[case(b"no\tkey\n", 0, b"no\tkey")]
    fn the_key_is_the_first_fields(#[case] row: &[u8], #[case] columns: usize, #[case] expected: &[u8]) {
        assert_eq!(key_of(row, columns), expected);
    }
}
