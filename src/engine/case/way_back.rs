//! Going back: what a rollback takes with it that is nowhere else, and runs that go back earlier than the plan does.

use crate::Result;
use crate::check;
use crate::engine::case::stage::Stage;
use crate::engine::case::step;
use crate::engine::case::{self, find};
use crate::engine::observe::rows;
use crate::engine::observe::{self, Which};
use crate::engine::run::context::{CaseLog, Ending, Rehearsed};
use crate::engine::run::golden::Golden;
use crate::model::{Body, History, Lost, Moment, Phase, Role, StepEnd, WentBack, not_shown};

/// Rows of the targets that no source holds and that were not there at the start.
async fn unheld(stage: &Stage<'_>, log: &CaseLog<'_>) -> Result<Vec<Lost>> {
    let (states, events) = (stage.context.run.states(), log.events.clone());
    let (scenario, plan) = (stage.context.scenario, stage.context.plan);
    let history = History { scenario, plan, golden: &events, case: &events, states: &states };
    let mut tables = Vec::new();
    for endpoint in plan.target_endpoints() {
        let Some(now) = events.moments(&endpoint).last().map(|&moment| moment.clone()) else { continue };
        let differing = check::differing_tables(&history, &endpoint, &now);
        tables.extend(differing.into_iter().map(|table| (endpoint.clone(), table)));
    }
    let rows = rows::rows(stage, &events, tables, false).await?;
    let known = rows.into_iter().map(|table| Lost {
        rows: Some(table.extra + table.changed),
        endpoint: table.endpoint,
        table: table.table,
    });
    Ok(known.filter(|lost| lost.rows != Some(0)).chain(transformed(stage, log, &history)).collect())
}

/// Tables of declared transformations that have changed since the data came: by how many rows is not known.
fn transformed(stage: &Stage<'_>, log: &CaseLog<'_>, history: &History<'_>) -> Vec<Lost> {
    let plan = stage.context.plan;
    let Some(apply) = plan.last_apply() else { return Vec::new() };
    let then = Moment::after(Phase::Plan, &apply.name);
    let of_endpoint = |endpoint: String| {
        let now = log.events.moments(&endpoint).last().map(|&moment| moment.clone())?;
        let (now, then) = (history.state(&now, &endpoint)?, history.state(&then, &endpoint)?);
        let changed = now.tables.iter().filter(|(name, digest)| then.tables.get(*name).is_some_and(|is| is != *digest));
        let mapped = changed.filter(|(name, _)| plan.maps_target(name));
        Some(mapped.map(|(name, _)| Lost { endpoint: endpoint.clone(), table: name.clone(), rows: None }).collect())
    };
    plan.target_endpoints().into_iter().filter_map(of_endpoint).collect::<Vec<Vec<Lost>>>().concat()
}

/// Runs a step that goes back, uninjured, and writes down what went with it.
pub(in crate::engine) async fn go_back(stage: &Stage<'_>, log: &mut CaseLog<'_>, name: &str) -> Result<StepEnd> {
    let unheld = unheld(stage, log).await?;
    let before: Vec<Option<String>> = unheld.iter().map(|lost| rows_now(stage, log, lost)).collect();
    let end = step::run(stage, log, find(stage, name)?, Phase::Plan, None).await?;
    observe::probe(stage, log, &Moment::after(Phase::Plan, name), Which::All).await?;
    let gone = unheld.into_iter().zip(before).filter(|(lost, before)| rows_now(stage, log, lost) != *before);
    let lost = gone.map(|(lost, _)| lost).collect();
    log.record(Body::WentBack(WentBack { case: log.case(), step: name.to_owned(), lost }))?;
    Ok(end)
}

/// The digest of a table when its endpoint was last looked at.
fn rows_now(stage: &Stage<'_>, log: &CaseLog<'_>, lost: &Lost) -> Option<String> {
    let states = stage.context.run.states();
    let (_, _, state) = log.events.probes().filter(|(_, endpoint, _)| *endpoint == lost.endpoint).last()?;
    states.get(state)?.tables.get(&lost.table).map(ToString::to_string)
}

/// Goes back from every step from which the golden run did not, each on databases of its own.
///
/// These runs are no cases: nothing is injured, and nothing is asked of them but what it costs.
pub(in crate::engine) async fn returns(context: &Rehearsed<'_>, golden: &Golden) -> Result<()> {
    for from in not_shown(&golden.events, &context.plan.target_endpoints()) {
        let mut log = CaseLog::new(context.run, format!("{}/return-{from}", context.scenario.name));
        log.record(case::started(context, &log.events, None, None))?;
        let stage = Stage::set(context, None).await?;
        let ending = match there_and_back(&stage, &mut log, &from).await {
            Ok(()) => Ending::Finished,
            Err(error) => Ending::Trouble(error.to_string()),
        };
        log.finish_unasked(ending)?;
        stage.clear().await?;
    }
    Ok(())
}

async fn there_and_back(stage: &Stage<'_>, log: &mut CaseLog<'_>, from: &str) -> Result<()> {
    observe::probe(stage, log, &Moment::Start, Which::All).await?;
    let mut is_there = false;
    for planned in &stage.context.plan.steps {
        if is_there && planned.role == Role::Rollback {
            return go_back(stage, log, &planned.name).await.map(drop);
        }
        if is_there {
            continue;
        }
        is_there = planned.name == from;
        let end = step::run(stage, log, planned, Phase::Plan, None).await?;
        observe::probe(stage, log, &Moment::after(Phase::Plan, &planned.name), Which::All).await?;
        if !end.success {
            return Ok(());
        }
    }
    Ok(())
}
