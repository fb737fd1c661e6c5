//! `rehearse __hold`: a runner that waits to be killed, for tests: says its session and a database of it, one line. It also
//! has a server of its own. With `docker` or a URL in `REHEARSE_PG_URL` the database is there, and there is no other server.

use crate::Result;
use crate::cli::say;
use crate::process::Executable;
use crate::target::{Base, Binaries, Cluster, Pool, Seed, Server, Session, Site, Wanted};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) async fn run(base: PathBuf) -> Result<ExitCode> {
    let base = Base::at(base);
    let session = Session::open(&Executable::find()?, &base)?;
    if let Ok(url) = std::env::var("REHEARSE_PG_URL") {
        let image = std::env::var("REHEARSE_PG_IMAGE").ok();
        let site = Site::new(base, Wanted { provider: url.parse()?, major: None, image });
        return hold(&session, &site.join(&session).await?).await;
    }
    let binaries = Binaries::find(&base, &Wanted::default())?;
    let cluster = Cluster::join(&session, &binaries).await?;
    let seed = Seed::grow(&session, &binaries, &cluster, "seed", |_| async { Ok(()) }).await?;
    let _own = Server::start(&session, &seed, "own").await?;
    hold(&session, &cluster).await
}

async fn hold(session: &Session, cluster: &Cluster) -> Result<ExitCode> {
    let database = Pool::new(cluster, session.id()).empty("held").await?;
    say(&format!("{} {}", session.id(), database.name()));
    std::future::pending().await
}
