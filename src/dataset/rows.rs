//! How many rows a table has, where its randomness comes from, and its rows as a stream.

use super::Table;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// Rows that share one stream of randomness; tables and chunks can be made in any order.
const CHUNK_ROWS: u64 = 4096;

const BLOCK_BYTES: usize = 64 * 1024;

/// Divides `total` by weight, at least 1 each and nothing left over; `None` when there are more weights than rows.
pub(super) fn shares(total: u64, weights: &[u64]) -> Option<Vec<u64>> {
    let rest = total.checked_sub(weights.len() as u64)?;
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let exact = |weight: u64| u128::from(rest) * u128::from(weight);
    let floor = |weight: u64| u64::try_from(exact(weight) / sum).expect("a share is not more than the whole");
    let mut shares: Vec<u64> = weights.iter().map(|weight| 1 + floor(*weight)).collect();
    let left = usize::try_from(total - shares.iter().sum::<u64>()).expect("less than one per weight is left");
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(exact(weights[*index]) % sum));
    for index in by_remainder.into_iter().take(left) {
        shares[index] += 1;
    }
    Some(shares)
}

pub(super) fn table_key(seed: u64, database: &str, table: &str) -> [u8; 32] {
    Sha256::digest(format!("{seed}\0{database}\0{table}")).into()
}

pub(super) fn salt(table_key: &[u8; 32], column: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(column.as_bytes(), xxhash_rust::xxh3::xxh3_64(table_key))
}

/// A stream of randomness whose values are the same in every version and on every machine.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(table_key: [u8; 32], chunk: u64) -> Random {
        let mut generator = ChaCha8Rng::from_seed(table_key);
        generator.set_stream(chunk);
        Random(generator)
    }

    /// Less than `choices`, which is at least 1.
    pub(super) fn below(&mut self, choices: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(choices);
        u64::try_from(wide >> 64).expect("half of 128 bits")
    }

    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        least.wrapping_add_unsigned(self.below(least.abs_diff(most).saturating_add(1)))
    }

    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = self.below(choices.len() as u64);
        &choices[usize::try_from(index).expect("an index of a slice")]
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// The rows of a table as blocks of COPY text.
pub struct CopyBlocks<'a> {
    table: &'a Table,
    row: u64,
    random: Random,
}

impl<'a> CopyBlocks<'a> {
    pub(super) fn new(table: &'a Table) -> CopyBlocks<'a> {
        CopyBlocks { table, row: 0, random: Random::new(table.key, 0) }
    }

    /// The next row, one cell per column; `None` after the last.
    pub(super) fn next_row(&mut self) -> Option<Vec<super::Cell>> {
        if self.row == self.table.rows {
            return None;
        }
        if self.row.is_multiple_of(CHUNK_ROWS) {
            self.random = Random::new(self.table.key, self.row / CHUNK_ROWS);
        }
        let cells = self.table.columns.iter().map(|column| column.cell(&mut self.random, self.row)).collect();
        self.row += 1;
        Some(cells)
    }
}

impl Iterator for CopyBlocks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut block = Vec::new();
        while block.len() < BLOCK_BYTES {
            let Some(cells) = self.next_row() else { break };
            for (number, cell) in cells.iter().enumerate() {
                if number > 0 {
                    block.push(b'\t');
                }
                cell.push_copy(&mut block);
            }
            block.push(b'\n');
        }
        (!block.is_empty()).then_some(block)
    }
}
