//! `net.slow`: from the point on every packet of a connection comes late (`net.slow=20`, in milliseconds).
//!
//! Both directions; nothing is lost and nothing changes its order. What it finds out: time limits that a slow line
//! reaches, and work that another connection does meanwhile.

use super::{Fault, Hazard, Visits, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetSlow;

impl Fault for NetSlow {
    fn name(&self) -> &'static str {
        "net.slow"
    }

    fn about(&self) -> &'static str {
        "From the point on every packet of a connection comes some milliseconds late (`net.slow=20`)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Conn, Axis::Stmt]
    }

    fn visits(&self, axis: Axis) -> Visits {
        if axis == Axis::Conn { Visits::Ends } else { Visits::First }
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        milliseconds(self, arg).map(|ms| Hazard::SlowConnection { ms })
    }
}
