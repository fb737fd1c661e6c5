//! `lock.busy`: a file is locked by somebody else.
//!
//! The n-th lock that is asked for on a file (fcntl, flock; SQLite takes one for each kind of access) is not given; with
//! `+` none is until the step is over. SQLite answers "database is locked" once its busy timeout is over. What it finds
//! out: whether the tool waits with a bound, and what it leaves when it gives up.

use super::{Fault, FileHarm, Hazard, Visits, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct LockBusy;

impl Fault for LockBusy {
    fn name(&self) -> &'static str {
        "lock.busy"
    }

    fn about(&self) -> &'static str {
        "A lock on a file is held by somebody else (EAGAIN)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Lock]
    }

    fn visits(&self, _: Axis) -> Visits {
        Visits::Every
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::InjureFile(FileHarm::Busy))
    }
}
