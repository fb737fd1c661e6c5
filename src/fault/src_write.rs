//! `src.write`: somebody writes to a source (`=insert`, `=update` or `=delete`) while the tool is at work.
//!
//! What is done must be said: `src.write=insert`, `src.write=update` or `src.write=delete`. The tool is parked right before
//! the frame of the point; one transaction changes one row in each table of the source that is copied, where its
//! constraints let us (a copy of a row under a new key, another value in a column that is no key, a row that nothing
//! refers to); then the tool goes on. At an endpoint of a source it is that source that is
//! written, else one that the address draws.
//!
//! Between files the points are locks, syncs and renames: a tool asks for a lock of a source before it reads, and syncs
//! and renames what it has made of it.
//!
//! What is right: the tool refuses, or the target shows each source as it was at one moment, before or after the write;
//! one that shows some tables before and some after has read in several snapshots. A write after the tool's last read
//! is one that it cannot see, and the moment before is right. Either way the way out follows, also after success
//! (unless `[rerun]` says that it refuses), and must lead to parity with the source as it is then. Sources must end as
//! they began plus what we wrote.
//!
//! A tool that has locked the tables of its source keeps the write out for as long; then nothing is written, which the
//! event of the fault says, and all must be as if nobody had tried.

use super::{Fault, Hazard, Write};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct SrcWrite;

impl Fault for SrcWrite {
    fn name(&self) -> &'static str {
        "src.write"
    }

    fn about(&self) -> &'static str {
        "Rows of a source are inserted, updated or deleted while the tool is at work."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Stmt, Axis::Commit, Axis::Sync, Axis::Rename, Axis::Lock]
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        let write = match arg {
            Some("insert") => Write::Insert,
            Some("update") => Write::Update,
            Some("delete") => Write::Delete,
            _ => return Err("src.write takes insert, update or delete, as in src.write=insert".to_owned()),
        };
        Ok(Hazard::WriteSource(write))
    }
}
