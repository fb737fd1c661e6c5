//! `faults-fired`: the fault of an injured case did strike. One that never struck proves nothing.
//!
//! The news of the proxy or of the file shim is half of the proof. Of a kill the other half is that the tool did die of SIGKILL.

use crate::check::{Check, Judgement};
use crate::model::{History, Phase};

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
        if !history.case.fired() {
            return Some(Judgement::unknown(format!("the fault {address}")));
        }
        // The second fault of a compound one strikes the way out.
        let struck = address.points().iter().zip([Phase::Injured, Phase::Relapse]);
        let died = |phase| history.case.step_ends().any(|end| end.phase == phase && end.signal == Some(SIGKILL));
        match struck.filter(|(point, _)| KILLS.contains(&point.kind.as_str())).all(|(_, phase)| died(phase)) {
            true => Some(Judgement::pass()),
            false => Some(Judgement::unknown("the death of the tool by SIGKILL")),
        }
    }
}

const SIGKILL: i32 = 9;
const KILLS: [&str; 2] = ["proc.kill", "proc.torn"];
