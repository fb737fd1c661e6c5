//! Which entries differ between two multisets of any size, in memory that depends on the differences alone.
//!
//! An invertible Bloom lookup table: each entry is added to three cells, and a cell holds nothing but sums. Entries of
//! one side are added, those of the other taken away, so that what both have leaves no trace. A cell in which one
//! entry is left tells which; taking it out of its other two cells frees more of them, until nothing is left. Whatever
//! the sums do not give up is reported as undecoded, never left out.
//!
//! Sums and not exclusive ors: an entry may be there twice, and a pair would cancel itself.

use std::collections::BTreeMap;

/// What a row comes down to: whose it is, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    id: u128,
    hash: u64,
}

/// Ids are smaller than this, or a sum of several could not be divided again.
pub const ID_LIMIT: u128 = 1 << 96;

const CHECK: u64 = 0xffff;

impl Entry {
    /// `id` is below [`ID_LIMIT`]; of `content`, a digest, the upper 48 bits are kept.
    #[inline(always)]
    pub fn new(id: u128, content: u64) -> Entry {
        let kept = content & !CHECK;
        Entry { id, hash: kept | (mixed(id, kept) & CHECK) }
    }

    /// Whose row it is.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// Sums of several entries that happen to look like one are told apart by the lower bits.
    fn is_genuine(&self) -> bool {
        *self == Entry::new(self.id, self.hash)
    }
}

/// The sums. Two of them are compared by [`Sketch::subtract`], which wants the same size and seed.
#[derive(Debug, Clone)]
pub struct Sketch {
    seed: u64,
    cells: Vec<Cell>,
    /// Added together: the cells are far apart, and fetching those of many entries at once hides the way to them.
    waiting: Vec<Entry>,
}

const TOGETHER: usize = 256;

/// 32 bytes, so that none lies across two cache lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cell {
    id: u128,
    hash_low: u64,
    hash_high: i32,
    count: i32,
}

/// What a peeled sketch held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peeled {
    /// How often each entry is there more often in the first multiset than in the other; never 0.
    All(BTreeMap<Entry, i64>),
    /// Too many differences for the size; about how many there are, where the cells still tell.
    Undecoded {
        /// Different entries, or nothing when hardly a cell is empty.
        estimate: Option<u64>,
    },
}

impl Sketch {
    /// An empty sketch of about `cells` cells; it gives back up to four fifths as many entries.
    pub fn new(cells: usize, seed: u64) -> Sketch {
        let cells = vec![Cell::default(); cells.div_ceil(3).max(4) * 3];
        Sketch { seed, cells, waiting: Vec::with_capacity(TOGETHER) }
    }

    /// The number of cells.
    pub fn size(&self) -> usize {
        self.cells.len()
    }

    /// One entry more.
    #[inline(always)]
    pub fn add(&mut self, entry: Entry) {
        self.waiting.push(entry);
        if self.waiting.len() == TOGETHER {
            self.settle();
        }
    }

    // Plain loops and forced inlining from here to the cell: this is what every row costs, and what contributors build
    // is hardly optimised.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let mut at = 0;
        while at < waiting.len() {
            let entry = waiting[at];
            let [one, two, three] = self.places(entry);
            self.cells[one].add(entry);
            self.cells[two].add(entry);
            self.cells[three].add(entry);
            at += 1;
        }
        self.waiting = waiting;
        self.waiting.clear();
    }

    /// Takes away what `other` holds.
    ///
    /// # Panics
    /// The other one has another size or seed.
    pub fn subtract(&mut self, mut other: Sketch) {
        self.settle();
        other.settle();
        assert_eq!((self.seed, self.cells.len()), (other.seed, other.cells.len()), "sketches of two kinds");
        for (cell, other) in self.cells.iter_mut().zip(&other.cells) {
            cell.subtract(other);
        }
    }

    /// Takes out entry by entry.
    pub fn peel(mut self) -> Peeled {
        self.settle();
        let undecoded = Peeled::Undecoded { estimate: self.estimate() };
        let mut found: BTreeMap<Entry, i64> = BTreeMap::new();
        let mut waiting: Vec<usize> = (0..self.cells.len()).collect();
        // Each is right and frees a cell for good, or it is wrong and is taken back; there is an end in any case.
        let mut patience = self.cells.len() * 4;
        while let Some(place) = waiting.pop() {
            let Some((entry, count)) = self.single(place) else { continue };
            patience -= 1;
            if patience == 0 {
                return undecoded;
            }
            *found.entry(entry).or_default() += i64::from(count);
            for place in self.places(entry) {
                self.cells[place].subtract(&Cell::holding(entry, count));
                waiting.push(place);
            }
        }
        found.retain(|_, count| *count != 0);
        if self.cells.iter().all(|cell| *cell == Cell::default()) { Peeled::All(found) } else { undecoded }
    }

    /// The entry of a cell that holds one only, and how often.
    fn single(&self, place: usize) -> Option<(Entry, i32)> {
        let (entry, count) = self.cells[place].single()?;
        (entry.is_genuine() && self.places(entry).contains(&place)).then_some((entry, count))
    }

    /// One cell in each third.
    #[inline(always)]
    fn places(&self, entry: Entry) -> [usize; 3] {
        let third = self.cells.len() / 3;
        let one = mixed(entry.id, entry.hash ^ self.seed);
        let other = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (one >> 29);
        [scaled(one, third), third + scaled(one >> 32, third), 2 * third + scaled(other >> 32, third)]
    }

    /// From the number of empty cells.
    fn estimate(&self) -> Option<u64> {
        let empty = self.cells.iter().filter(|cell| **cell == Cell::default()).count();
        let third = (self.cells.len() / 3) as f64;
        (empty >= 30).then(|| (third * (self.cells.len() as f64 / empty as f64).ln()).ceil() as u64)
    }
}

