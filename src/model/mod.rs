//! The words of a rehearsal as plain data. No IO, no clock, no async.

mod digest;
mod verdict;

pub use digest::{DatabaseState, Difference, RowSum, TableDigest, compare};
pub use verdict::{Outcome, Verdict};
