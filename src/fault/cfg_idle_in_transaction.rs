//! `cfg.idle-in-transaction`: a database ends sessions that idle in a transaction (25P03).
//!
//! From before the step until it is over `idle_in_transaction_session_timeout` is MS of `cfg.idle-in-transaction=MS`,
//! else 50. The tool is not slowed down: whether it keeps a transaction open while it does something else is its own.
//! What it finds out: whether it notices that the server has rolled back.

use super::{Fault, Hazard, Setting, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct CfgIdleInTransaction;

impl Fault for CfgIdleInTransaction {
    fn name(&self) -> &'static str {
        "cfg.idle-in-transaction"
    }

    fn about(&self) -> &'static str {
        "A database ends sessions that are idle in a transaction for some milliseconds (25P03)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        arg.map_or(Ok(50), |_| milliseconds(self, arg)).map(|ms| Hazard::Configure(Setting::IdleInTransaction { ms }))
    }
}
