//! The cases of one fault: its points as the golden run recorded them, and those of them that are visited.

use crate::Result;
use crate::engine::Options;
use crate::engine::Tier;
use crate::engine::case::power::Loss;
use crate::engine::points::beginning;
use crate::engine::points::pairs;
use crate::engine::points::select;
use crate::engine::points::{self, Points, Recorded};
use crate::engine::run::context::{Rehearsed, loses_power};
use crate::engine::run::golden::Golden;
use crate::engine::run::losses;
use crate::engine::run::share;
use crate::model::{Axis, Coverage, FaultSpec};
use std::sync::Arc;

/// The cases of a fault: the statement there, and the state that a loss of power leaves.
pub(super) type Visits = share::Cases<(String, Option<Arc<Loss>>)>;

/// How many points there are, by kinds, and those that are visited.
pub(super) fn visits(
    context: &Rehearsed<'_>,
    golden: &Golden,
    recorded: &Recorded,
    fault: &FaultSpec,
    options: &Options,
) -> Result<(Vec<(String, Coverage)>, Visits)> {
    if loses_power(context.kind(&fault.kind)?) {
        let (coverage, visited) = losses::plan(context, golden, fault, options)?;
        let label = |loss: &Option<Arc<Loss>>| loss.as_ref().map_or(String::new(), |loss| loss.label.clone());
        let visited = visited.into_iter().map(|(address, loss)| (address, (label(&loss), loss)));
        return Ok((vec![(fault.name(), coverage)], visited.collect()));
    }
    let points = points_of(context, recorded, fault, options.tier)?;
    let visited = |(address, label)| (address, (label, None));
    Ok(match select::named(options, &context.scenario.name, recorded, fault) {
        Some(named) => {
            let coverages = select::coverages(options, points.coverage, &named).into_iter().collect();
            (coverages, named.into_iter().map(visited).collect())
        }
        None => {
            let chained = points.visited.into_iter().map(|(point, label)| (pairs::chained(fault, point), label));
            (vec![(pairs::kinds(fault), points.coverage)], chained.map(visited).collect())
        }
    })
}

/// The points of a fault: those of its axes that were recorded, or the beginning of the step.
fn points_of(context: &Rehearsed<'_>, recorded: &Recorded, fault: &FaultSpec, tier: Tier) -> Result<Points> {
    let (kind, seed) = (context.kind(&fault.kind)?, context.scenario.seed);
    let sample = points::sample(context.scenario.faults.len());
    Ok(match fault.at.is_sweep() && kind.axes() == [Axis::Step] {
        true => beginning::points(fault, kind.concerns(), context.plan, (tier, seed, sample)),
        false => recorded.points(fault, kind, tier, seed, sample),
    })
}
