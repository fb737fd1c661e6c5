//! `net.stall`: a connection is silent for a while (`net.stall=500`, in milliseconds), or for good (`net.stall`).
//!
//! Nothing flows on it, in either direction, and nobody is told. After the time everything flows on, without loss.
//! Without a time it ends with the tool: by its own time limit, or, where it has none, by the bound of the step, and
//! then the case is HANG. What it finds out: time limits, and what a tool does when one is over.

use super::{Fault, Hazard, Visits, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetStall;

impl Fault for NetStall {
    fn name(&self) -> &'static str {
        "net.stall"
    }

    fn about(&self) -> &'static str {
        "A connection is silent for some milliseconds (`net.stall=500`), or for good."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Conn, Axis::Stmt, Axis::Ack, Axis::Commit, Axis::Copyin, Axis::Copyout]
    }

    fn visits(&self, axis: Axis) -> Visits {
        if axis == Axis::Conn { Visits::First } else { Visits::Ends }
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        match arg {
            None => Ok(Hazard::StallConnection { ms: None }),
            Some(arg) => milliseconds(self, Some(arg)).map(|ms| Hazard::StallConnection { ms: Some(ms) }),
        }
    }
}
