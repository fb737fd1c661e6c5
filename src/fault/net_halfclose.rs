//! `net.halfclose`: the tool hears nothing any more (FIN), while the server still hears the tool.
//!
//! The frame of the point goes on to the server if the tool sent it, and is lost if the server did. Whatever the tool
//! sends afterwards on that connection arrives and is executed, until the tool closes its end too. So at `stmt.n` the
//! statement that seems to have failed was executed. What it finds out: whether a tool believes that what it saw fail
//! did not happen.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetHalfClose;

impl Fault for NetHalfClose {
    fn name(&self) -> &'static str {
        "net.halfclose"
    }

    fn about(&self) -> &'static str {
        "The tool hears nothing any more on a connection (FIN), while the server still hears the tool."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Ack, Axis::Commit, Axis::Copyin, Axis::Copyout]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::DeafenTool)
    }
}
