//! Many SQLite files into few: `backup`, `dry-run`, `migrate`, `verify`, `health`, `restore`, and `serve` to try it with.
//!
//! The sources are never written and never opened for it: they are byte for byte what they were, with what lies beside
//! them, after every command but `restore` (`snapshot` says how). The targets appear together (`migrate`).
//!
//! ```text
//! profile   which table goes where                place     folder, mode, variables
//! snapshot  one source, without a trace           sources   all of them
//! shape     tables, columns, keys                 fit       profile against shapes: moves, or what is wrong
//! expect    a move as SQL                         group     all moves into one table
//! build     one target, beside its place          targets   all of them, built and read again
//! check     a file, read as a whole               jobs      work that is done side by side
//! receipt   what a migration has made             holders   who has a file open
//! ```

mod ask;
mod backup;
mod build;
mod check;
mod expect;
mod fit;
mod group;
mod health;
mod holders;
mod jobs;
mod migrate;
mod place;
mod profile;
mod receipt;
mod report;
mod restore;
mod serve;
mod shape;
mod snapshot;
mod sources;
mod targets;
mod verify;

pub use profile::{Profile, Transform};
pub use report::Report;

use crate::clock::Stopwatch;
use crate::tool::whole::beside;
use crate::{Error, Result};
use place::Place;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Saves every database of the data folder.
    Backup,
    /// Does all that a migration does, elsewhere, and throws it away.
    DryRun,
    /// Makes the targets.
    Migrate,
    /// Compares the content of both sides.
    Verify,
    /// Says whether the files of the mode are there with all that they must have.
    Health,
    /// Brings a backup back.
    Restore,
    /// Runs the stand-in application.
    Serve,
}

/// The command line as data.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do.
    pub action: Action,
    /// Another profile than the shipped one.
    pub profile: Option<PathBuf>,
    /// The folder of the files; default: the variable's, then the profile's.
    pub data_dir: Option<PathBuf>,
    /// The folder of one backup.
    pub backup_dir: Option<PathBuf>,
    /// Where the JSON report goes.
    pub report_path: Option<PathBuf>,
    /// Replaces targets that hold what no source holds.
    pub replace_target: bool,
    /// The word that confirms a restore.
    pub confirm_restore: Option<String>,
    /// Targets built at a time.
    pub jobs: usize,
    /// How long a source may be in the middle of a transaction.
    pub patience: Duration,
    /// Where the application listens.
    pub listen: String,
    /// A running application to ask.
    pub url: Option<String>,
}

/// Receives progress, a line at a time, without line end.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// What came of it: always a report, and the trouble if there was some.
#[derive(Debug)]
pub struct Outcome {
    /// As written to the report path.
    pub report: Report,
    /// What `health` has found.
    pub health: Option<serde_json::Value>,
    /// Why it did not work; its kind gives the exit code.
    pub error: Option<Error>,
}

/// Does what `options` say. The report is on disk from the start, as `running`, and again at the end.
pub fn execute(options: Options, progress: Progress) -> Outcome {
    let watch = Stopwatch::start();
    let path = options.report_path.clone();
    let report = Arc::new(Mutex::new(Report::new(&options)));
    let guard = || report.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = guard().save(path.as_deref()).map_err(|error| error.within("nothing was done"));
    let result = begun.and_then(|()| work(options, Arc::clone(&report), progress));
    let mut report = guard().clone();
    report.finish(result.as_ref().err(), watch.elapsed_us());
    let saved = report.save(path.as_deref());
    match (result, saved) {
        (Ok(health), Ok(())) => Outcome { report, health, error: None },
        (Ok(_), Err(error)) => {
            report.finish(Some(&error), watch.elapsed_us());
            Outcome { report, health: None, error: Some(error) }
        }
        (Err(error), _) => Outcome { report, health: None, error: Some(error) },
    }
}

/// Sources of less than this together are small.
const SMALL_BYTES: u64 = 16 << 20;

/// What all parts of one execution share.
struct Run {
    options: Options,
    profile: Profile,
    place: Place,
    report: Arc<Mutex<Report>>,
    progress: Progress,
}

