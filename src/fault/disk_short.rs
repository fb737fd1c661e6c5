//! `disk.short`: less is written than was asked for.
//!
//! The n-th `write` of a file writes half of its bytes and returns their number, as it may at any time; with `+` every later
//! one too. Nothing has failed: a tool that writes the rest goes on as if nothing had happened. A file that is created, grown
//! or cut, and a single byte, have no half: there nothing strikes, and a sweep leaves them out. What it finds out: whether
//! the tool looks at the number.

use super::{Fault, FileHarm, Hazard, Visits, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct DiskShort;

impl Fault for DiskShort {
    fn name(&self) -> &'static str {
        "disk.short"
    }

    fn about(&self) -> &'static str {
        "A write to a file writes only half, and says so."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Write]
    }

    fn visits(&self, _: Axis) -> Visits {
        Visits::Every
    }

    fn needs_halves(&self) -> bool {
        true
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::InjureFile(FileHarm::Short))
    }
}
