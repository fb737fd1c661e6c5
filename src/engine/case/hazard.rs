//! Hazards, carried out: what is armed before a step, and what is done when it strikes.
//!
//! ```text
//! news          that a fault has struck, from a proxy or from the file shim
//! file          faults of files
//! server        srv.*, mem.limit, disk.full=wal: the case's own server goes away and comes back, or has a hard time
//! source_write  src.write, with statements made by writable; to files: file_write
//! lock          lock.hold
//! setting       cfg.*
//! input         input.*
//! undo          what stands until the step is over
//! ```

mod file;
mod file_write;
mod input;
mod lock;
mod news;
mod server;
mod setting;
mod source_write;
mod undo;
mod writable;

pub(in crate::engine) use input::misled;
pub(in crate::engine) use news::News;
pub(in crate::engine) use undo::Undo;

use crate::engine::case::power::Loss;
use crate::engine::case::stage::Stage;
use crate::engine::proxy::{Act, Strike};
use crate::engine::run::context::CaseLog;
use crate::fault::{FileHarm, Hazard, Input, Setting};
use crate::model::{Address, Axis, Body, Place, Step};
use crate::process::{self, Child, Signal};
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// What waits for a step.
pub(in crate::engine) struct Injury {
    pub(in crate::engine) address: Address,
    pub(in crate::engine) hazard: Hazard,
    /// Where a loss of power begins.
    pub(in crate::engine) loss: Option<Arc<Loss>>,
}

impl Injury {
    /// Whether it would disturb others on a server that is shared.
    pub(in crate::engine) fn needs_own_server(&self) -> bool {
        self.hazard.needs_own_server() || self.address.first().place.is_of_server_files()
    }
}

/// Says that a fault is about to be armed, and arms it; what strikes when the step begins strikes now. Returns the news
/// to come, if there is some.
pub(in crate::engine) async fn arm<'s>(
    stage: &'s Stage<'_>,
    log: &mut CaseLog<'_>,
    injury: &Injury,
    step: &Step,
) -> Result<Option<News<'s>>> {
    let place = injury.address.first().place.clone();
    if place.axis.is_of_files() {
        log.record(Body::FaultArmed { case: log.case(), address: injury.address.clone() })?;
        return file::arm(stage, injury).map(|shim| Some(News::File(shim)));
    }
    let unknown = || Error::environment(format!("no fault can strike at `{}` here", place.endpoint));
    let proxy = stage.proxy(&place.endpoint).ok_or_else(unknown)?;
    log.record(Body::FaultArmed { case: log.case(), address: injury.address.clone() })?;
    let (place, act) = match injury.hazard {
        // A step begins once.
        Hazard::Configure(_) | Hazard::Mislead(_) if place.nth > 1 => return Ok(None),
        Hazard::Configure(_) | Hazard::Mislead(_) => match begin(stage, log, injury, step).await? {
            Some(then) => then,
            None => return Ok(None),
        },
        hazard => (place, act(hazard)),
    };
    if place.axis == Axis::Epoch {
        stage.watch_epochs();
    }
    proxy.take_trace();
    Ok(Some(News::Proxy(proxy.arm(Strike { place, act }))))
}

/// What strikes when the step begins; and where something is still to be done later.
async fn begin(stage: &Stage<'_>, log: &mut CaseLog<'_>, injury: &Injury, step: &Step) -> Result<Option<(Place, Act)>> {
    let endpoint = &injury.address.first().place.endpoint;
    let first_connection =
        Place { endpoint: endpoint.clone(), axis: Axis::Conn, fingerprint: None, nth: 1, forever: false };
    let (what, then) = match injury.hazard {
        Hazard::Configure(setting @ Setting::LockTimeout { .. }) => {
            setting::apply(stage, endpoint, setting).await?;
            return Ok(Some((first_connection, Act::Hold))); // it strikes once there is something to wait for
        }
        Hazard::Configure(setting) => (setting::apply(stage, endpoint, setting).await?, None),
        Hazard::Mislead(Input::StaleReport) => (input::plant_report(stage, step)?, Some((first_connection, Act::Hold))),
        Hazard::Mislead(input) => (input::said(stage.context.plan, endpoint, input)?, None),
        _ => return Err(Error::bug("a hazard that waits for a point has no beginning")),
    };
    log.record(Body::FaultFired { case: log.case(), address: injury.address.clone(), what })?;
    Ok(then)
}