fn work(options: Options, report: Arc<Mutex<Report>>, progress: Progress) -> Result<Option<serde_json::Value>> {
    if let (Action::Health, Some(url)) = (options.action, &options.url) {
        return ask::ask(url).map(Some);
    }
    let profile = Profile::load(options.profile.as_deref())?;
    let place = Place::find(&profile, options.data_dir.as_deref())?;
    let run = Run { options, profile, place, report, progress };
    run.report().profile_digest.clone_from(&run.profile.digest);
    run.report().data_dir = run.place.data_dir.display().to_string();
    match run.options.action {
        Action::Backup => backup::backup(&run)?,
        Action::DryRun => migrate::dry_run(&run)?,
        Action::Migrate => migrate::migrate(&run)?,
        Action::Verify => verified(&run)?,
        Action::Restore => restore::restore(&run)?,
        Action::Serve => serve::serve(&run)?,
        Action::Health => return healthy(&run).map(Some),
    }
    Ok(None)
}

fn verified(run: &Run) -> Result<()> {
    let scratch = tempfile::tempdir().map_err(|error| Error::environment("no temporary folder").caused_by(error))?;
    let (sources, moves) = migrate::prepare(run, scratch.path())?;
    let compared = verify::compare(run, &sources, &moves, &scratch.path().join("targets"))?;
    for table in &compared {
        run.report().add(&table.moved);
        (run.progress)(&format!("{}: {}", table.moved[0].step.into, table.target));
    }
    let issues: Vec<String> = compared.into_iter().filter_map(|table| table.issue).collect();
    run.report().issues.clone_from(&issues);
    match issues.is_empty() {
        true => Ok(()),
        false => Err(Error::refused(issues.join("\n"))),
    }
}

fn healthy(run: &Run) -> Result<serde_json::Value> {
    let health = health::health(run)?;
    run.report().issues.clone_from(&health.validation.errors);
    let document = serde_json::to_value(&health).map_err(|error| Error::bug("health is JSON").caused_by(error))?;
    match health.validation.success {
        true => Ok(document),
        false => Err(Error::refused(health.validation.errors.join("\n"))),
    }
}

impl Run {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Two at once: the second refuses. The lock is of the folder itself, leaves no file, and ends with its holder.
    fn lock(&self) -> Result<File> {
        let folder = &self.place.data_dir;
        let handle = File::open(folder).map_err(|error| Error::io("open", folder, error))?;
        match handle.try_lock() {
            Ok(()) => Ok(handle),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::refused(format!(
                "another backup, migration or restore is at work in {}: wait for its end, then run again",
                folder.display()
            ))),
            Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", folder, error)),
        }
    }

    /// As many as were asked for; what is small is done in order, by one: two would not be faster, and each run does the
    /// same to the disk.
    fn jobs(&self) -> usize {
        if self.source_bytes() < SMALL_BYTES { 1 } else { self.options.jobs }
    }

    /// Of all sources, with their logs.
    fn source_bytes(&self) -> u64 {
        let sizes = self.profile.source.values().map(|source| {
            let path = self.place.file(&source.file);
            let log = beside(&path, "-wal");
            [path, log].iter().filter_map(|path| path.metadata().ok()).map(|about| about.len()).sum::<u64>()
        });
        sizes.sum()
    }

    /// Whether `times` the size of all sources are free where `folder` is.
    fn has_space(&self, folder: &Path, times: u64) -> Result<()> {
        let needed = self.source_bytes().saturating_mul(times);
        let disk =
            rustix::fs::statvfs(folder).map_err(|error| Error::io("ask for the space of", folder, error.into()))?;
        enough(disk.f_bavail.saturating_mul(disk.f_frsize), needed).map_err(|error| error.within(folder.display()))
    }
}

fn enough(free_bytes: u64, needed_bytes: u64) -> Result<()> {
    match free_bytes >= needed_bytes {
        true => Ok(()),
        false => Err(Error::environment(format!("{needed_bytes} bytes are needed, {free_bytes} are free"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_told_in_bytes() {
        assert!(enough(10, 10).is_ok());
        assert_eq!(enough(9, 10).unwrap_err().to_string(), "10 bytes are needed, 9 are free");
    }
}
