//! `net.close`: a connection to the database ends in an orderly way (FIN).
//!
//! What a pooler, a balancer or a restarted proxy does: the tool reads the end of the stream, the server sees the client
//! leave, and the frame of the point reaches nobody. At `stmt.n` the statement was not executed, at `ack.n` and
//! `commit.n` it was. What it finds out: whether a tool takes the end of a stream for the end of the data.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetClose;

impl Fault for NetClose {
    fn name(&self) -> &'static str {
        "net.close"
    }

    fn about(&self) -> &'static str {
        "A connection to the database ends in an orderly way (FIN), and the tool lives on."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Conn, Axis::Stmt, Axis::Ack, Axis::Commit, Axis::Copyin, Axis::Copyout, Axis::Byte]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::CloseConnection)
    }
}
