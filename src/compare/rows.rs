//! The rows of one table, compared: one pass if they are equal or differ in few, more where a sketch is too small.

use super::ident;
use super::key::{Key, Names};
use super::naming::{self, Kind};
use super::read::Form;
use super::sides::Sides;
use super::sketch::{Entry, Peeled};
use super::table::{Table, Which};
use super::tally::{Pass, Tally};
use crate::model::TableDigest;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Enough for 20,000 changed rows, in two megabytes for each side.
const FIRST_CELLS: usize = 61_440;
/// What a larger sketch may take, and how many times larger it is; beyond that ids are looked at part by part.
const MOST_CELLS: usize = GROWTH * FIRST_CELLS;
const GROWTH: usize = 8;
/// Where a sketch of three cells per entry is sure to decode.
const LOAD: f64 = 0.7;
/// Ids that are remembered for the pass that names them.
const REMEMBERED: usize = 10_000;

/// What both sides hold, and in what they differ.
pub(super) struct Rows {
    pub(super) source: TableDigest,
    pub(super) target: TableDigest,
    pub(super) differing: Differing,
}

/// The rows that differ: exact totals, and the first keys of each kind.
#[derive(Default)]
pub(super) struct Differing {
    pub(super) missing: u64,
    pub(super) extra: u64,
    pub(super) changed: u64,
    /// Sorted; at most as many of each kind as were asked for.
    pub(super) keys: BTreeMap<Kind, Vec<Key>>,
}

/// Compares all rows.
pub(super) async fn compare(sides: &mut Sides, table: &Table, samples: usize) -> Result<Rows> {
    let mut attempt = Attempt::first(table);
    let (source, target, peeled) = pass(sides, table, &attempt, 0).await?;
    let differing = match source == target {
        true => Differing::default(),
        false => {
            let found = all(sides, table, &mut attempt, peeled, (source.rows + target.rows, samples)).await?;
            found.named(sides, table).await?
        }
    };
    Ok(Rows { source, target, differing })
}

/// How large the sketches are, and in how many parts the ids are looked at.
struct Attempt {
    cells: usize,
    parts: u64,
    seed: u64,
}

impl Attempt {
    fn first(table: &Table) -> Attempt {
        let rows = table.source.rows.max(table.target.rows);
        // The server's count may be old; a sketch that was too small is made again.
        let cells = usize::try_from(rows).map_or(FIRST_CELLS, |rows| rows.saturating_mul(3).clamp(384, FIRST_CELLS));
        Attempt { cells, parts: 1, seed: 1 }
    }

    /// Larger, by what the last one could tell.
    fn grow(&mut self, estimate: Option<u64>, rows: u64) {
        self.seed += 1;
        let was_largest = self.cells == MOST_CELLS;
        self.cells = (self.cells * GROWTH).min(MOST_CELLS);
        let room = self.cells as f64 * LOAD;
        let parts = |entries: u64| (entries as f64 / room).ceil() as u64;
        self.parts = match estimate {
            Some(entries) => parts(entries * self.parts).max(self.parts),
            None if was_largest => parts(rows).max(self.parts * 2),
            None => self.parts,
        };
    }
}

async fn pass(
    sides: &mut Sides,
    table: &Table,
    attempt: &Attempt,
    part: u64,
) -> Result<(TableDigest, TableDigest, Peeled)> {
    let pass = Pass {
        cells: attempt.cells,
        seed: attempt.seed,
        part: (part, attempt.parts),
        form: table.form,
        key_fields: table.key.len(),
    };
    let readings = [Which::Source, Which::Target].map(|which| table.all(which, sides.engine(which)));
    let [source, target] = sides.both(readings, [Tally::new(pass), Tally::new(pass)]).await?;
    let (digests, mut sketch) = ((source.digest, target.digest), source.sketch);
    sketch.subtract(target.sketch);
    // Equal digests need no peeling.
    let peeled = if digests.0 == digests.1 { Peeled::All(BTreeMap::new()) } else { sketch.peel() };
    Ok((digests.0, digests.1, peeled))
}

