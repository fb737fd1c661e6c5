//! `input.stale-report`: a green report of an older run lies where the step writes its own.
//!
//! It is put there right before the step, and the step is killed (SIGKILL) at its first connection to the endpoint.
//! What it finds out: whether a tool that dies leaves the older report to speak for it. A step begins by saying that it
//! runs, or by removing what is there. For steps with `claims`.

use super::{Concern, Fault, Hazard, Input, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct InputStaleReport;

impl Fault for InputStaleReport {
    fn name(&self) -> &'static str {
        "input.stale-report"
    }

    fn about(&self) -> &'static str {
        "An older green report lies where the step writes its own, and the step dies."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::Mislead(Input::StaleReport))
    }

    fn concerns(&self) -> Concern {
        Concern::Targets
    }
}
