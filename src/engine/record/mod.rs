//! The real migration, one step of it, with nothing of ours in between: no fault, no proxy, no write.
//!
//! It starts only where tool, command line, environment and schema are those that were rehearsed. Then it is watched from
//! outside: what the databases held before and after, what the step printed, and what its report says.
//!
//! ```text
//! live      the real databases: how to reach and read them
//! command   what is run, beside what was rehearsed
//! schema    definitions without names of owners, before and after the rehearsed step (pure)
//! prepare   all of it put together, and every drift named
//! run       the step itself, and the bundle
//! judge     how it went, from what is on record (pure)
//! child     its process, whose output is shown as it comes
//! ```

mod child;
mod command;
mod judge;
mod live;
mod prepare;
mod run;
mod schema;

pub use child::Said;
pub use judge::{judged, word};
pub use live::Live;
pub use prepare::{Asked, Prepared, prepare};
pub use run::{Sealing, record};
