//! `cfg.lock-timeout`: a database lets nobody wait for a lock for long (55P03).
//!
//! From before the step until it is over `lock_timeout` is MS of `cfg.lock-timeout=MS`, else 50. So that there is
//! something to wait for, another session holds all tables (as in `lock.hold`) from the tool's first connection on, until
//! somebody has waited for ten times as long. A tool with a patience of its own may wait it out. What it finds out:
//! whether a refused lock is taken for success.

use super::{Concern, Fault, Hazard, Setting, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct CfgLockTimeout;

impl Fault for CfgLockTimeout {
    fn name(&self) -> &'static str {
        "cfg.lock-timeout"
    }

    fn about(&self) -> &'static str {
        "A database lets nobody wait for a lock for more than some milliseconds, and its tables are locked (55P03)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Step]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        arg.map_or(Ok(50), |_| milliseconds(self, arg)).map(|ms| Hazard::Configure(Setting::LockTimeout { ms }))
    }

    fn concerns(&self) -> Concern {
        Concern::Targets
    }
}
