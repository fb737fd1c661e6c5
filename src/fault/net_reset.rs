//! `net.reset`: a connection to the database breaks (RST).
//!
//! The tool's next read or write fails with ECONNRESET, the server sees the client leave, and the tool lives on. The
//! frame of the point reaches nobody: at `stmt.n` the statement was not executed, at `ack.n` and `commit.n` it was
//! and the tool does not know. Other connections stay. What it finds out: whether the tool stops, retries rightly, or
//! does something twice.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetReset;

impl Fault for NetReset {
    fn name(&self) -> &'static str {
        "net.reset"
    }

    fn about(&self) -> &'static str {
        "A connection to the database breaks (RST), and the tool lives on."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Conn, Axis::Stmt, Axis::Ack, Axis::Commit, Axis::Copyin, Axis::Copyout, Axis::Byte]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::ResetConnection)
    }
}
