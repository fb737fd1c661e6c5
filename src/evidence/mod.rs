//! The bundle: layout, journal, redaction, and the digest that two people with the same inputs must agree on.

mod bundle;
mod capture;
mod journal;
mod outcome;
mod redact;

pub use bundle::{Bundle, EVENTS, Open, SUMS, Sealed};
pub use capture::{CAPTURE_LIMIT, Capture, Captured};
pub use journal::{Journal, Observer, read, read_intact};
pub use outcome::{outcome, outcome_sha256};
pub use redact::{Filter, Hit, MASK, MIN_SECRET_BYTES, Redactor, mask_files, scan};
