//! `cfg.readonly`: a database takes no writes (25006).
//!
//! From before the step until it is over `default_transaction_read_only` is on, as on a database that was closed for
//! maintenance. What it finds out: whether the tool notices that nothing was written.

use super::{Concern, Fault, Hazard, Setting, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct CfgReadonly;

impl Fault for CfgReadonly {
    fn name(&self) -> &'static str {
        "cfg.readonly"
    }

    fn about(&self) -> &'static str {
        "A target takes no writes (25006)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::Configure(Setting::ReadOnly))
    }

    fn concerns(&self) -> Concern {
        Concern::Targets
    }
}
