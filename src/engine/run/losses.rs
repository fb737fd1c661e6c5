//! The cases of `power.loss`: every state that a loss of power may have left during a step of the golden run, and of those
//! that the databases recover to the same content from, one.

use crate::Result;
use crate::engine::case::power::{Loss, Story};
use crate::engine::files::power::{Image, each_image, images_at_end};
use crate::engine::files::{self, FileOp, belongs, counts};
use crate::engine::points::{Tier, sample, spread};
use crate::engine::run::context::Rehearsed;
use crate::engine::run::golden::Golden;
use crate::engine::run::recovered::Recovered;
use crate::engine::{Options, Traces};
use crate::model::{Address, At, Axis, Coverage, FaultPoint, FaultSpec, Fingerprint, Place};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is visited: with the state, if there is one.
pub(super) type Visited = Vec<(Address, Option<Arc<Loss>>)>;

/// The states of a fault, and those that are visited.
pub(super) fn plan(
    context: &Rehearsed<'_>,
    golden: &Golden,
    fault: &FaultSpec,
    options: &Options,
) -> Result<(Coverage, Visited)> {
    let none = Coverage { points: 0, classes: 0, visited: 0, lost: 0 };
    let Some(story) = golden.first.stories.get(&fault.during) else { return Ok((none, Vec::new())) };
    let named = named(context, fault, options);
    let is_sample = named.is_none() && options.tier == Tier::Quick;
    let operations = if is_sample { OPERATIONS } else { usize::MAX };
    let after = spread((1..=story.ops.len()).collect(), operations, context.scenario.seed).into_iter().collect();
    let (images, losses) = losses(context, story, named.as_deref(), &after)?;
    let classes = losses.len() as u64;
    let number = if is_sample { sample(context.scenario.faults.len()).max(LEAST) } else { losses.len() };
    let address = |place| Address::one(FaultPoint { kind: fault.kind.clone(), arg: None, place });
    let reached = |loss: &Loss| files::traces(&story.ops[..loss.after], &story.files);
    let visited = spread(losses, number, context.scenario.seed).into_iter();
    let visited = visited.map(|loss| Loss { reached: reached(&loss), ..loss });
    let mut visited: Visited = visited.map(|loss| (address(loss.place.clone()), Some(Arc::new(loss)))).collect();
    let is_there = |place: &Place| visited.iter().any(|(address, _)| is_at(place, &address.first().place));
    let gone: Vec<Place> = named.into_iter().flatten().filter(|place| !is_there(place)).collect();
    visited.extend(gone.into_iter().map(|place| (address(place), None)));
    let coverage = Coverage { points: images, classes, visited: visited.len() as u64, lost: 0 };
    Ok((coverage, visited))
}

/// States are many and unlike each other: the quick tier takes no fewer.
const LEAST: usize = 6;

/// The quick tier makes the states after so many operations: each state is opened, to see what it recovers to.
const OPERATIONS: usize = 40;

/// The places that somebody names; nothing where all are meant.
fn named(context: &Rehearsed<'_>, fault: &FaultSpec, options: &Options) -> Option<Vec<Place>> {
    let of_kind = |address: &&Address| address.first().kind == fault.kind;
    let place = |address: &Address| address.first().place.clone();
    if let Some(token) = &options.only {
        return Some(vec![place(&token.address)]);
    }
    if let Some(hunt) = &options.hunt {
        return Some(vec![Place { fingerprint: None, ..hunt.point().place.clone() }]);
    }
    match (options.again.get(&context.scenario.name).filter(|cases| !cases.is_empty()), &fault.at) {
        (Some(cases), _) => Some(cases.iter().filter(of_kind).map(place).collect()),
        (None, At::Place(place)) => Some(vec![place.clone()]),
        (None, At::Sweep | At::SweepOn) => None,
    }
}

/// Whether a state is one that a place means.
fn is_at(meant: &Place, state: &Place) -> bool {
    meant.endpoint == state.endpoint
        && meant.nth == state.nth
        && (meant.fingerprint.is_none() || meant.fingerprint == state.fingerprint)
}

/// How many states there are, and the ones that differ in what they recover to: those during the step, then those after
/// its end. With places only the states there; only those right after the operations of these numbers, and at the end.
fn losses(
    context: &Rehearsed<'_>,
    story: &Story,
    named: Option<&[Place]>,
    after: &BTreeSet<usize>,
) -> Result<(u64, Vec<Loss>)> {
    let numbers = numbers(story);
    let is_counted = |after: usize| match (named, &numbers[after - 1]) {
        (Some(places), Some(number)) => {
            places.iter().any(|place| place.endpoint == number.endpoint && place.nth == number.nth)
        }
        (_, number) => number.is_some(),
    };
    let mut found = Found { images: 0, losses: Vec::new(), trouble: None, recovered: Recovered::new(context, story)? };
    let is_wanted = |number: usize| after.contains(&number) && is_counted(number);
    each_image(&story.before, &story.ops, is_wanted, |image| found.add(story, &numbers, named, image, false));
    found.recovered.forget();
    if !story.ops.is_empty() && is_counted(story.ops.len()) {
        let at_end = images_at_end(&story.before, &story.ops);
        at_end.into_iter().for_each(|image| found.add(story, &numbers, named, image, true));
    }
    match found.trouble {
        Some(error) => Err(error),
        None => Ok((found.images, found.losses)),
    }
}

