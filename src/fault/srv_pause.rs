//! `srv.pause`: the database server stands still, for a time or until the step is over.
//!
//! Right before the frame of the point all its processes are stopped (SIGSTOP; a container is paused), and the frame
//! goes on its way. Nobody is told: connections stay, nothing is answered, new ones are not let in. With `srv.pause=MS`
//! the server goes on after so many milliseconds, as if nothing had been, otherwise when the step is over. Each case has
//! a server of its own. What it finds out: time limits, as `net.stall` does, on all connections at once and on new ones.

use super::{Fault, Hazard, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct SrvPause;

impl Fault for SrvPause {
    fn name(&self) -> &'static str {
        "srv.pause"
    }

    fn about(&self) -> &'static str {
        "The database server stands still (SIGSTOP), for a time or until the step is over."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Ack, Axis::Commit]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let ms = arg.map(|_| milliseconds(self, arg)).transpose()?;
        Ok(Hazard::PauseServer { ms })
    }
}
