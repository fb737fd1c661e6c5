//! `disk.eio`: the disk fails (EIO).
//!
//! The n-th operation on a file is refused, and changes nothing; with `+` so is every later one until the step is over.
//! A sweep visits every operation (`op`); a place may also be the n-th `write`, `sync`, `rename` or `unlink`. What it finds
//! out: whether the tool notices, above all at `sync`, after which nothing that was written before can be believed.

use super::{Fault, FileHarm, Hazard, Visits, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct DiskEio;

impl Fault for DiskEio {
    fn name(&self) -> &'static str {
        "disk.eio"
    }

    fn about(&self) -> &'static str {
        "An operation on a file fails, as on a broken disk (EIO)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Op, Axis::Write, Axis::Sync, Axis::Rename, Axis::Unlink]
    }

    fn visits(&self, _: Axis) -> Visits {
        Visits::Every
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::InjureFile(FileHarm::Broken))
    }
}
