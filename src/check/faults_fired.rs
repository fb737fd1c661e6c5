//! `faults-fired`: the fault of an injured case did strike. One that never struck proves nothing.

use crate::check::{Check, Judgement};
use crate::model::History;

/// See the module.
pub(super) struct FaultsFired;

impl Check for FaultsFired {
    fn name(&self) -> &'static str {
        "faults-fired"
    }

    fn about(&self) -> &'static str {
        "The fault of an injured case did strike."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let address = history.case.address.as_ref()?;
        match history.case.fired() {
            true => Some(Judgement::pass()),
            false => Some(Judgement::unknown(format!("the fault {address}"))),
        }
    }
}