struct Found<'a> {
    images: u64,
    losses: Vec<Loss>,
    trouble: Option<crate::Error>,
    recovered: Recovered<'a>,
}

impl Found<'_> {
    fn add(
        &mut self,
        story: &Story,
        numbers: &[Option<Number>],
        named: Option<&[Place]>,
        image: Image,
        has_ended: bool,
    ) {
        let Some(number) = &numbers[image.after - 1] else { return };
        let label = label(story, &image, number.after, has_ended);
        let (endpoint, fingerprint) = (number.endpoint.clone(), Some(Fingerprint::of(&label)));
        let place = Place { endpoint, axis: Axis::Op, fingerprint, nth: number.nth, forever: false };
        let is_meant = |meant: &Place| is_at(meant, &place);
        if self.trouble.is_some() || !named.is_none_or(|places| places.iter().any(is_meant)) {
            return;
        }
        self.images += 1;
        // One that is named by its fingerprint is taken, whatever it is equal to.
        let is_named = named.is_some_and(|places| places.iter().any(|meant| meant.fingerprint == place.fingerprint));
        match self.recovered.is_new(&image.files) {
            Ok(is_new) if is_new || is_named => {
                self.losses.push(Loss {
                    place,
                    label,
                    has_ended,
                    root: story.root.clone(),
                    after: image.after,
                    reached: Traces::new(),
                    files: image.files,
                });
            }
            Ok(_) => {}
            Err(error) => self.trouble = Some(error),
        }
    }
}

/// Together with its place it names a state, so that it can be found again.
fn label(story: &Story, image: &Image, counted: usize, has_ended: bool) -> String {
    let op = &story.ops[image.after - 1];
    let path = op.counted_path();
    let after = match image.after - counted {
        _ if has_ended => "the step has ended well".to_owned(),
        0 => format!("after {} {}", op.kind.word(), path.rsplit('/').next().unwrap_or(path)),
        // Other files may have names that are made up anew in each run.
        more => format!("{more} operations on other files later, after a {}", op.kind.word()),
    };
    format!("{after}: {}", image.label)
}

/// The last operation at an endpoint so far, and how many operations on any file there were up to it.
#[derive(Clone)]
struct Number {
    endpoint: String,
    nth: u32,
    after: usize,
}

/// After each operation, the last one that counts at an endpoint.
fn numbers(story: &Story) -> Vec<Option<Number>> {
    let mut times = vec![0_u32; story.files.len()];
    let mut last = None;
    let number = |(index, op): (usize, &FileOp)| {
        for ((endpoint, file), times) in story.files.iter().zip(&mut times) {
            if counts(op.kind, Axis::Op) && belongs(op.counted_path(), file) {
                *times += 1;
                last = Some(Number { endpoint: endpoint.clone(), nth: *times, after: index + 1 });
            }
        }
        last.clone()
    };
    story.ops.iter().enumerate().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::OpKind;
    use std::path::PathBuf;

    fn op(kind: OpKind, path: &str) -> FileOp {
        let (path, other) = (path.to_owned(), String::new());
        FileOp { kind, path, other, offset: 0, bytes: 1, data: b"x".to_vec(), has_failed: false }
    }

    #[test]
    fn a_state_is_named_by_the_last_operation_that_counts_at_an_endpoint() {
        let files = [("file.new".to_owned(), "files/new.sqlite".to_owned())].into();
        let ops = [
            op(OpKind::Write, "work/log"),
            op(OpKind::Lock, "files/new.sqlite"),
            op(OpKind::Write, "files/new.sqlite"),
            op(OpKind::Sync, "files/new.sqlite"),
            op(OpKind::Write, "work/log"),
        ];
        let story = Story { root: PathBuf::new(), files, before: Default::default(), ops: ops.into() };
        let numbers = numbers(&story);
        let named = numbers.iter().map(|number| number.as_ref().map(|number| (number.nth, number.after)));
        assert_eq!(named.collect::<Vec<_>>(), [None, None, Some((1, 3)), Some((2, 4)), Some((2, 4))]);
        let image = |after| Image { after, label: "no write".to_owned(), files: Default::default() };
        assert_eq!(label(&story, &image(4), 4, false), "after sync new.sqlite: no write");
        assert_eq!(label(&story, &image(5), 4, false), "1 operations on other files later, after a write: no write");
        assert_eq!(label(&story, &image(5), 4, true), "the step has ended well: no write");
    }

    #[test]
    fn a_place_without_a_fingerprint_means_every_state_there() {
        let place = |text: &str| text.parse::<Place>().unwrap();
        let state = place("file.new:op-0000aa.3");
        assert!(is_at(&place("file.new:op.3"), &state) && is_at(&state, &state));
        assert!(!is_at(&place("file.new:op-0000ab.3"), &state) && !is_at(&place("file.new:op.4"), &state));
    }
}
