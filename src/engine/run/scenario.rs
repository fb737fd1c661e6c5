//! One scenario: the golden run, the points that it shows, a case for each, and the verdict.

use crate::engine::case;
use crate::engine::case::checkpoint;
use crate::engine::case::hazard::Injury;
use crate::engine::case::power::Loss;
use crate::engine::case::recovery::course;
use crate::engine::case::stage::Stage;
use crate::engine::case::way_back;
use crate::engine::case::way_out::{Injuries, Second, Taken};
use crate::engine::mutation;
use crate::engine::observe::diagnose;
use crate::engine::points::Recorded;
use crate::engine::points::epochs;
use crate::engine::points::pairs::{self, Single};
use crate::engine::run::context::{CaseLog, Ending, Rehearsed, Run};
use crate::engine::run::golden::{self, Golden};
use crate::engine::run::planning::{self, Prepared};
use crate::engine::run::share;
use crate::engine::run::tool_digest::tool_sha256;
use crate::engine::run::visits::visits;
use crate::engine::{Library, Options, Tier};
use crate::fault::Fault;
use crate::model::{
    Address, Body, CaseRecord, Coverage, ExpectRecord, FaultPoint, FaultSpec, GoldenShare, Scenario, Token,
    TokenDigests, Verdict,
};
use crate::{Error, Result, check};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A case that is to be run.
struct Planned<'a> {
    fault: &'a FaultSpec,
    address: Address,
    label: String,
    trace: String,
    ordinal: usize,
    loss: Option<Arc<Loss>>,
}

/// Rehearses a scenario and writes down everything about it.
///
/// # Errors
/// The harness could not begin or could not write; trouble inside a case is that case's, and unknown.
pub(in crate::engine) async fn rehearse(
    run: &Run,
    library: &Library,
    scenario: &Scenario,
    options: &Options,
) -> Result<()> {
    let Prepared { dataset, dataset_dir, plan } = planning::prepare(&run.registry, library, scenario)?;
    let fixtures_dir = dataset_dir.parent().unwrap_or(&dataset_dir).to_owned();
    let tool_sha256 = tool_sha256(scenario, &plan, &library.root, &fixtures_dir)?;
    let mut context = Rehearsed {
        run,
        scenario,
        plan: &plan,
        dataset: &dataset,
        dataset_dir,
        fixtures_dir,
        root: library.root.clone(),
        bounds: BTreeMap::new(),
        idle: BTreeSet::new(),
    };
    run.journal.append(started(&context, &tool_sha256))?;
    if !options.plan_only && options.only.is_none() {
        mutation::prove(&context, options).await?;
    }
    // The nightly tier runs everything, and by that audits what the others leave out.
    let leaves_out = options.tier != Tier::Nightly && !options.plan_only;
    let checkpoints = if leaves_out { checkpoint::steps(&context) } else { BTreeSet::new() };
    let mut golden = run.goldens.get(scenario, golden::run(&context, &checkpoints)).await?;
    if golden.scenario != scenario.name {
        let (scenario, with) = (scenario.name.clone(), golden.scenario.clone());
        run.journal.append(Body::GoldenShared(GoldenShare { scenario, with }))?;
    }
    context.bounds = golden::bounds(&context, &golden.first);
    if leaves_out {
        context.idle = golden::idle_steps(&context, &golden);
    }
    if golden.is_green {
        if options.tier != Tier::Quick && options.only.is_none() && !options.plan_only {
            way_back::returns(&context, &golden).await?;
        }
        if epochs::are_wanted(&context, &golden, options) {
            golden.alone = golden::alone(&context, &golden).await?;
        }
        let cases = plan_cases(&context, &golden, options)?;
        if !options.plan_only {
            run_cases(&context, &golden, cases, &tool_sha256, options).await?;
        }
    }
    finish(run, scenario, options)
}

fn started(context: &Rehearsed<'_>, tool_sha256: &str) -> Body {
    let scenario = context.scenario;
    Body::ScenarioStarted {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        flow: scenario.flow.clone(),
        dataset: scenario.dataset.clone(),
        seed: scenario.seed,
        dataset_sha256: context.dataset.digest(),
        tool_sha256: tool_sha256.to_owned(),
        sources: context.plan.source_endpoints(),
        expect: scenario
            .expect
            .as_ref()
            .map(|expect| ExpectRecord { red: expect.red.iter().cloned().collect(), outcome: expect.outcome }),
    }
}

/// The points of all faults, and a case for each that is visited.
fn plan_cases<'a>(context: &Rehearsed<'a>, golden: &Golden, options: &Options) -> Result<Vec<Planned<'a>>> {
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

