//! `mem.limit`: the database server has little memory left (`mem.limit=64`, in MiB), until the step is over.
//!
//! From the frame of the point on, each process of the server gets only so much more than the first one has (an address
//! space, `RLIMIT_AS`): a statement that wants more is refused (53200), a connection perhaps too. A container gets only so
//! much more than it has, for all its processes: one that wants more is killed by the kernel, and the server ends all
//! connections and recovers. Each case has a server of its own. What it finds out: whether a tool takes a statement that
//! was too large for done.

use super::{Fault, Hazard};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct MemLimit;

impl Fault for MemLimit {
    fn name(&self) -> &'static str {
        "mem.limit"
    }

    fn about(&self) -> &'static str {
        "The database server gets only some MiB more memory (`mem.limit=64`) until the step is over."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let needed = || "mem.limit needs a size in MiB, as in mem.limit=64".to_owned();
        let mib = arg.and_then(|arg| arg.parse().ok().filter(|mib: &u32| *mib > 0 && mib.to_string() == arg));
        mib.map(|mib| Hazard::LimitMemory { mib }).ok_or_else(needed)
    }
}
