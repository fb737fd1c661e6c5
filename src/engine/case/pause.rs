//! Stopping where a fault has struck, so that somebody can look inside.
//!
//! A tool that the fault killed has left the servers by then, as a recovery would find them. One that lives on is
//! frozen meanwhile, with its transactions open, and its bound does not run.

use crate::Result;
use crate::clock::Stopwatch;
use crate::engine::case::hazard::Injury;
use crate::engine::case::stage::Stage;
use crate::engine::observe::look::Look;
use crate::engine::run::context::CaseLog;
use crate::process::{Child, Signal};
use std::pin::Pin;
use std::time::Duration;

/// Shows where the case is, and resolves when it may go on.
pub type Pause = Box<dyn Fn(Look) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Right after the fault, where the tool lives on. Answers with how long it was frozen.
pub(in crate::engine) async fn living(
    stage: &Stage<'_>,
    log: &CaseLog<'_>,
    child: &Child,
    injury: &Injury,
) -> Result<Duration> {
    let Some(pause) = stage.context.run.pause.as_ref().filter(|_| !injury.hazard.ends_the_tool()) else {
        return Ok(Duration::ZERO);
    };
    let watch = Stopwatch::start();
    child.kill_group(Signal::STOP)?;
    let what = format!("{} has struck; what lives of the tool is frozen where it is", injury.address);
    pause(Look::into(stage, log, what)?).await;
    child.kill_group(Signal::CONT)?;
    Ok(watch.elapsed())
}

/// After the end of the injured step, where the fault was the end of the tool.
pub(in crate::engine) async fn dead(stage: &Stage<'_>, log: &CaseLog<'_>, injury: &Injury) -> Result<()> {
    let is_struck = injury.hazard.ends_the_tool() && log.events.fired();
    if let Some(pause) = stage.context.run.pause.as_ref().filter(|_| is_struck) {
        let what = format!("{} has struck; the way out has not begun", injury.address);
        pause(Look::into(stage, log, what)?).await;
    }
    Ok(())
}
