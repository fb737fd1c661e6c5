//! The words of a rehearsal as plain data. No IO, no clock, no async.

mod address;
mod digest;
mod verdict;

pub use address::{Address, Axis, BadAddress, FaultPoint, Fingerprint, Place, is_name, is_shell_safe, parse_kind};
pub use digest::{DatabaseState, Difference, RowSum, TableDigest, compare};
pub use verdict::{Outcome, Verdict};
