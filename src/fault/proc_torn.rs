//! `proc.torn`: half of a write is done, and the tool is dead.
//!
//! The first half of the bytes is written at the n-th `write` of a file, then the process group of the tool gets SIGKILL.
//! Where a file is created, grown or cut there is no half, and it is as `proc.kill`. What it finds out: whether a file that
//! is half-written is known for one, by a header, a length, a journal or a name that it gets only when it is whole.

use super::{Fault, FileHarm, Hazard, Visits, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct ProcTorn;

impl Fault for ProcTorn {
    fn name(&self) -> &'static str {
        "proc.torn"
    }

    fn about(&self) -> &'static str {
        "Half of a write to a file is done, and the tool is dead (SIGKILL)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Write]
    }

    fn visits(&self, _: Axis) -> Visits {
        Visits::Every
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::InjureFile(FileHarm::Torn))
    }
}
