//! `srv.unplug`: the database server loses its network, for a time or until the step is over.
//!
//! The proxies stop right before the frame of the point, the server's address goes away (a container is disconnected from
//! its network), and all connections of the tool end; new ones are refused. The server lives on, and may learn late that
//! its clients have gone: what was open there is rolled back once it does. With `srv.unplug=MS` the network comes back
//! after so many milliseconds, otherwise when the step is over. Each case has a server of its own. What it finds out: the
//! same as `srv.crash`, where connecting again does not help at once.

use super::{Fault, Hazard, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct SrvUnplug;

impl Fault for SrvUnplug {
    fn name(&self) -> &'static str {
        "srv.unplug"
    }

    fn about(&self) -> &'static str {
        "The database server loses its network, for a time or until the step is over; all connections end."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Ack, Axis::Commit]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let ms = arg.map(|_| milliseconds(self, arg)).transpose()?;
        Ok(Hazard::UnplugServer { ms })
    }
}
