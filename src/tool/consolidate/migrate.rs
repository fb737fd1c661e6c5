//! `dry-run` and `migrate`: both build every target; the one throws them away, the other puts them in their places.
//!
//! ```text
//! 1  the sources are opened, the profile is checked against them        nothing is written
//! 2  all targets are built in a folder beside, synced, read again;      the old state, and a folder that nobody reads
//!    the sources are read from end to end meanwhile
//! 3  the sources are what they were; what would be replaced is ours
//! 4  the receipt says `publishing`
//! 5  each target is renamed to its place, stale side files first        a mixture, and known for one
//! 6  the folder is synced, the receipt says `done`                      the new state
//! ```
//!
//! A crash before 4 leaves the old state, after it a state that says of itself that the run has to be repeated.

use super::fit::{Fit, Move, fit};
use super::receipt::{self, Receipt, State};
use super::sources::Sources;
use super::{Run, holders, targets};
use crate::tool::whole::{beside, remove_file, remove_folder, sync};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder in which a migration builds.
pub(super) const WORKSHOP: &str = ".consolidating";

/// Opens the sources and finds what fits. Whether they are sound is asked only where nothing fits: who reads them finds
/// out.
///
/// # Errors
/// Everything that is wrong with files and profile, one per line.
pub(super) fn prepare(run: &Run, scratch: &Path) -> Result<(Sources, Vec<Move>)> {
    let sources = Sources::open(run, scratch)?;
    let Fit { moves, problems, notes } = fit(&run.profile, &sources.shapes, &sources.target_shapes);
    run.report().notes.extend(notes);
    match problems.is_empty() {
        true => Ok((sources, moves)),
        false => sources.check(run).and(Err(Error::refused(problems.join("\n")))),
    }
}

/// Builds all targets in a temporary folder, which is not in the data folder, and removes it.
pub(super) fn dry_run(run: &Run) -> Result<()> {
    let scratch = tempfile::tempdir().map_err(|error| Error::environment("no temporary folder").caused_by(error))?;
    run.has_space(scratch.path(), 1)?;
    let (sources, moves) = prepare(run, &scratch.path().join("sources"))?;
    replaceable(run)?;
    let built = targets::build(run, &sources, &moves, scratch.path())?;
    sources.recheck()?;
    run.report().add(&built.moved);
    Ok(())
}

pub(super) fn migrate(run: &Run) -> Result<()> {
    let _alone = run.lock()?;
    let workshop = run.place.file(WORKSHOP);
    remove_folder(&workshop)?; // of a run that was killed
    if let Some(leftover) = super::restore::interrupted(run) {
        return Err(leftover);
    }
    run.has_space(&run.place.data_dir, 2)?;
    let outcome = replaceable(run).and_then(|()| in_workshop(run, &workshop));
    remove_folder(&workshop)?;
    outcome
}

fn in_workshop(run: &Run, workshop: &Path) -> Result<()> {
    let (sources, moves) = prepare(run, &workshop.join("sources"))?;
    std::fs::create_dir_all(workshop).map_err(|error| Error::io("create", workshop, error))?;
    let built = targets::build(run, &sources, &moves, workshop)?;
    sources.recheck()?;
    publish(run, workshop, built.contents)?;
    run.report().add(&built.moved);
    Ok(())
}

/// What stands under the names of the targets is nothing that anybody would miss.
fn replaceable(run: &Run) -> Result<()> {
    let receipt = Receipt::read(&run.place.data_dir)?;
    let mut problems = Vec::new();
    for target in run.profile.target.values() {
        let path = run.place.file(&target.file);
        let Ok(about) = path.metadata() else { continue };
        let of_ours = receipt.as_ref().and_then(|receipt| Some((receipt.state, receipt.targets.get(&target.file)?)));
        let is_half = matches!(of_ours, Some((State::Publishing, _)));
        if run.options.replace_target || is_half || about.len() == 0 {
            continue;
        }
        match receipt::content(&path) {
            Ok((_, true)) => {}
            Ok((digest, _)) if of_ours.is_some_and(|(_, known)| *known == digest) => {}
            Ok(_) if of_ours.is_some() => problems
                .push(format!("{}: it was written since it was migrated; those rows are in no source", path.display())),
            Ok(_) => problems.push(format!("{}: it holds rows, and no migration of ours made it", path.display())),
            Err(error) => problems.push(format!("{error}: the rest of something that did not end")),
        }
    }
    if problems.is_empty() {
        let paths: Vec<PathBuf> = run.profile.target.values().map(|target| run.place.file(&target.file)).collect();
        return holders::nobody_holds(&paths);
    }
    let help = "back it up and remove it, or say --replace-target; then run again";
    Err(Error::refused(format!("{}\n{help}", problems.join("\n"))))
}

fn publish(run: &Run, workshop: &Path, targets: BTreeMap<String, String>) -> Result<()> {
    let data_dir = &run.place.data_dir;
    let profile_digest = run.profile.digest.clone();
    let mut receipt = Receipt { format: 1, state: State::Done, profile_digest, targets };
    if Receipt::read(data_dir)?.as_ref() == Some(&receipt) && are_there(run, &receipt)? {
        run.report().notes.push("every target holds exactly this already: nothing was replaced".to_owned());
        return Ok(());
    }
    replaceable(run)?; // once more: building took its time
    sync(workshop)?;
    receipt.state = State::Publishing;
    receipt.write(data_dir)?;
    for file in receipt.targets.keys() {
        let place = run.place.file(file);
        if place.exists() {
            run.report().notes.push(format!("{file} was there and is replaced"));
        }
        // Side files go first: SQLite would apply a log of the old file to the new one.
        remove_sides(&place)?;
        std::fs::rename(workshop.join(file), &place).map_err(|error| Error::io("replace", &place, error))?;
    }
    sync(data_dir)?;
    receipt.state = State::Done;
    receipt.write(data_dir)
}

fn are_there(run: &Run, receipt: &Receipt) -> Result<bool> {
    for (file, digest) in &receipt.targets {
        let path = run.place.file(file);
        if !path.exists() || receipt::content(&path)?.0 != *digest {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What SQLite would apply to a file that comes to this place.
pub(super) fn remove_sides(path: &Path) -> Result<()> {
    ["-wal", "-shm", "-journal"].iter().try_for_each(|suffix| remove_file(&beside(path, suffix)))
}
