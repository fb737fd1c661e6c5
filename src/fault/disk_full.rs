//! `disk.full`: the disk is full (ENOSPC).
//!
//! The n-th `write` of a file (also one that creates or grows it) is refused, and changes nothing; with `+` so is every
//! later one until the step is over: a disk that is full stays full. What it finds out: whether the tool notices, says so
//! and leaves a state from which it can go on once there is room.
//!
//! At the place of a Postgres endpoint, such as `pg.target:write.20+`, it is the disk of the server that is full: the
//! case has a server of its own, and the writes to the files of its databases are counted and refused, whoever of its
//! processes makes them. The tool hears of it in the server's words (53100). Such places are named, not swept: what a
//! server writes when differs from run to run.
//!
//! `disk.full=wal`, at such a place, is the disk of the server's log: the writes to new files of the log (`pg_wal`) are
//! counted and refused. Without its log a server cannot go on: it ends itself (PANIC), with all connections, and may not
//! come up again. Once the step is over there is room again, and the server is started anew.

use super::{Fault, FileHarm, Hazard, Visits};
use crate::model::Axis;

/// See the page of the module.
pub(super) struct DiskFull;

impl Fault for DiskFull {
    fn name(&self) -> &'static str {
        "disk.full"
    }

    fn about(&self) -> &'static str {
        "A write to a file finds the disk full (ENOSPC)."
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Write]
    }

    fn visits(&self, _: Axis) -> Visits {
        Visits::Every
    }

    fn hazard(&self, arg: Option<&str>) -> Result<Hazard, String> {
        match arg {
            None => Ok(Hazard::InjureFile(FileHarm::Full)),
            Some("wal") => Ok(Hazard::InjureFile(FileHarm::LogFull)),
            Some(arg) => Err(format!("disk.full takes no argument but `wal`; `={arg}` is too much")),
        }
    }
}
