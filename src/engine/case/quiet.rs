//! What the servers are still busy with for a step that has ended.

use crate::Result;
use crate::clock::Stopwatch;
use crate::engine::case::stage::{Serving, Stage};
use crate::engine::run::context::CaseLog;
use crate::model::{Body, Phase, ServerBusy, Step};
use crate::process;
use std::time::Duration;

/// How long a server may take to end what a tool that is gone had begun.
const LEAVING: Duration = Duration::from_secs(5);

/// How long a process that the tool left running may take to end what it does.
const WORKING: Duration = Duration::from_millis(400);

/// Waits until nothing of the step is left in the servers, or for as long as that may take, and records it.
pub(in crate::engine) async fn look(stage: &Stage<'_>, log: &mut CaseLog<'_>, step: &Step, phase: Phase) -> Result<()> {
    let servers = stage.servers();
    if servers.is_empty() {
        return Ok(());
    }
    let mut busy = busy_after(&servers, WORKING).await?;
    // Who looks for processes looks at all of ours, so only where something is left.
    if !busy.is_empty() && is_alone(stage) {
        busy = busy_after(&servers, LEAVING - WORKING).await?;
    }
    let (case, step) = (log.case(), step.name.clone());
    log.record(Body::Server(ServerBusy { case, step, phase, busy }))
}

/// What the servers are busy with once that is nothing, or when `patience` is at its end.
async fn busy_after(servers: &[Serving<'_>], patience: Duration) -> Result<Vec<String>> {
    let watch = Stopwatch::start();
    loop {
        let mut busy = Vec::new();
        for server in servers {
            busy.extend(server.pool.busy(&server.databases).await?);
        }
        if busy.is_empty() || watch.elapsed() > patience {
            return Ok(busy);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the tool left no process running: a dead client's transaction ends soon, a living one's only when it likes to.
fn is_alone(stage: &Stage<'_>) -> bool {
    process::marked_descendants(stage.context.run.house.session.id(), Some(&stage.marker)).is_empty()
}
