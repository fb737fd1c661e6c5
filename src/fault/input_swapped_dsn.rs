//! `input.swapped-dsn`: the DSNs of two databases are exchanged.
//!
//! For one run of the step the source of the endpoint and the next one (after the last, the first) go by each other's
//! address; where there is only one source, it and the target. The way out has the right ones again. What is right: the
//! tool refuses before it has changed anything.

use super::{Concern, Fault, Hazard, Input, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct InputSwappedDsn;

impl Fault for InputSwappedDsn {
    fn name(&self) -> &'static str {
        "input.swapped-dsn"
    }

    fn about(&self) -> &'static str {
        "The DSNs of two sources are exchanged (of source and target where there is one source)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::Mislead(Input::SwappedDsn))
    }

    fn concerns(&self) -> Concern {
        Concern::Sources
    }
}
