//! Hazards, carried out: what is armed before a step, and what is done when it strikes.

use crate::engine::context::CaseLog;
use crate::engine::proxy::{Act, Armed, Fired, Strike};
use crate::engine::stage::Stage;
use crate::fault::Hazard;
use crate::model::{Address, Axis, Body};
use crate::process::{self, Child, Signal};
use crate::{Error, Result};
use std::time::Duration;

/// What waits for a step.
pub(super) struct Injury {
    pub(super) address: Address,
    pub(super) hazard: Hazard,
}

/// Says that a fault is about to be armed, and arms it.
pub(super) fn arm(stage: &Stage<'_>, log: &mut CaseLog<'_>, injury: &Injury) -> Result<Armed> {
    let place = injury.address.first().place.clone();
    let unknown = || Error::environment(format!("no fault can strike at `{}` here", place.endpoint));
    let proxy = stage.proxy(&place.endpoint).ok_or_else(unknown)?;
    log.record(Body::FaultArmed { case: log.case(), address: injury.address.clone() })?;
    let time = |ms: u32| Duration::from_millis(ms.into());
    let act = match injury.hazard {
        Hazard::KillTool => Act::Hold,
        Hazard::ResetConnection => Act::Reset,
        Hazard::CloseConnection => Act::Close,
        Hazard::DeafenTool => Act::HalfClose,
        Hazard::LoseAnswer => Act::LoseAnswer,
        Hazard::OrphanStatement => Act::Orphan,
        Hazard::StallConnection { ms } => Act::Stall(ms.map(time)),
        Hazard::SlowConnection { ms } => Act::Slow(time(ms)),
        Hazard::RaiseError(code) => Act::Raise(code),
    };
    if place.axis == Axis::Epoch {
        stage.watch_epochs();
    }
    proxy.take_trace();
    Ok(proxy.arm(Strike { place, act }))
}

/// The news came: writes it down, and does what is left to do.
pub(super) async fn strike(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    child: &Child,
    injury: &Injury,
    fired: &Fired,
) -> Result<()> {
    if injury.hazard == Hazard::KillTool {
        stage.freeze();
    }
    let (address, what) = (injury.address.clone(), fired.what.to_string());
    log.record(Body::FaultFired { case: log.case(), address, what })?;
    match injury.hazard {
        Hazard::KillTool => kill(stage, child).await,
        // The proxy has done it.
        Hazard::ResetConnection
        | Hazard::CloseConnection
        | Hazard::DeafenTool
        | Hazard::LoseAnswer
        | Hazard::OrphanStatement
        | Hazard::StallConnection { .. }
        | Hazard::SlowConnection { .. }
        | Hazard::RaiseError(_) => Ok(()),
    }
}

/// Everything of the tool dies, also what left its process group.
pub(super) async fn kill(stage: &Stage<'_>, child: &Child) -> Result<()> {
    child.kill_group(Signal::KILL)?;
    let (session, case) = (stage.context.run.house.session.id().to_owned(), stage.marker.clone());
    let killing = tokio::task::spawn_blocking(move || process::kill_marked(&session, Some(&case)));
    killing.await.map_err(|error| Error::bug("the killing of a tool was cut off").caused_by(error))??;
    Ok(())
}
