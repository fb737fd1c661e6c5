//! `srv.crash`: the database server is killed, and recovers.
//!
//! The proxies stop right before the frame of the point, the server and everything that it started get SIGKILL, and all
//! connections of the tool end. Then the server starts, recovers from its log and answers again, on the address that it
//! had; only now may the tool connect anew. What was committed is there, what was not is not: at `ack.n` and `commit.n`
//! the server has done it and the tool does not know. Each case has a server of its own. What it finds out: whether the
//! tool stops or goes on rightly when all its connections are lost at once, and whether what it left can be taken up
//! again.
//!
//! The machine goes on, so what the server handed to the kernel is not lost: this is no loss of power.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct SrvCrash;

impl Fault for SrvCrash {
    fn name(&self) -> &'static str {
        "srv.crash"
    }

    fn about(&self) -> &'static str {
        "The database server is killed (SIGKILL) and recovers; all connections end."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Ack, Axis::Commit]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::CrashServer)
    }
}
