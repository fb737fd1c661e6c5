//! The engine: the only place that drives processes, waits and injures.
//!
//! ```text
//! run/        a run: scenarios in, a sealed bundle and a verdict out
//! points/     recorded traces -> points to visit (pure)
//! case/       one case, from fresh databases to its word
//! observe/    what the databases hold, and why a case is red
//! proxy/      the Postgres proxy: recording and injuring what passes
//! files/      the file shim: recording and injuring what a tool does to files
//! mutation/   the check of the comparison: planted changes
//! shrink/     a failure made small
//! record/     a step of the real migration, watched and sealed
//! library     where scenarios and fixtures are found
//! red         what was red the last time
//! git         questions to the caller's repository
//! since       what has changed since a git ref
//! doctor      what this machine can rehearse
//! draft       a first scenario, as text (pure)
//! ```

mod case;
mod doctor;
mod draft;
pub mod files;
mod git;
mod library;
pub mod mutation;
mod observe;
mod points;
pub mod proxy;
pub mod record;
mod red;
mod run;
mod shrink;
mod since;

pub use case::pause::Pause;
pub use case::recovery::{Course, course};
pub use doctor::{Finding, Health, doctor};
pub use draft::{Draft, skeleton};
pub use git::{authors, checkout};
pub use library::{Entry, Library, SOURCE_SHA256};
pub use observe::look::{Look, View};
pub use points::select::{Again, Hunt};
pub use points::{Points, Recorded, Tier, Traces};
pub use red::{last_run, red};
pub use run::asked::asked_here;
pub use run::house::House;
pub use run::keep::Keep;
pub use run::missing::{Missing, missing, platform_limits};
pub use run::planning::plan;
pub use run::rehearsal::{Finished, Options, Rehearsal};
pub use run::sealing::close;
pub use shrink::{Shrink, Shrunk, Tried, shrink, smallest};
pub use since::{changed_since, has_changed};

use run::context::Rehearsed;
