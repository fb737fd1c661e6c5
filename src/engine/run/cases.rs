//! The cases of a scenario: what the golden runs have shown becomes a case for each point that is visited, and then
//! they run, several at a time.

use crate::engine::case;
use crate::engine::case::way_out::Taken;
use crate::engine::points::Recorded;
use crate::engine::points::epochs;
use crate::engine::points::pairs::{self, Single};
use crate::engine::run::context::Rehearsed;
use crate::engine::run::golden::Golden;
use crate::engine::run::injured::{self, Planned};
use crate::engine::run::share;
use crate::engine::run::visits::visits;
use crate::engine::{Options, Tier};
use crate::model::{Body, Coverage, Scenario};
use crate::{Error, Result};
use futures_util::stream::{StreamExt, TryStreamExt, iter};

/// The points of all faults, and a case for each that is visited.
pub(super) fn plan<'a>(context: &Rehearsed<'a>, golden: &Golden, options: &Options) -> Result<Vec<Planned<'a>>> {
    let scenario: &'a Scenario = context.scenario;
    let (mut planned, mut ordinal) = (Vec::new(), 0);
    // A replay is of one point, whichever of several faults of its kind names it.
    let several = if options.only.is_some() || options.hunt.is_some() { 1 } else { usize::MAX };
    for fault in scenario.faults.iter().filter(|fault| options.wants(fault)).take(several) {
        let recorded = recorded(golden, &fault.during);
        if !recorded.is_stable() {
            let text = "the tool is not deterministic: two uninjured runs sent different statements; only those that \
                        both sent are injured";
            let text = format!("{}, `{}`: {text}", scenario.name, fault.during);
            context.run.journal.append(Body::Note { case: None, text })?;
        }
        let trace = recorded.digest();
        let (mut coverages, visited) = visits(context, golden, &recorded, fault, options)?;
        let (begin, all) = (ordinal + 1, visited.len());
        let own = match options.shard.filter(|_| scenario.expect.is_none()) {
            None => visited.into_iter().enumerate().collect(),
            Some(shard) => {
                let (plan, own) = share::take(shard, &scenario.name, fault, &mut coverages, visited);
                context.run.journal.append(Body::ShardPlanned(plan))?;
                own
            }
        };
        for (kinds, coverage) in coverages {
            said(context, kinds, &fault.during, coverage)?;
        }
        // A case has the same number, whoever runs it.
        planned.extend(own.into_iter().map(|(index, (address, (label, loss)))| {
            let (trace, ordinal) = (trace.clone(), begin + index);
            Planned { fault, address, label, trace, ordinal, loss }
        }));
        ordinal += all;
    }
    Ok(planned)
}

/// Says how many points there are, and how many of them are visited.
fn said(context: &Rehearsed<'_>, kind: String, during: &str, coverage: Coverage) -> Result<()> {
    let (scenario, during) = (context.scenario.name.clone(), during.to_owned());
    context.run.journal.append(Body::ScenarioPlanned { scenario, kind, during, coverage })
}

fn recorded(golden: &Golden, step: &str) -> Recorded {
    let none = crate::engine::Traces::new();
    let of = |recording: &case::Recording| recording.traces.get(step).unwrap_or(&none).clone();
    let recorded = Recorded::of(&of(&golden.first), &of(&golden.second));
    match golden.alone.as_ref().filter(|_| epochs::can_be_told(golden, step)).and_then(|alone| alone.traces.get(step)) {
        Some(alone) => recorded.with_epochs(alone),
        None => recorded,
    }
}

/// Runs all cases, and in the nightly tier the pairs that they lead to.
pub(super) async fn run(
    context: &Rehearsed<'_>,
    golden: &Golden,
    cases: Vec<Planned<'_>>,
    tool_sha256: &str,
    options: &Options,
) -> Result<()> {
    let singles = cases.len();
    let taken = run_all(context, golden, cases, tool_sha256, options).await?;
    // Pairs are known once it was seen which way each single fault leads out.
    let pairs = if options.tier == Tier::Nightly && !options.is_narrowed() {
        plan_pairs(context, taken, singles)?
    } else {
        Vec::new()
    };
    run_all(context, golden, pairs, tool_sha256, options).await.map(drop)
}

/// Runs the cases, several at a time; answers with the way out of each that began.
async fn run_all<'a>(
    context: &Rehearsed<'a>,
    golden: &Golden,
    mut cases: Vec<Planned<'a>>,
    tool_sha256: &str,
    options: &Options,
) -> Result<Vec<(Planned<'a>, Taken)>> {
    let turns = &context.run.turns;
    turns.order(&mut cases, context.scenario.seed, |planned| planned.address.to_string());
    let pass_over = |planned: &Planned<'_>| {
        turns.pass_over(&context.scenario.name, &planned.fault.during, &planned.address);
    };
    let runs = cases.into_iter().map(async |planned| {
        let wing = turns.wing().await;
        if turns.is_over() {
            pass_over(&planned);
            return Ok(None);
        }
        let set = Box::pin(injured::set(context, golden, &planned)).await;
        let seat = match &set {
            Ok(set) if set.waits() => turns.bench().await,
            _ => turns.seat().await,
        };
        drop(wing);
        if turns.is_over() {
            pass_over(&planned);
            return injured::unused(set).await.map(|()| None);
        }
        let ended = Box::pin(injured::run(context, golden, &planned, set, (tool_sha256, options))).await?;
        drop(seat);
        let taken = ended.clear().await?;
        Ok::<_, Error>(Some((planned, taken)))
    });
    // One is being set and one cleared while the others run.
    let ran: Vec<Option<_>> = iter(runs).buffer_unordered(options.jobs.max(1) + 2).try_collect().await?;
    Ok(ran.into_iter().flatten().collect())
}

/// The pairs of all faults that say `then = { at = "sweep" }`.
fn plan_pairs<'a>(
    context: &Rehearsed<'a>,
    mut singles: Vec<(Planned<'a>, Taken)>,
    before: usize,
) -> Result<Vec<Planned<'a>>> {
    singles.sort_by_key(|(planned, _)| planned.ordinal);
    let mut planned = Vec::new();
    for fault in &context.scenario.faults {
        let Some(then) = fault.then.as_ref().filter(|then| then.at.is_sweep()) else { continue };
        let (of_fault, rest): (Vec<_>, Vec<_>) =
            singles.into_iter().partition(|(planned, _)| std::ptr::eq(planned.fault, fault));
        singles = rest;
        let Some(trace) = of_fault.first().map(|(planned, _)| planned.trace.clone()) else { continue };
        let of_fault: Vec<Single> = of_fault
            .into_iter()
            .map(|(planned, taken)| Single { address: planned.address, label: planned.label, taken })
            .collect();
        let (coverage, visited) = pairs::pairs(&of_fault, then, context.kind(&then.kind)?, context.scenario.seed);
        said(context, format!("{},{}", fault.kind, then.kind), &fault.during, coverage)?;
        planned.extend(visited.into_iter().map(|(address, label)| (fault, address, label, trace.clone())));
    }
    let number = |(index, (fault, address, label, trace))| Planned {
        fault,
        address,
        label,
        trace,
        ordinal: before + index + 1,
        loss: None,
    };
    Ok(planned.into_iter().enumerate().map(number).collect())
}
