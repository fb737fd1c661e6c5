//! `proc.kill`: the tool dies without a chance to clean up.
//!
//! The proxy stops right before the frame of the point and freezes every connection, the process group of the tool
//! gets SIGKILL, then the connections are closed. So the server has seen exactly what was forwarded up to the point:
//! at `stmt.n` everything before the n-th statement, at `ack.n` the n-th statement too though the tool never learnt
//! it, at `commit.n` the n-th transaction.
//!
//! At a file the tool itself stops right before the operation, and its process group with it: what it did to files
//! before stays, as the operating system outlives it. A sweep visits every operation (`op`); a place may also be the
//! n-th `write`, `sync`, `rename` or `unlink`. What it finds out: whether the tool can be started again.

use super::{Fault, Hazard, Visits, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct ProcKill;

impl Fault for ProcKill {
    fn name(&self) -> &'static str {
        "proc.kill"
    }

    fn about(&self) -> &'static str {
        "The tool dies without a chance to clean up (SIGKILL)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[
            Axis::Conn,
            Axis::Stmt,
            Axis::Ack,
            Axis::Commit,
            Axis::Copyin,
            Axis::Copyout,
            Axis::Epoch,
            Axis::Op,
            Axis::Write,
            Axis::Sync,
            Axis::Rename,
            Axis::Unlink,
        ]
    }

    /// Between two equal statements a kill may leave two states; inside a COPY it leaves one.
    fn visits(&self, axis: Axis) -> Visits {
        match axis {
            Axis::Copyin | Axis::Copyout => Visits::Thirds,
            _ => Visits::Every,
        }
    }

    fn needs_one_point_per_epoch(&self) -> bool {
        true
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::KillTool)
    }
}