/// The news came: does what is left to do, and writes it down.
pub(in crate::engine) async fn strike(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    child: &Child,
    injury: &Injury,
    mut what: String,
) -> Result<()> {
    let place = &injury.address.first().place;
    if place.axis.is_of_files() {
        if let Hazard::WriteSource(write) = injury.hazard {
            what = format!("{what}; {}", source_write::write(stage, log, place, write).await?);
            file::let_go(stage, place)?;
        }
        if injury.hazard == Hazard::InjureFile(FileHarm::LogFull) {
            server::ends_itself(stage, &place.endpoint).await?;
        }
        log.record(Body::FaultFired { case: log.case(), address: injury.address.clone(), what })?;
        return if injury.hazard.ends_the_tool() { kill(stage, child).await } else { Ok(()) };
    }
    if act(injury.hazard) == Act::Hold {
        stage.freeze();
    }
    match injury.hazard {
        Hazard::CrashServer => server::crash(stage, &place.endpoint).await?,
        Hazard::RestartServer => server::restart(stage, &place.endpoint).await?,
        Hazard::PauseServer { ms } => server::pause(stage, &place.endpoint, ms).await?,
        Hazard::UnplugServer { ms } => server::unplug(stage, &place.endpoint, ms).await?,
        Hazard::LimitMemory { mib } => server::limit_memory(stage, &place.endpoint, mib).await?,
        Hazard::WriteSource(write) => {
            what = format!("{what}; {}", source_write::write(stage, log, place, write).await?);
            stage.thaw();
        }
        Hazard::HoldLock { .. } | Hazard::Configure(_) => {
            let held = lock::hold(stage, &place.endpoint, lock_ms(injury.hazard)).await?;
            stage.thaw();
            let Some(held) = held else { return Ok(()) }; // nothing is there, so nothing has struck
            what = format!("{what}; {held}");
        }
        // The proxy has done it, or it is done below.
        _ => {}
    }
    if !matches!(injury.hazard, Hazard::Mislead(_)) {
        log.record(Body::FaultFired { case: log.case(), address: injury.address.clone(), what })?;
    }
    match injury.hazard {
        Hazard::KillTool | Hazard::Mislead(_) => kill(stage, child).await,
        _ => Ok(()),
    }
}

/// What the proxy does at the point.
fn act(hazard: Hazard) -> Act {
    let time = |ms: u32| Duration::from_millis(ms.into());
    match hazard {
        Hazard::ResetConnection => Act::Reset,
        Hazard::CloseConnection => Act::Close,
        Hazard::DeafenTool => Act::HalfClose,
        Hazard::LoseAnswer => Act::LoseAnswer,
        Hazard::OrphanStatement => Act::Orphan,
        Hazard::StallConnection { ms } => Act::Stall(ms.map(time)),
        Hazard::SlowConnection { ms } => Act::Slow(time(ms)),
        Hazard::RaiseError(code) => Act::Raise(code),
        Hazard::KillTool
        | Hazard::CrashServer
        | Hazard::RestartServer
        | Hazard::PauseServer { .. }
        | Hazard::UnplugServer { .. }
        | Hazard::LimitMemory { .. }
        | Hazard::WriteSource(_)
        | Hazard::HoldLock { .. }
        | Hazard::InjureFile(_)
        | Hazard::LosePower
        | Hazard::Configure(_)
        | Hazard::Mislead(_) => Act::Hold,
    }
}

fn lock_ms(hazard: Hazard) -> Option<u32> {
    match hazard {
        Hazard::Configure(Setting::LockTimeout { ms }) => Some(ms.saturating_mul(10)),
        Hazard::HoldLock { ms } => ms,
        _ => None,
    }
}

/// Everything of the tool dies, also what left its process group.
pub(in crate::engine) async fn kill(stage: &Stage<'_>, child: &Child) -> Result<()> {
    child.kill_group(Signal::KILL)?;
    let (session, case) = (stage.context.run.house.session.id().to_owned(), stage.marker.clone());
    let killing = tokio::task::spawn_blocking(move || process::kill_descendants(&session, Some(&case)));
    killing.await.map_err(|error| Error::bug("the killing of a tool was cut off").caused_by(error))??;
    Ok(())
}
