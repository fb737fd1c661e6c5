//! `net.orphan`: the tool loses its connection (RST), and the server goes on with the statement.
//!
//! The statement of the point is forwarded, the tool is reset, and the server does not learn of it before it is done: a
//! statement outside a transaction block is committed, whenever that is. The way out is begun without waiting for it.
//! What it finds out: whether the second run gets along with what is left of the first one: locks that are still held,
//! and rows that appear after it has looked.

use super::{Fault, Hazard, no_argument};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct NetOrphan;

impl Fault for NetOrphan {
    fn name(&self) -> &'static str {
        "net.orphan"
    }

    fn about(&self) -> &'static str {
        "The tool loses its connection (RST) while the server goes on with the statement."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        no_argument(self, arg).map(|()| Hazard::OrphanStatement)
    }
}
