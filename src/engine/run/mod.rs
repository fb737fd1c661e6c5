//! A run: scenarios in, a sealed bundle and a verdict out.
//!
//! ```text
//! rehearsal    the run
//! turns        one limit of cases and time over all scenarios
//! share        which cases are this machine's
//! sealing      the beginning and the end of a bundle
//! scenario     golden run twice, points, cases, verdict
//! cases        the cases of a scenario: planned, and several at a time
//! injured      one of them
//! golden       the uninjured runs
//! visits       the cases of a fault
//! goldens      which scenarios have them in common
//! losses       the cases of a loss of power
//! recovered    what databases recover to after one
//! asked        what scenarios ask, without running them
//! planning     from a scenario to its data and its plan
//! criteria     what a runbook demands of a scenario
//! context      what everything in a scenario may look up
//! house        what all cases share: session, servers, templates
//! missing      what a scenario needs and is not here
//! need         programs and modules that a scenario asks for
//! linkage      whether a program can be watched
//! tool_digest  which tool it was
//! keep         cases that stay after the run
//! ```

pub(in crate::engine) mod asked;
mod cases;
pub(in crate::engine) mod context;
mod criteria;
pub(in crate::engine) mod golden;
pub(in crate::engine) mod goldens;
pub(in crate::engine) mod house;
mod injured;
pub(in crate::engine) mod keep;
mod linkage;
mod losses;
pub(in crate::engine) mod missing;
mod need;
pub(in crate::engine) mod planning;
mod recovered;
pub(in crate::engine) mod rehearsal;
mod scenario;
pub(in crate::engine) mod sealing;
mod share;
pub(in crate::engine) mod tool_digest;
pub(in crate::engine) mod turns;
mod visits;