/// All that differs; passes are repeated until every part is decoded.
async fn all(
    sides: &mut Sides,
    table: &Table,
    attempt: &mut Attempt,
    mut peeled: Peeled,
    (rows, samples): (u64, usize),
) -> Result<Found> {
    for _ in 0..ATTEMPTS {
        let estimate = match parts(sides, table, attempt, peeled, samples).await? {
            Decoded::All(found) if !found.is_empty() => return Ok(found),
            // Digests that differ over entries that do not: a hash in the sketch met its double. Another seed helps.
            Decoded::All(_) => None,
            Decoded::TooMany(estimate) => estimate,
        };
        attempt.grow(estimate, rows);
        peeled = pass(sides, table, attempt, 0).await?.2;
    }
    Err(Error::environment("the rows differ, and which ones could not be told; does somebody write to the table?"))
}

enum Decoded {
    All(Found),
    /// About so many in this part, if that can be told.
    TooMany(Option<u64>),
}

/// All parts of one attempt; `peeled` is the first.
async fn parts(
    sides: &mut Sides,
    table: &Table,
    attempt: &Attempt,
    mut peeled: Peeled,
    samples: usize,
) -> Result<Decoded> {
    let mut found = Found::new(table, samples);
    for part in 0..attempt.parts {
        if part > 0 {
            peeled = pass(sides, table, attempt, part).await?.2;
        }
        match &peeled {
            Peeled::All(entries) => found.add(entries),
            Peeled::Undecoded { estimate } => return Ok(Decoded::TooMany(*estimate)),
        }
    }
    Ok(Decoded::All(found))
}

/// Each is eight times larger, or looks at more parts.
const ATTEMPTS: usize = 8;

/// Differences by id.
struct Found {
    missing: u64,
    extra: u64,
    changed: u64,
    form: Form,
    families: Vec<Option<String>>,
    samples: usize,
    /// The first keys that could be read from their ids.
    names: BTreeMap<Kind, Names>,
    /// Ids that a second pass has to name.
    nameless: BTreeMap<u128, Kind>,
}

impl Found {
    fn new(table: &Table, samples: usize) -> Found {
        Found {
            missing: 0,
            extra: 0,
            changed: 0,
            form: table.form,
            families: table.key_families(),
            samples,
            names: BTreeMap::new(),
            nameless: BTreeMap::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.missing + self.extra + self.changed == 0
    }

    /// Entries come sorted, so that those of one id are neighbours. A row that is gone and one that has come under the
    /// same id are one row that changed.
    fn add(&mut self, entries: &BTreeMap<Entry, i64>) {
        let entries: Vec<(u128, i64)> = entries.iter().map(|(entry, count)| (entry.id(), *count)).collect();
        for group in entries.chunk_by(|one, other| one.0 == other.0) {
            let sum = |is_wanted: fn(i64) -> bool| -> u64 {
                group.iter().filter(|(_, count)| is_wanted(*count)).map(|(_, count)| count.unsigned_abs()).sum()
            };
            let (gone, come) = (sum(|count| count > 0), sum(|count| count < 0));
            self.changed += gone.min(come);
            self.missing += gone - gone.min(come);
            self.extra += come - gone.min(come);
            let kind = match gone.cmp(&come) {
                std::cmp::Ordering::Equal => Kind::Changed,
                std::cmp::Ordering::Greater => Kind::Missing,
                std::cmp::Ordering::Less => Kind::Extra,
            };
            self.name(group[0].0, kind);
        }
    }

    fn name(&mut self, id: u128, kind: Kind) {
        match ident::texts(id, self.form, &self.families) {
            Some(texts) => {
                let samples = self.samples;
                self.names.entry(kind).or_insert_with(|| Names::new(samples)).add(Key(texts));
            }
            None if self.nameless.len() < REMEMBERED => drop(self.nameless.insert(id, kind)),
            None => {}
        }
    }

    /// Asks for the names that are not known yet.
    async fn named(self, sides: &mut Sides, table: &Table) -> Result<Differing> {
        let Found { missing, extra, changed, mut names, nameless, samples, .. } = self;
        if !nameless.is_empty() && samples > 0 {
            naming::ask(sides, table, nameless, samples, &mut names).await?;
        }
        let keys = names.into_iter().map(|(kind, names)| (kind, names.into_keys())).collect();
        Ok(Differing { missing, extra, changed, keys })
    }
}
