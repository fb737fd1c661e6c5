//! One pass over one side: count and digest of all rows, and a sketch of which there are.

use super::ident;
use super::read::{Form, Sink};
use super::sketch::{Entry, Sketch};
use crate::model::TableDigest;
use xxhash_rust::xxh3::xxh3_128;

/// What a pass collects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub(super) cells: usize,
    pub(super) seed: u64,
    /// Only ids of this part go into the sketch, of so many parts.
    pub(super) part: (u64, u64),
    pub(super) form: Form,
    pub(super) key_fields: usize,
}

/// What a pass found on one side.
pub(super) struct Tally {
    pub(super) digest: TableDigest,
    pub(super) sketch: Sketch,
    pass: Pass,
}

impl Tally {
    pub(super) fn new(pass: Pass) -> Tally {
        Tally { digest: TableDigest::default(), sketch: Sketch::new(pass.cells, pass.seed), pass }
    }
}

impl Sink for Tally {
    #[inline(always)]
    fn row(&mut self, row: &[u8], key: usize) {
        let Pass { part: (part, parts), form, key_fields, .. } = self.pass;
        let digest = xxh3_128(row);
        self.digest.rows += 1;
        self.digest.bytes += row.len() as u64;
        self.digest.sum.0 = self.digest.sum.0.wrapping_add(digest);
        let id = if key_fields == 0 { ident::of_digest(digest) } else { ident::of_key(&row[..key], form, key_fields) };
        if parts == 1 || part_of(id, parts) == part {
            // The bits that an id made of the digest leaves out come first.
            self.sketch.add(Entry::new(id, (digest as u64).rotate_left(24)));
        }
    }
}

/// All rows of one id are in one part.
fn part_of(id: u128, parts: u64) -> u64 {
    let bits = ((id >> 48) as u64 ^ id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((bits >> 32) * parts) >> 32
}
