//! One scenario: the golden run, the points that it shows, a case for each, and the verdict.

use crate::engine::case::checkpoint;
use crate::engine::case::way_back;
use crate::engine::mutation;
use crate::engine::points::epochs;
use crate::engine::run::cases;
use crate::engine::run::context::{Rehearsed, Run};
use crate::engine::run::golden;
use crate::engine::run::planning::{self, Prepared};
use crate::engine::run::tool_digest::tool_sha256;
use crate::engine::{Library, Options, Tier};
use crate::model::{Body, CaseRecord, CriteriaSet, ExpectRecord, GoldenShare, Scenario, ScenarioStart, Verdict};
use crate::{Error, Result, check};
use std::collections::{BTreeMap, BTreeSet};

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
    let Prepared { dataset, dataset_dir, plan, criteria } = planning::prepare(&run.registry, library, scenario)?;
    let fixtures_dir = dataset_dir.parent().unwrap_or(&dataset_dir).to_owned();
    let tool_sha256 = tool_sha256(scenario, &plan, &library.root, &fixtures_dir)?;
    let mut context = Rehearsed {
        run,
        scenario,
        plan: &plan,
        criteria,
        dataset: &dataset,
        dataset_dir,
        fixtures_dir,
        root: library.root.clone(),
        bounds: BTreeMap::new(),
        idle: BTreeSet::new(),
    };
    run.journal.append(started(&context, &tool_sha256))?;
    if !context.criteria.is_empty() && scenario.expect.is_none() {
        let rules = context.criteria.clone();
        run.journal.append(Body::Criteria(CriteriaSet { scenario: Some(scenario.name.clone()), rules }))?;
    }
    // A hunt meets new data all the time, and what it finds is proved once it is written down.
    if !options.plan_only && options.only.is_none() && !run.is_hunt {
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
        let cases = cases::plan(&context, &golden, options)?;
        if !options.plan_only {
            cases::run(&context, &golden, cases, &tool_sha256, options).await?;
        }
    }
    finish(run, scenario, options)
}

fn started(context: &Rehearsed<'_>, tool_sha256: &str) -> Body {
    let scenario = context.scenario;
    Body::ScenarioStarted(ScenarioStart {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        flow: scenario.flow.clone(),
        dataset: scenario.dataset.clone(),
        classification: Some(context.dataset.classification),
        seed: scenario.seed,
        dataset_sha256: context.dataset.digest(),
        tool_sha256: tool_sha256.to_owned(),
        sources: context.plan.source_endpoints(),
        expect: scenario
            .expect
            .as_ref()
            .map(|expect| ExpectRecord { red: expect.red.iter().cloned().collect(), outcome: expect.outcome }),
    })
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