pub(super) fn kind_of(context: &Rehearsed<'_>, kind: &str) -> Result<&'static dyn Fault> {
    context.run.registry.fault(kind).ok_or_else(|| Error::bug(format!("no fault `{kind}`")))
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

async fn run_cases(
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
    let runs = cases.into_iter().map(async |planned| {
        let _seat = turns.seat().await;
        if turns.is_over() {
            turns.pass_over(&context.scenario.name, &planned.fault.during, &planned.address);
            return Ok::<_, Error>(None);
        }
        let taken = run_case(context, golden, &planned, tool_sha256, options).await?;
        Ok(Some((planned, taken)))
    });
    let ran: Vec<Option<_>> = iter(runs).buffer_unordered(options.jobs.max(1)).try_collect().await?;
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
        let (coverage, visited) = pairs::pairs(&of_fault, then, kind_of(context, &then.kind)?, context.scenario.seed);
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

async fn run_case(
    context: &Rehearsed<'_>,
    golden: &Golden,
    planned: &Planned<'_>,
    tool_sha256: &str,
    options: &Options,
) -> Result<Taken> {
    let address = planned.address.clone();
    let short = crate::model::canonical::sha256_hex(address.to_string().as_bytes());
    let name = format!("{}/{:04}-{}", context.scenario.name, planned.ordinal, &short[..6]);
    let mut log = CaseLog::new(context.run, name);
    log.events.address = Some(address.clone());
    let token = token(context, planned, &address, tool_sha256);
    let label = Some(planned.label.clone()).filter(|label| !label.is_empty());
    log.record(case::started(context, &log.events, label, Some(token.to_string())))?;
    let result = injured(context, &mut log, golden, planned).await;
    let ending = match &result {
        Err(error) => Ending::Trouble(error.to_string()),
        Ok(_) if has_diverged(options, planned, tool_sha256) => Ending::Diverged,
        Ok(_) => Ending::Finished,
    };
    let judged = log.judge(context, &golden.events, ending);
    let (outcome, verdict) = (judged.outcome, judged.verdict());
    // Who looks for a smaller failure wants many of them, and no explanation.
    if let (Ok((stage, _)), Verdict::Fail, false) = (&result, verdict, context.run.is_hunt) {
        diagnose::red_case(stage, &mut log, golden).await?;
    }
    log.finish(judged)?;
    let mut taken = Taken::new();
    if let Ok((stage, way_out)) = result {
        taken = way_out;
        if outcome.verdict() != Verdict::Pass {
            stage.keep_logs(&log.case())?;
        }
        // What became of the case stands; the supervisor removes what is left.
        if let Err(error) = context.run.keeper.end(stage, &log, outcome, verdict).await {
            let text = format!("cannot remove what a case used: {error}");
            context.run.journal.append(Body::Note { case: Some(log.case()), text })?;
        }
    }
    Ok(taken)
}

/// A replay with the very tool of its token, whose golden run sent other statements: another point was hit.
fn has_diverged(options: &Options, planned: &Planned<'_>, tool_sha256: &str) -> bool {
    options
        .only
        .as_ref()
        .is_some_and(|token| tool_sha256.starts_with(&token.digests.tool) && token.digests.trace != planned.trace)
}

async fn injured<'a>(
    context: &'a Rehearsed<'a>,
    log: &mut CaseLog<'_>,
    golden: &Golden,
    planned: &Planned<'_>,
) -> Result<(Stage<'a>, Taken)> {
    let injuries = injuries(context, planned)?;
    let is_alone = injuries.need_own_server();
    let checkpoint = golden.first.checkpoints.get(&planned.fault.during).filter(|_| !is_alone);
    let stage = if is_alone { Stage::set_alone(context).await? } else { Stage::set(context, checkpoint).await? };
    let mut course = course(context.plan, planned.fault, &context.idle);
    // A loss of power begins with files that hold what the steps before have done.
    if checkpoint.is_some() || planned.loss.is_some() {
        course.before.clear();
    }
    let taken = case::injured(&stage, log, &golden.events, &course, &injuries).await?;
    Ok((stage, taken))
}

/// What strikes in a case: the first fault, and the one that strikes the way out.
fn injuries(context: &Rehearsed<'_>, planned: &Planned<'_>) -> Result<Injuries> {
    let injury = |point: &FaultPoint| -> Result<Injury> {
        let hazard = kind_of(context, &point.kind)?.hazard(point.arg.as_deref()).map_err(Error::environment)?;
        Ok(Injury { address: Address::one(point.clone()), hazard, loss: None })
    };
    let during = planned.fault.then.as_ref().and_then(|then| then.during.clone());
    let second = planned.address.points().get(1).map(injury).transpose()?;
    let second = second.map(|injury| Second { injury, during });
    let first = Injury { loss: planned.loss.clone(), ..injury(planned.address.first())? };
    Ok(Injuries { first, second })
}

fn token(context: &Rehearsed<'_>, planned: &Planned<'_>, address: &Address, tool_sha256: &str) -> Token {
    let short = |digest: &str| digest.chars().take(8).collect::<String>();
    Token {
        scenario: context.scenario.token_name(),
        seed: context.scenario.seed,
        address: address.clone(),
        digests: TokenDigests {
            dataset: short(&context.dataset.digest()),
            tool: short(tool_sha256),
            trace: planned.trace.clone(),
        },
    }
}

fn finish(run: &Run, scenario: &Scenario, options: &Options) -> Result<()> {
    for over in run.turns.unvisited(&scenario.name) {
        run.journal.append(over)?;
    }
    let judged = run.journal.of_scenario(&scenario.name, |record| match (record, options.plan_only) {
        (None, _) => Err(Error::bug(format!("scenario {} was never started", scenario.name))),
        // What a canary turns red is not known before it is injured.
        (Some(record), true) => Ok((Verdict::worst(record.golden().map(planned_verdict)), String::new())),
        (Some(record), false) => Ok(check::scenario_verdict(record)),
    });
    let (verdict, why) = judged?;
    run.journal.append(Body::ScenarioFinished { scenario: scenario.name.clone(), verdict, why })
}

/// A plan could be made wherever the golden runs came to an end, whichever it was.
fn planned_verdict(golden: &CaseRecord) -> Verdict {
    let is_known = golden.outcome.is_some_and(|outcome| outcome.verdict() != Verdict::Unknown);
    if is_known { Verdict::Pass } else { Verdict::Unknown }
}
