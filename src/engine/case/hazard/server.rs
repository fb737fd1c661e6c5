//! `srv.*`, `mem.limit` and `disk.full=wal`: the server of an endpoint, the case's own, goes away and comes back, on the same
//! address, or has a hard time.

use crate::engine::case::hazard::undo::Undo;
use crate::engine::case::stage::Stage;
use crate::target::Server;
use crate::{Error, Result};

/// Kills the server. Who connects anew waits until it is back, so that how fast a tool does so decides nothing.
pub(super) async fn crash(stage: &Stage<'_>, endpoint: &str) -> Result<()> {
    let server = own(stage, endpoint)?;
    server.crash().await?;
    stage.forget_connections().await;
    // What the server had said and nobody has heard is lost.
    stage.give_up_server(endpoint)?;
    server.resume().await?;
    stage.thaw();
    Ok(())
}

/// Shuts the server down and starts it again; what it said before still arrives.
pub(super) async fn restart(stage: &Stage<'_>, endpoint: &str) -> Result<()> {
    let server = own(stage, endpoint)?;
    server.shut_down().await?;
    stage.forget_connections().await;
    server.resume().await?;
    stage.thaw();
    Ok(())
}

/// Stops it where it is, for `ms` milliseconds or until the step is over.
pub(super) async fn pause(stage: &Stage<'_>, endpoint: &str, ms: Option<u32>) -> Result<()> {
    let server = own(stage, endpoint)?.clone();
    server.pause().await?;
    stage.stands(Undo::after(ms, async move { server.wake().await }));
    stage.thaw();
    Ok(())
}

/// Takes its network away, and all connections with it, for as long.
pub(super) async fn unplug(stage: &Stage<'_>, endpoint: &str, ms: Option<u32>) -> Result<()> {
    let server = own(stage, endpoint)?.clone();
    server.unplug().await?;
    stage.stands(Undo::after(ms, async move { server.plug().await }));
    stage.forget_connections().await;
    stage.sever_server(endpoint).await?;
    stage.thaw();
    Ok(())
}

/// Gives it little memory until the step is over; what that ends comes to an end on its own.
pub(super) async fn limit_memory(stage: &Stage<'_>, endpoint: &str, mib: u32) -> Result<()> {
    let server = own(stage, endpoint)?.clone();
    // Our connections may go with those of the tool.
    stage.forget_connections().await;
    server.limit_memory(Some(mib)).await?;
    stage.stands(Undo::after(None, async move { server.limit_memory(None).await }));
    stage.thaw();
    Ok(())
}

/// It cannot go on without room for its log. It may have come up again by itself, or not: once the step is over it is
/// started anew, with room.
pub(super) async fn ends_itself(stage: &Stage<'_>, endpoint: &str) -> Result<()> {
    let server = own(stage, endpoint)?.clone();
    stage.forget_connections().await;
    let anew = async move {
        server.crash().await?;
        server.resume().await
    };
    stage.stands(Undo::after(None, anew));
    Ok(())
}

fn own<'a>(stage: &'a Stage<'_>, endpoint: &str) -> Result<&'a Server> {
    stage.own_server(endpoint).ok_or_else(|| Error::bug("a server that others use would be killed"))
}
