//! Which of the planned cases of a scenario this machine takes, where several machines share them. Pure.

use crate::engine::Options;
use crate::engine::points::Tier;
use crate::model::{Address, Coverage, FaultSpec, Scenario, Shard, SharePlan};
use crate::{Error, Result};

/// Cases of one fault, each with what else is known of it.
pub(super) type Cases<T> = Vec<(Address, T)>;

/// Cases with their numbers in the whole list, from 0.
pub(super) type Numbered<T> = Vec<(usize, (Address, T))>;

/// The cases of one fault that `shard` takes, each with its number; how many of each kind they
/// are goes into `coverages`.
pub(super) fn take<T>(
    shard: Shard,
    scenario: &str,
    fault: &FaultSpec,
    coverages: &mut [(String, Coverage)],
    cases: Cases<T>,
) -> (SharePlan, Numbered<T>) {
    let addresses = cases.iter().map(|(address, _)| address.to_string()).collect();
    let (scenario, kind, during) = (scenario.to_owned(), fault.name(), fault.during.clone());
    let plan = SharePlan { scenario, kind, during, cases: addresses };
    let own = plan.own(shard);
    let taken: Vec<_> = cases.into_iter().enumerate().filter(|(index, _)| own[*index]).collect();
    let of_kinds = |kinds: &str| taken.iter().filter(|(_, (address, _))| address.counted_as() == kinds).count();
    match coverages {
        [(_, only)] => only.visited = taken.len() as u64,
        several => several.iter_mut().for_each(|(kinds, coverage)| coverage.visited = of_kinds(kinds) as u64),
    }
    (plan, taken)
}

/// The scenarios of which one part has all cases: canaries, which must turn red as a whole, and those that nothing
/// strikes.
pub(super) fn undivided(scenarios: &[Scenario]) -> Vec<String> {
    let is_whole = |scenario: &&Scenario| scenario.expect.is_some() || scenario.faults.is_empty();
    scenarios.iter().filter(is_whole).map(|scenario| scenario.name.clone()).collect()
}

/// Pairs are known only once all single faults have been seen.
///
/// # Errors
/// The command line: a part of the nightly tier, where a scenario sweeps the way out.
pub(super) fn can_be_shared(options: &Options, scenarios: &[Scenario]) -> Result<()> {
    let sweeps = |fault: &FaultSpec| fault.then.as_ref().is_some_and(|then| then.at.is_sweep());
    let pairs = scenarios.iter().find(|scenario| scenario.expect.is_none() && scenario.faults.iter().any(sweeps));
    match (options.shard, options.tier, pairs) {
        (Some(_), Tier::Nightly, Some(scenario)) => {
            let why = "what strikes its way out is known only once every first fault was seen";
            Err(Error::usage(format!("--shard: {} cannot be divided at the tier nightly: {why}", scenario.name)))
        }
        _ => Ok(()),
    }
}
