//! `net.lostack`: a statement or transaction was executed, and its answer is lost (RST).
//!
//! From the point on nothing of the answer reaches the tool; the connection is reset once the server has answered in
//! full. At `ack.n` that is the answer to the n-th statement, at `commit.n` to the statement that ended the n-th
//! transaction, its CommandComplete included. What it finds out: whether a tool that does not know if its COMMIT counted
//! does the work twice, or says that it failed although it is done.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetLostAck;

impl Fault for NetLostAck {
    fn name(&self) -> &'static str {
        "net.lostack"
    }

    fn about(&self) -> &'static str {
        "A statement or COMMIT was executed, and its answer is lost (RST)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Ack, Axis::Commit]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::LoseAnswer)
    }
}
