//! `lock.hold`: another session holds locks on the tables of a database.
//!
//! Right before the frame of the point it takes ACCESS EXCLUSIVE on every table there that the tool has not locked
//! itself, as a `VACUUM FULL` or an `ALTER TABLE` would; the tool goes on, and waits where it meets one. Where the tool has
//! locked them all, it queues for the first, and the tool's other sessions wait behind it. With `lock.hold=MS` the locks
//! are given back so many milliseconds after somebody began to wait for them, otherwise when the step is over. What it
//! finds out: whether the tool waits with a bound. One that does not goes over the bound of its step and is HANG.

use super::{Fault, Hazard, milliseconds};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct LockHold;

impl Fault for LockHold {
    fn name(&self) -> &'static str {
        "lock.hold"
    }

    fn about(&self) -> &'static str {
        "Another session locks the tables of a database, for a time or until the step is over."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let ms = arg.map(|_| milliseconds(self, arg)).transpose()?;
        Ok(Hazard::HoldLock { ms })
    }
}
