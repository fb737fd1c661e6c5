//! `rehearse`: prove a database migration before it is real.

use rehearsal::target::{Base, Binaries, Cluster, Pool, Session, supervise};
use rehearsal::{Result, process::Executable};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["__supervise", base] => supervise(base.as_ref()),
        ["__hold", base] => hold(&Base::at(base)),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "rehearse: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

// A runner that waits to be killed, for tests: says its session and a database of it, one line.
#[tokio::main(flavor = "current_thread")]
async fn hold(base: &Base) -> Result<()> {
    let session = Session::open(&Executable::find()?, base)?;
    let cluster = Cluster::join(&session, &Binaries::find(base)?).await?;
    let database = Pool::new(&cluster, session.id()).empty("held").await?;
    let said = writeln!(std::io::stdout(), "{} {}", session.id(), database.name());
    said.map_err(|error| rehearsal::Error::environment("cannot write to stdout").caused_by(error))?;
    std::future::pending().await
}
