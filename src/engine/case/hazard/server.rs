//! `srv.crash` and `srv.restart`: the server of a case goes away and comes back, on the same address.

use crate::engine::case::stage::Stage;
use crate::target::Server;
use crate::{Error, Result};

/// Kills the server; all connections are gone before it answers again.
pub(super) async fn crash(stage: &Stage<'_>) -> Result<()> {
    let server = own(stage)?;
    server.crash().await?;
    stage.forget_connections().await;
    // What the server had said and nobody has heard is lost.
    stage.sever().await;
    server.resume().await?;
    stage.thaw();
    Ok(())
}

/// Shuts the server down and starts it again; what it said before still arrives.
pub(super) async fn restart(stage: &Stage<'_>) -> Result<()> {
    let server = own(stage)?;
    server.shut_down().await?;
    stage.forget_connections().await;
    server.resume().await?;
    stage.thaw();
    Ok(())
}

fn own<'a>(stage: &'a Stage<'_>) -> Result<&'a Server> {
    stage.own_server().ok_or_else(|| Error::bug("a server that others use would be killed"))
}
