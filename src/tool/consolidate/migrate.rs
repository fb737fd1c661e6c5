//! `dry-run` and `migrate`: both build every target; the one throws them away, the other puts them in their places.
//!
//! ```text
//! 1  the sources are opened and checked, the profile against them       nothing is written
//! 2  all targets are built in a folder beside, synced, read again       the old state, and a folder that nobody reads
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
use crate::model::TableDigest;
use crate::tool::whole::{beside, remove_file, remove_folder, sync};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder in which a migration builds.
pub(super) const WORKSHOP: &str = ".consolidating";

/// Opens the sources and finds what fits.
///
/// # Errors
/// Everything that is wrong with files and profile, one per line.
pub(super) fn prepare(run: &Run, scratch: &Path) -> Result<(Sources, Vec<Move>)> {
    let sources = Sources::open(run, scratch)?;
    let Fit { moves, problems, notes } = fit(&run.profile, &sources.shapes, &sources.target_shapes);
    run.report().notes.extend(notes);
    match problems.is_empty() {
        true => Ok((sources, moves)),
        false => Err(Error::refused(problems.join("\n"))),
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
    Target(Vec<Brought>),
    Source(TableDigest),
}

/// Builds the targets in `folder`, the largest first, and reads the sources beside it; then reads what was built.
fn build_all(run: &Run, sources: &Sources, moves: &[Move], folder: &Path) -> Result<Built> {
    let groups = Group::all(moves, &sources.target_shapes);
    let (names, uris) = (largest_first(run), &sources.uris);
    let of = |name: &String| groups.iter().filter(|group| group.target == *name).collect::<Vec<_>>();
    let build = |name: &&String| {
        let (groups, path) = (of(name), folder.join(&run.profile.target[*name].file));
        let schema = &run.profile.schemas[*name];
        let build = move || build::build(&path, schema, &groups, uris, &*run.progress).map(Done::Target);
        Box::new(build) as Task<'_, _>
    };
    let mut tasks: Vec<Task<'_, Result<Done>>> = names.iter().map(build).collect();
    for group in names.iter().flat_map(|name| of(name)) {
        let read = |index| Box::new(move || group.digest(index, uris).map(Done::Source)) as Task<'_, _>;
        tasks.extend((0..group.moves.len()).map(read));
    }
    let done = all_of(sources, side_by_side(run.jobs(), tasks))?;
    let (mut brought, mut digests) = (Vec::new(), Vec::new());
    for one in done {
        match one {
            Done::Target(rows) => brought.extend(rows),
            Done::Source(digest) => digests.push(digest),
        }
    }
    let steps = names.iter().flat_map(|name| of(name)).flat_map(|group| &group.moves);
    let moved = steps.zip(brought).zip(digests).map(|((step, rows), digest)| Moved::of(step, rows, digest));
    let mut moved: Vec<Moved> = moved.collect();
    moved.sort_by(|one, other| one.step.source.cmp(&other.step.source));
    let contents = read_again(run, sources, &moved, folder)?;
    Ok(Built { moved, contents })
}

fn largest_first(run: &Run) -> Vec<&String> {
    let size = |name: &String| -> u64 {
        let of_it = run.profile.source.values().filter(|source| source.into == *name);
        of_it.filter_map(|source| run.place.file(&source.file).metadata().ok()).map(|about| about.len()).sum()
    };
    let mut names: Vec<&String> = run.profile.target.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(size(name)));
    names
}

/// Whether each target is sound and holds what its sources gave; and what it holds.
fn read_again(run: &Run, sources: &Sources, moved: &[Moved], folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut readings = Vec::new();
    for (name, target) in &run.profile.target {
        let expected = verify::expected(moved.iter().filter(|moved| moved.step.target == *name));
        readings.push((&target.file, Reading::of(&folder.join(&target.file), &expected)?, expected));
    }
    let tasks = readings.iter().flat_map(|(_, reading, _)| reading.tasks()).collect();
    let mut found = all_of(sources, side_by_side(run.jobs(), tasks))?.into_iter();
    let mut contents = BTreeMap::new();
    for (file, reading, expected) in readings {
        let found = found.by_ref().take(reading.tasks().len()).collect();
        contents.insert(file.clone(), receipt::digest_of(&reading.judge(found, &expected)?)?);
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
