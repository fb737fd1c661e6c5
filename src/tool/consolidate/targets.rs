//! All targets: built, and each read again by somebody else as soon as it is; the sources are read beside it.

use super::build::{self, Brought, Moved};
use super::check::{Asked, Reading};
use super::fit::Move;
use super::group::Group;
use super::jobs::{Task, side_by_side};
use super::sources::Sources;
use super::{Run, receipt, verify};
use crate::db::sqlite_plan::Indexes;
use crate::db::sqlite_scan::Found;
use crate::model::TableDigest;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// What was built.
pub(super) struct Built {
    pub(super) moved: Vec<Moved>,
    /// Digest of everything that each target holds, by file.
    pub(super) contents: BTreeMap<String, String>,
}

/// What comes of a task.
enum Done {
    Built(Result<Vec<Brought>>),
    /// Of a part of a target.
    Reread(Result<Found>),
    /// Of a part of a source.
    Read(Result<Found>),
    /// Of a move whose rows are computed.
    Rows(Result<TableDigest>),
}

/// How each target is read again, once it is there.
type Readings<'a> = BTreeMap<&'a str, OnceLock<Reading>>;

/// Builds all targets in `folder`.
///
/// # Errors
/// Everything that went wrong, one per line: with a source, or else with what was built of them.
pub(super) fn build(run: &Run, sources: &Sources, moves: &[Move], folder: &Path) -> Result<Built> {
    let (groups, uris) = (Group::all(moves, &sources.target_shapes), &sources.uris);
    let readings: Readings<'_> = run.profile.target.keys().map(|target| (target.as_str(), OnceLock::new())).collect();
    let builds = readings.iter().map(|(target, reading)| one(run, uris, target, &groups, folder, reading));
    let computed = groups.iter().flat_map(Group::steps).filter(|(group, index)| !group.is_as_it_was(*index));
    let rows = computed.map(|(group, index)| Task::new(1, move || Done::Rows(group.digest(index, uris))));
    let done = side_by_side(run.jobs(), builds.chain(sources.tasks(Done::Read)).chain(rows).collect());
    let (moved, found) = moved(sources, &groups, done)?;
    let contents = judge(run, readings, &moved, found)?;
    Ok(Built { moved, contents })
}

/// Nothing takes longer than to build a target. Then its parts can be read.
fn one<'a>(
    run: &'a Run,
    uris: &'a BTreeMap<String, String>,
    target: &'a str,
    groups: &'a [Group<'a>],
    folder: &Path,
    reading: &'a OnceLock<Reading>,
) -> Task<'a, Done> {
    let of_it = run.profile.source.values().filter(|source| source.into == target);
    let sizes = of_it.filter_map(|source| run.place.file(&source.file).metadata().ok()).map(|about| about.len());
    let (path, schema) = (folder.join(&run.profile.target[target].file), &run.profile.schemas[target]);
    let groups: Vec<&Group<'_>> = groups.iter().filter(|group| group.target == target).collect();
    let asked: Asked = groups.iter().map(|group| (group.into.to_owned(), group.filled())).collect();
    Task::leading(64 * sizes.sum::<u64>(), move || {
        let built = build::build(&path, schema, &groups, uris, &*run.progress);
        let built = built.and_then(|brought| Ok((brought, Reading::of(&path, &asked, Indexes::Compared)?)));
        match built {
            Err(error) => (Done::Built(Err(error)), Vec::new()),
            Ok((brought, found)) => {
                let tasks = reading.get_or_init(|| found).tasks(Done::Reread);
                (Done::Built(Ok(brought)), tasks)
            }
        }
    })
}

/// The moves by their sources, and what was found in the targets. `done`: in the order of the tasks.
fn moved(sources: &Sources, groups: &[Group<'_>], done: Vec<Done>) -> Result<(Vec<Moved>, Vec<Found>)> {
    let (mut built, mut found, mut read, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for one in done {
        match one {
            Done::Built(brought) => built.push(brought),
            Done::Reread(part) => found.push(part),
            Done::Read(part) => read.push(part),
            Done::Rows(digest) => rows.push(digest),
        }
    }
    let contents = sources.judge(read)?; // what is damaged explains the rest
    let (built, mut rows) = (all_of(sources, built)?, all_of(sources, rows)?.into_iter());
    let mut moved = Vec::new();
    for ((group, index), brought) in groups.iter().flat_map(Group::steps).zip(built.into_iter().flatten()) {
        let digest = group.as_it_was(index, &contents).or_else(|| rows.next());
        let digest = digest.ok_or_else(|| Error::bug("the rows of a move were not read"))?;
        moved.push(Moved::of(group.moves[index], brought, digest));
    }
    moved.sort_by(|one, other| one.step.source.cmp(&other.step.source));
    Ok((moved, all_of(sources, found)?))
}

/// Whether each target is sound and holds what its sources gave; and what it holds.
fn judge(run: &Run, readings: Readings<'_>, moved: &[Moved], found: Vec<Found>) -> Result<BTreeMap<String, String>> {
    let (mut contents, mut found) = (BTreeMap::new(), found.into_iter());
    for (name, reading) in readings {
        let reading = reading.into_inner().ok_or_else(|| Error::bug("a target was not read"))?;
        let expected = verify::expected(moved.iter().filter(|moved| moved.step.target == name));
        let found: Vec<Found> = found.by_ref().take(reading.parts().count()).collect();
        let digest = receipt::digest_of(&reading.judge(&found, &expected)?)?;
        contents.insert(run.profile.target[name].file.clone(), digest);
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
