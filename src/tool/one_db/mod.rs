//! Many Postgres databases into one database with a schema for each: `plan`, `migrate`, `verify`, `run`, `rollback`.
//!
//! Each table is one transaction, so that an interruption leaves it as it was or done, and a rerun ends where an
//! uninterrupted run ends. Tables that refer to each other are emptied together first (`--replace-target`): such a
//! group is not replaced in one step, but empty between two. Statements carry a comment that names their step.

mod catalog;
mod clear;
mod copy;
mod differ;
mod fit;
mod keys;
mod lane;
mod layout;
mod migrate;
mod order;
mod plan;
mod profile;
mod report;
mod rollback;
mod session;
mod table;
mod verify;

pub use differ::Differences;
pub use profile::Profile;
pub use report::{Database, Report, Status, Summary, TableResult, TableStatus};

use crate::{Error, Result};
use lane::Connections;
use layout::Layout;
use report::Ledger;
use serde::Serialize;
use session::Session;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Reads everything, writes nothing, and fails on what a run would refuse.
    Plan,
    /// Copies the tables.
    Migrate,
    /// Compares the content of both sides.
    Verify,
    /// Plan, migrate, verify.
    Run,
    /// Removes what a migration wrote.
    Rollback,
}

/// The command line as data.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do.
    pub action: Action,
    /// With `migrate`: plan only, and say so.
    pub dry_run: bool,
    /// Another profile than the shipped one.
    pub profile: Option<PathBuf>,
    /// Variable with the DSN of the target; default: the profile's.
    pub target_env: Option<String>,
    /// Source name and variable, in the order given; empty: the profile's.
    pub source_env: Vec<(String, String)>,
    /// Variable with the DSN of the shared source; default: the profile's.
    pub shared_source_env: Option<String>,
    /// Where the JSON report goes.
    pub report_path: Option<PathBuf>,
    /// Empties the target's tables first.
    pub replace_target: bool,
    /// Adds to the target's rows, and overwrites those with the same key; more rows in the target are no mismatch.
    pub upsert: bool,
    /// The word that confirms a rollback.
    pub confirm_rollback: Option<String>,
    /// Tables copied at a time; at least 1.
    pub jobs: usize,
    /// The longest wait for a lock on a table, and for another run to end (there at most two seconds).
    pub lock_timeout: Duration,
}

/// Receives progress, a line at a time, without line end.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// What came of it: always a report, and the trouble if there was some.
#[derive(Debug)]
pub struct Outcome {
    /// As written to the report path.
    pub report: Report,
    /// Why it did not work; its kind gives the exit code.
    pub error: Option<Error>,
}

/// Does what `options` say. The report is on disk from the start, as `running`, and again at the end.
pub async fn execute(options: Options, progress: Progress) -> Outcome {
    let ledger = Arc::new(Ledger::new(&options));
    let result = match ledger.save() {
        Ok(()) => until_signal(work(options, Arc::clone(&ledger), progress)).await,
        Err(error) => Err(error.within("nothing was done")),
    };
    let report = ledger.finish(result.as_ref().err());
    match (result, ledger.save()) {
        (Ok(()), Err(error)) => Outcome { report: ledger.finish(Some(&error)), error: Some(error) },
        (result, _) => Outcome { report, error: result.err() },
    }
}

async fn until_signal(work: impl Future<Output = Result<()>>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Error::bug("cannot listen for signals").caused_by(e));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let name = tokio::select! {
        result = work => return result,
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    Err(Error::environment(format!(
        "ended by {name}: open transactions are rolled back, finished tables stay; run the same command again"
    )))
}

/// What all parts of one execution share.
struct Run {
    options: Options,
    profile: Profile,
    layout: Layout,
    ledger: Arc<Ledger>,
    progress: Progress,
}

async fn work(options: Options, ledger: Arc<Ledger>, progress: Progress) -> Result<()> {
    let profile = Profile::load(options.profile.as_deref())?;
    ledger.update(|report| report.profile_digest.clone_from(&profile.digest));
    let layout = Layout::resolve(&options, &profile)?;
    ledger.update(|report| report.results = layout.jobs.iter().map(TableResult::planned).collect());
    ledger.update(Report::count);
    let run = Arc::new(Run { options, profile, layout, ledger, progress });
    match run.options.action {
        Action::Rollback => rollback::confirm(&run)?,
        _ if run.options.replace_target && run.options.upsert => {
            return Err(Error::usage("--replace-target and --upsert exclude each other"));
        }
        _ => {}
    }
    let writes = !run.options.dry_run && matches!(run.options.action, Action::Migrate | Action::Run | Action::Rollback);
    let mut target = Session::open(&run.layout.target).await?;
    if writes {
        lock(&run, &mut target).await?;
    }
    let mut connections = Connections::open(&run, target).await?;
    act(&run, &mut connections).await?;
    if writes {
        let sql = format!("SELECT pg_advisory_unlock({LOCK_KEY})");
        connections.target.execute("advisory unlock", &sql).await?;
    }
    connections.close().await;
    Ok(())
}

async fn act(run: &Arc<Run>, connections: &mut Connections) -> Result<()> {
    match run.options.action {
        Action::Rollback => rollback::rollback(run, connections).await,
        Action::Verify => {
            let plan = Arc::new(plan::shapes(run, connections).await?);
            verify::verify(run, &plan, connections).await
        }
        Action::Plan => plan::plan(run, connections, true).await.map(drop),
        Action::Migrate if run.options.dry_run => plan::plan(run, connections, true).await.map(drop),
        Action::Migrate => migrate::migrate(run, connections).await.map(drop),
        Action::Run => {
            let plan = migrate::migrate(run, connections).await?;
            verify::verify(run, &plan, connections).await
        }
    }
}

/// The key of the advisory lock: "one-db" in ASCII. One for all profiles, since two profiles may name the same tables;
/// the server keeps advisory locks apart by database.
const LOCK_KEY: i64 = 0x6f6e_652d_6462;

/// Two at once: the second refuses. The lock belongs to a connection, so a dead holder frees it; its server process
/// may outlive it for a moment, which is why we wait a little.
async fn lock(run: &Run, session: &mut Session) -> Result<()> {
    const LONGEST_WAIT: Duration = Duration::from_secs(2);
    let wait_ms = run.options.lock_timeout.min(LONGEST_WAIT).as_millis();
    // One message is one transaction, so the timeout ends with it; the lock stays.
    let sql = format!("SET LOCAL lock_timeout = {wait_ms}; SELECT pg_advisory_lock({LOCK_KEY})");
    session.execute("advisory lock", &sql).await.map_err(|error| match session::sqlstate(&error).as_deref() {
        Some("55P03") => Error::refused(format!(
            "another one-db migration is at work on {}; wait for its end, then run again",
            run.layout.target.place()
        )),
        _ => error,
    })
}
