//! `power.loss`: the power goes, and what was not synced may be lost, out of order, or there in parts.
//!
//! Nobody's power is cut: from what a golden run did to files, every state is made that a loss may leave behind each
//! operation, under the persistence model of `docs/power-loss.md`. Of those from which the databases recover to the same
//! content one is visited. The case begins there, in place of the injured step: the way out follows, and must lead to the
//! golden state. What a loss right after the end of the step may leave is a case too: the step has said that it is
//! done, so no way out follows, and the golden state must be there already.
//!
//! The fingerprint of a place tells the states after one operation apart; a place without one is all of them. Every
//! database must be a file. What it finds out: whether a tool syncs what it relies on, in the right order.

use super::{Fault, Hazard, Visits, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct PowerLoss;

impl Fault for PowerLoss {
    fn name(&self) -> &'static str {
        "power.loss"
    }

    fn about(&self) -> &'static str {
        "The power goes: what was not synced is lost, reordered or torn."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Op]
    }

    fn visits(&self, _: Axis) -> Visits {
        Visits::Every
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::LosePower)
    }
}
