//! The engine: the only place that drives processes, waits and injures.
//!
//! ```text
//! rehearsal   a run: scenarios in, a sealed bundle and a verdict out
//! sealing     the beginning and the end of a bundle
//! scenario    golden run twice, points, cases in parallel, verdict
//! case        one case from fresh databases to its word
//! checkpoint  the golden databases before a step, where cases may begin
//! step        one child process, and the fault that waits for it
//! launch      what it is started with
//! hazard      arming and striking
//! stage       the databases, proxies and directories of one case
//! observe     what the databases hold
//! epochs      which points leave one durable state (pure)
//! planning    from a scenario to its data and its plan
//! points      recorded traces -> points to visit (pure)
//! recovery    which steps run, and which lead out (pure)
//! way_out     the way out, taken, and injured itself
//! pairs       compound faults: points of the way out (pure)
//! files       the file shim: recording and injuring what a tool does to files
//! house       what all cases share: session, servers, templates
//! library     where scenarios and fixtures are found
//! ```

mod case;
mod checkpoint;
mod context;
mod epochs;
pub mod files;
mod golden;
mod hazard;
mod house;
mod launch;
mod library;
mod observe;
mod pairs;
mod planning;
mod points;
pub mod proxy;
mod recovery;
mod rehearsal;
mod scenario;
mod sealing;
mod stage;
mod step;
mod tool_digest;
mod way_out;

pub use house::{House, Missing, missing, platform_limits};
pub use library::{Entry, Library, SOURCE_SHA256};
pub use planning::plan;
pub use points::{Points, Recorded, Tier, Traces};
pub use recovery::{Course, course};
pub use rehearsal::{Finished, Options, Rehearsal};

use context::Rehearsed;
