//! `rehearse __hold`: a runner that waits to be killed, for tests: says its session and a database of it, one line. It also
//! has a server of its own.

use crate::Result;
use crate::cli::say;
use crate::process::Executable;
use crate::target::{Base, Binaries, Cluster, Pool, Seed, Server, Session, Wanted};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) async fn run(base: PathBuf) -> Result<ExitCode> {
    let base = Base::at(base);
    let session = Session::open(&Executable::find()?, &base)?;
    let binaries = Binaries::find(&base, &Wanted::default())?;
    let cluster = Cluster::join(&session, &binaries).await?;
    let database = Pool::new(&cluster, session.id()).empty("held").await?;
    let seed = Seed::grow(&session, &binaries, &cluster, "seed", |_| async { Ok(()) }).await?;
    let _own = Server::start(&session, &seed, "own").await?;
    say(&format!("{} {}", session.id(), database.name()));
    std::future::pending().await
}