impl Cell {
    fn holding(entry: Entry, count: i32) -> Cell {
        let hash = i128::from(entry.hash) * i128::from(count);
        let id = entry.id.wrapping_mul(i128::from(count).cast_unsigned());
        Cell { id, hash_low: hash as u64, hash_high: (hash >> 64) as i32, count }
    }

    #[inline(always)]
    fn add(&mut self, entry: Entry) {
        let (low, carry) = self.hash_low.overflowing_add(entry.hash);
        self.id = self.id.wrapping_add(entry.id);
        self.hash_low = low;
        self.hash_high = self.hash_high.wrapping_add(carry as i32);
        self.count = self.count.wrapping_add(1);
    }

    fn subtract(&mut self, other: &Cell) {
        let (low, borrow) = self.hash_low.overflowing_sub(other.hash_low);
        let high = self.hash_high.wrapping_sub(other.hash_high).wrapping_sub(i32::from(borrow));
        self.id = self.id.wrapping_sub(other.id);
        (self.hash_low, self.hash_high) = (low, high);
        self.count = self.count.wrapping_sub(other.count);
    }

    fn single(&self) -> Option<(Entry, i32)> {
        let count = i128::from(self.count);
        let hash = (i128::from(self.hash_high) << 64) | i128::from(self.hash_low);
        let id = u128::try_from(divided(self.id.cast_signed(), count)?).ok()?;
        let hash = u64::try_from(divided(hash, count)?).ok()?;
        (id < ID_LIMIT).then_some((Entry { id, hash }, self.count))
    }
}

fn divided(sum: i128, count: i128) -> Option<i128> {
    (count != 0 && sum.checked_rem(count)? == 0).then(|| sum.checked_div(count)).flatten()
}

/// The lower half of `bits`, as a number below `limit`.
#[inline(always)]
fn scaled(bits: u64, limit: usize) -> usize {
    (((bits & 0xffff_ffff) * limit as u64) >> 32) as usize
}

#[inline(always)]
fn mixed(id: u128, hash: u64) -> u64 {
    let mut bits = (id as u64) ^ hash.rotate_left(23);
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ (id >> 64) as u64;
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ hash;
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xca5a_8263_9512_1157);
    bits ^ (bits >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few ids and few hashes, so that there are equal entries, and entries of one id.
    fn rows() -> impl Strategy<Value = Vec<(u128, u64)>> {
        let id = prop_oneof![0..8u128, any::<u128>().prop_map(|id| id % ID_LIMIT)];
        let hash = prop_oneof![(0..4u64).prop_map(|hash| hash << 16), any::<u64>()];
        proptest::collection::vec((id, hash), 0..60)
    }

    fn sketch(rows: &[(u128, u64)], cells: usize, seed: u64) -> Sketch {
        let mut sketch = Sketch::new(cells, seed);
        rows.iter().for_each(|(id, hash)| sketch.add(Entry::new(*id, *hash)));
        sketch
    }

    fn difference(one: &[(u128, u64)], other: &[(u128, u64)]) -> BTreeMap<Entry, i64> {
        let mut counts: BTreeMap<Entry, i64> = BTreeMap::new();
        for (rows, sign) in [(one, 1), (other, -1)] {
            rows.iter().for_each(|(id, hash)| *counts.entry(Entry::new(*id, *hash)).or_default() += sign);
        }
        counts.retain(|_, count| *count != 0);
        counts
    }

    proptest! {
        #[test]
        fn peeling_finds_exactly_the_difference_or_says_that_it_does_not(
            one in rows(), other in rows(), cells in 3..200usize, seed in any::<u64>()
        ) {
            let mut table = sketch(&one, cells, seed);
            table.subtract(sketch(&other, cells, seed));
            if let Peeled::All(found) = table.peel() {
                prop_assert_eq!(found, difference(&one, &other));
            }
        }

        #[test]
        fn a_larger_table_with_another_seed_decodes_in_the_end(one in rows(), other in rows()) {
            let decoded = (0..4u32).find_map(|attempt| {
                let cells = 12 * 8usize.pow(attempt);
                let mut table = sketch(&one, cells, u64::from(attempt));
                table.subtract(sketch(&other, cells, u64::from(attempt)));
                match table.peel() {
                    Peeled::All(found) => Some(found),
                    Peeled::Undecoded { .. } => None,
                }
            });
            prop_assert_eq!(decoded, Some(difference(&one, &other)));
        }

        #[test]
        fn what_both_sides_hold_leaves_no_trace(common in rows(), seed in any::<u64>()) {
            let mut reversed = common.clone();
            reversed.reverse();
            let mut table = sketch(&common, 12, seed);
            table.subtract(sketch(&reversed, 12, seed));
            prop_assert_eq!(table.peel(), Peeled::All(BTreeMap::new()));
        }
    }

    #[test]
    fn four_fifths_of_the_cells_are_decoded_and_twice_as_many_are_estimated() {
        let rows = |number: u128| -> Vec<(u128, u64)> { (0..number).map(|id| (id, mixed(id, 7))).collect() };
        let Peeled::All(found) = sketch(&rows(48_000), 61_440, 1).peel() else { panic!("undecoded") };
        assert_eq!(found.len(), 48_000);
        let Peeled::Undecoded { estimate } = sketch(&rows(120_000), 61_440, 1).peel() else { panic!("decoded") };
        assert!((110_000..130_000).contains(&estimate.unwrap()), "{estimate:?}");
        assert_eq!(sketch(&rows(1_000_000), 6_000, 1).peel(), Peeled::Undecoded { estimate: None });
    }
}
