//! The engine: the only place that drives processes, waits and injures.
//!
//! ```text
//! rehearsal   a run: scenarios in, a sealed bundle and a verdict out
//! turns       one limit of cases and time over all scenarios
//! sealing     the beginning and the end of a bundle
//! scenario    golden run twice, points, cases in parallel, verdict
//! case        one case from fresh databases to its word
//! checkpoint  the golden databases before a step, where cases may begin
//! step        one child process, and the fault that waits for it
//! launch      what it is started with
//! hazard      arming and striking
//! stage       the databases, proxies and directories of one case
//! look        how to look into the databases of a case
//! pause       stopping where a fault has struck
//! keep        cases that stay after the run
//! observe     what the databases hold
//! diagnose    why a case is red: what is in the way, which rows differ
//! epochs      which points leave one durable state (pure)
//! facts       what else golden runs tell
//! maps        both sides of each declared transformation
//! quiet       what the servers are still busy with after a step
//! report_age  how old a step's report is
//! ask         guards, and checks of the scenario's own
//! planning    from a scenario to its data and its plan
//! points      recorded traces -> points to visit (pure); beginning: those of kinds that strike when a step begins
//! recovery    which steps run, and which lead out (pure)
//! way_back    what a rollback loses; runs that go back earlier than the plan
//! way_out     the way out, taken, and injured itself
//! pairs       compound faults: points of the way out (pure)
//! files       the file shim: recording and injuring what a tool does to files
//! select      the points that somebody names (pure)
//! red         what was red the last time
//! since       what has changed since a git ref
//! shrink/     a failure made small
//! doctor      what this machine can rehearse
//! draft       a first scenario, as text (pure)
//! house       what all cases share: session, servers, templates
//! need        programs and modules that a scenario asks for
//! library     where scenarios and fixtures are found
//! ```

mod ask;
mod beginning;
mod case;
mod checkpoint;
mod context;
mod diagnose;
mod doctor;
mod draft;
mod epochs;
mod facts;
pub mod files;
mod golden;
mod hazard;
mod house;
mod keep;
mod launch;
mod library;
mod look;
mod maps;
pub mod mutation;
mod need;
mod observe;
mod pairs;
mod pause;
mod planning;
mod points;
pub mod proxy;
mod quiet;
mod recovery;
mod red;
mod rehearsal;
mod report_age;
mod scenario;
mod sealing;
mod select;
mod shrink;
mod since;
mod stage;
mod step;
mod tool_digest;
mod turns;
mod way_back;
mod way_out;

pub use doctor::{Finding, Health, doctor};
pub use draft::{Draft, skeleton};
pub use house::{House, Missing, missing, platform_limits};
pub use keep::Keep;
pub use library::{Entry, Library, SOURCE_SHA256};
pub use look::{Look, View};
pub use pause::Pause;
pub use planning::plan;
pub use points::{Points, Recorded, Tier, Traces};
pub use recovery::{Course, course};
pub use red::{last_run, red};
pub use rehearsal::{Finished, Options, Rehearsal};
pub use select::{Again, Hunt};
pub use shrink::{Shrink, Shrunk, Tried, shrink, smallest};
pub use since::{changed_since, has_changed};

use context::Rehearsed;
