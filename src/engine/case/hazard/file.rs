//! Faults of files: armed in the shim, which strikes inside the tool.

use super::Injury;
use crate::engine::case::stage::Stage;
use crate::engine::files::{FileAct, Shim};
use crate::fault::{FileHarm, Hazard};
use crate::model::Place;
use crate::{Error, Result};

/// Arms it for the children that are started next.
pub(super) fn arm<'s>(stage: &'s Stage<'_>, injury: &Injury) -> Result<&'s Shim> {
    let point = injury.address.first();
    let (shim, file) = stage.shim(&point.place.endpoint).ok_or_else(|| {
        Error::environment(format!("no fault can strike at `{}`: no file is watched there", point.place.endpoint))
    })?;
    let act = act(injury.hazard).ok_or_else(|| Error::environment(format!("{} cannot strike files", point.kind)))?;
    let is_of_log = injury.hazard == Hazard::InjureFile(FileHarm::LogFull);
    shim.arm(&point.place, if is_of_log { NEW_LOG } else { file }, act)?;
    Ok(shim)
}

/// A new file of a server's log, until it has its name. Those that are there have their room.
const NEW_LOG: &str = "pg_wal/xlogtemp";

/// What was held at a point goes on.
pub(super) fn let_go(stage: &Stage<'_>, place: &Place) -> Result<()> {
    stage.shim(&place.endpoint).map_or(Ok(()), |(shim, _)| shim.let_go())
}

/// What the shim does at the point.
fn act(hazard: Hazard) -> Option<FileAct> {
    match hazard {
        Hazard::KillTool => Some(FileAct::Kill),
        Hazard::InjureFile(FileHarm::Torn) => Some(FileAct::Torn),
        Hazard::InjureFile(FileHarm::Full | FileHarm::LogFull) => Some(FileAct::Full),
        Hazard::InjureFile(FileHarm::Broken) => Some(FileAct::Error),
        Hazard::InjureFile(FileHarm::Short) => Some(FileAct::Short),
        Hazard::InjureFile(FileHarm::Busy) => Some(FileAct::Busy),
        Hazard::WriteSource(_) => Some(FileAct::Hold),
        _ => None,
    }
}
