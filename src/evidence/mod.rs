//! The bundle: layout, journal, redaction, and the digest that two people with the same inputs must agree on.

pub mod attest;
mod bundle;
mod capture;
mod chain;
mod detached;
mod journal;
mod outcome;
mod redact;
mod seal;

pub use bundle::{Bundle, EVENTS, Open, README, SUMS, SUMS_PART, Sealed, is_added_later, path_problem};
pub use capture::{CAPTURE_LIMIT, Capture, Captured};
pub use chain::{Flaw, FlawKind, chained, read, read_intact};
pub use detached::{attach, pull, push};
pub use journal::{Journal, Observer};
pub use outcome::{outcome, outcome_sha256};
pub use redact::{Filter, Hit, MASK, MIN_SECRET_BYTES, Redactor, mask_files, scan};
pub use seal::{OF_RELEASE, RELEASE_PAGE, SEAL, SEAL_TOKEN, seal};
