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

use super::build::{self, Brought, Moved};
use super::check::Reading;
use super::fit::{Fit, Move, fit};
use super::group::Group;
use super::jobs::{Task, side_by_side};
use super::receipt::{self, Receipt, State};
use super::sources::Sources;
use super::{Run, holders, verify};
use crate::db::sqlite_plan::Indexes;
use crate::db::sqlite_scan::Found;
use crate::model::TableDigest;
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
    let built = build_all(run, &sources, &moves, scratch.path())?;
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
    let built = build_all(run, &sources, &moves, workshop)?;
    sources.recheck()?;
    publish(run, workshop, built.contents)?;
    run.report().add(&built.moved);
    Ok(())
}

/// What was built.
struct Built {
    moved: Vec<Moved>,
    /// Digest of everything that each target holds, by file.
    contents: BTreeMap<String, String>,
}

/// What comes of a task.
enum Done {
    Built(Result<Vec<Brought>>),
    Read(Result<Found>),
    Rows(Result<TableDigest>),
}

/// Builds the targets in `folder` and reads the sources beside it; then reads what was built.
fn build_all(run: &Run, sources: &Sources, moves: &[Move], folder: &Path) -> Result<Built> {
    let groups = Group::all(moves, &sources.target_shapes);
    let uris = &sources.uris;
    let builds = run.profile.target.keys().map(|target| build_one(run, target, &groups, uris, folder));
    let reads = sources.tasks().map(|read| read.map(Done::Read));
    let computed = groups.iter().flat_map(Group::steps).filter(|(group, index)| !group.is_as_it_was(*index));
    let rows = computed.map(|(group, index)| Task::new(1, move || Done::Rows(group.digest(index, uris))));
    let done = side_by_side(run.jobs(), builds.chain(reads).chain(rows).collect());
    let mut moved = moved(sources, &groups, done)?;
    moved.sort_by(|one, other| one.step.source.cmp(&other.step.source));
    let contents = read_again(run, sources, &moved, folder)?;
    Ok(Built { moved, contents })
}

/// Nothing takes longer.
fn build_one<'a>(
    run: &'a Run,
    target: &'a str,
    groups: &'a [Group<'a>],
    uris: &'a BTreeMap<String, String>,
    folder: &Path,
) -> Task<'a, Done> {
    let of_it = run.profile.source.values().filter(|source| source.into == target);
    let sizes = of_it.filter_map(|source| run.place.file(&source.file).metadata().ok()).map(|about| about.len());
    let (path, schema) = (folder.join(&run.profile.target[target].file), &run.profile.schemas[target]);
    let groups: Vec<&Group<'_>> = groups.iter().filter(|group| group.target == target).collect();
    let build = move || build::build(&path, schema, &groups, uris, &*run.progress);
    Task::new(64 * sizes.sum::<u64>(), move || Done::Built(build()))
}

/// `done`: of each target, of each reading of a source, and of each move whose rows are computed, in their order.
fn moved(sources: &Sources, groups: &[Group<'_>], done: Vec<Done>) -> Result<Vec<Moved>> {
    let (mut built, mut read, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for one in done {
        match one {
            Done::Built(of_target) => built.push(of_target),
            Done::Read(found) => read.push(found),
            Done::Rows(digest) => rows.push(digest),
        }
    }
    let contents = sources.judge(read)?; // what is damaged explains the rest
    let (built, mut rows) = (all_of(sources, built)?, all_of(sources, rows)?.into_iter());
    let steps = groups.iter().flat_map(Group::steps).zip(built.into_iter().flatten());
    let moved = steps.map(|((group, index), brought)| {
        let digest = group.as_it_was(index, &contents).or_else(|| rows.next());
        let digest = digest.ok_or_else(|| Error::bug("the rows of a move were not read"))?;
        Ok(Moved::of(group.moves[index], brought, digest))
    });
    moved.collect()
}

/// Whether each target is sound and holds what its sources gave; and what it holds.
fn read_again(run: &Run, sources: &Sources, moved: &[Moved], folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut readings = Vec::new();
    for (name, target) in &run.profile.target {
        let expected = verify::expected(moved.iter().filter(|moved| moved.step.target == *name));
        readings.push((&target.file, Reading::of(&folder.join(&target.file), &expected, Indexes::Compared)?, expected));
    }
    let tasks = readings.iter().flat_map(|(_, reading, _)| reading.tasks()).collect();
    let mut found = all_of(sources, side_by_side(run.jobs(), tasks))?.into_iter();
    let mut contents = BTreeMap::new();
    for (file, reading, expected) in readings {
        let found: Vec<Found> = found.by_ref().take(reading.parts().count()).collect();
        contents.insert(file.clone(), receipt::digest_of(&reading.judge(&found, &expected)?)?);
    }
    Ok(contents)
}

/// Everything that went wrong, one per line.
fn all_of<T>(sources: &Sources, results: Vec<Result<T>>) -> Result<Vec<T>> {
    let (mut done, mut problems) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => done.push(one),
            Err(error) => problems.push(error),
        }
    }
    let Some(first) = problems.first() else { return Ok(done) };
    sources.recheck()?; // what looks damaged may have been written meanwhile
    Err(Error::new(first.kind(), problems.iter().map(Error::to_string).collect::<Vec<_>>().join("\n")))
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
