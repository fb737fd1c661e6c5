//! `srv.restart`: the database server is shut down and started again, as for an update.
//!
//! The proxies stop right before the frame of the point, the server gets SIGINT (`pg_ctl stop -m fast`: what is open is
//! rolled back, each client is told 57P01 and cut off) and starts again on the address that it had. Then everything
//! flows on: an answer that was on its way still arrives, and after it the server's goodbye. Each case has a server of
//! its own. What it finds out: the same as `srv.crash`, for a tool that is told.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct SrvRestart;

impl Fault for SrvRestart {
    fn name(&self) -> &'static str {
        "srv.restart"
    }

    fn about(&self) -> &'static str {
        "The database server is shut down (fast) and started again; all connections end."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Ack, Axis::Commit]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::RestartServer)
    }
}
