//! One step: a child process, the fault that waits for it, and its end.

use crate::Result;
use crate::clock::Stopwatch;
use crate::engine::case::hazard::{self, Injury, News};
use crate::engine::case::launch;
use crate::engine::case::pause;
use crate::engine::case::quiet;
use crate::engine::case::report_age;
use crate::engine::case::service;
use crate::engine::case::stage::Stage;
use crate::engine::files::Detail;
use crate::engine::observe::diagnose;
use crate::engine::run::context::CaseLog;
use crate::model::{Body, ClaimedValues, Claims, Condition, Phase, Step, StepEnd, values_at};
use crate::process::{Child, Exit};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The bound of a step before anything is known of it.
const FIRST_BOUND: Duration = Duration::from_secs(600);

/// Runs a step to its end, whatever end that is.
///
/// # Errors
/// The harness could not start or watch it. A step that fails is no error.
pub(in crate::engine) async fn run(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &Step,
    phase: Phase,
    injury: Option<&Injury>,
) -> Result<StepEnd> {
    let not_ready = service::before(stage, log, &step.name).await?;
    let spawn = launch::prepare(stage, step, phase, injury)?;
    let began = report_age::began(stage)?;
    stage.begin_file_record(detail(log, phase))?;
    let (case, name) = (log.case(), step.name.clone());
    log.record(Body::StepStarted { case: case.clone(), step: name, role: step.role, phase, argv: step.argv.clone() })?;
    if let Some(why) = not_ready {
        return unstarted(stage, log, step, phase, &why);
    }
    if injury.is_some() {
        stage.looks.forget(); // what strikes may write, and so may whoever looks into a paused case
    }
    let armed = match injury {
        Some(injury) => hazard::arm(stage, log, injury, step).await?,
        None => None,
    };
    let watch = Stopwatch::start();
    let mut child = spawn.start()?;
    let (exit, timed_out) = watch_over(stage, log, step, &mut child, injury.zip(armed)).await?;
    let duration_us = watch.elapsed_us();
    if injury.is_some() || timed_out {
        let waits = injury.is_none_or(|injury| timed_out || !injury.hazard.outlives_the_tool());
        let waited_us = stage.heal(waits).await?;
        log.record(Body::FaultCleared { case: case.clone(), waited_us })?;
    }
    if let Some(injury) = injury {
        pause::dead(stage, log, injury).await?;
    }
    let success = exit.code.is_some_and(|code| step.exit.contains(&code)) && !timed_out;
    let Exit { code: exit, signal } = exit;
    let end = StepEnd { step: step.name.clone(), phase, exit, signal, success, timed_out };
    finished(log, &end, duration_us)?;
    claim(stage, log, step, phase)?;
    report_age::record(stage, log, step, phase, began)?;
    if !matches!(phase, Phase::Injured | Phase::Relapse) {
        quiet::look(stage, log, step, phase).await?;
    }
    Ok(end)
}

/// Writes down how a step ended.
pub(in crate::engine) fn finished(log: &mut CaseLog<'_>, end: &StepEnd, duration_us: u64) -> Result<()> {
    let StepEnd { step, phase, exit, signal, success, timed_out } = end.clone();
    log.record(Body::StepFinished { case: log.case(), step, phase, exit, signal, success, timed_out, duration_us })
}

/// Golden runs record all, for that is checked; in the others the places are enough.
fn detail(log: &CaseLog<'_>, phase: Phase) -> Detail {
    match log.events.address.is_none() && phase == Phase::Plan {
        true => Detail::Content,
        false => Detail::Operations,
    }
}

/// A step whose service is not ready has failed before it began; its log says why.
fn unstarted(stage: &Stage<'_>, log: &mut CaseLog<'_>, step: &Step, phase: Phase, why: &str) -> Result<StepEnd> {
    let path = stage.folder("logs").join(format!("{phase}-{}.stderr", step.name));
    fs::write(&path, why).map_err(|error| crate::Error::io("write", &path, error))?;
    let step = step.name.clone();
    let end = StepEnd { step, phase, exit: None, signal: None, success: false, timed_out: false };
    finished(log, &end, 0)?;
    Ok(end)
}

/// The loop: the end of the tool, the fault that strikes, the bound.
async fn watch_over(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    step: &Step,
    child: &mut Child,
    mut injury: Option<(&Injury, News<'_>)>,
) -> Result<(Exit, bool)> {
    let bound = stage.context.bounds.get(&step.name).copied().or(step.timeout).unwrap_or(FIRST_BOUND);
    let deadline = tokio::time::sleep(bound);
    tokio::pin!(deadline);
    loop {
        let fired = async {
            match &mut injury {
                Some((_, news)) => news.come().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // In this order: a tool that ends because of a fault ends after the news of it.
            biased;
            what = fired => {
                if let Some((injury, _)) = &injury {
                    hazard::strike(stage, log, child, injury, what?).await?;
                    let paused = pause::living(stage, log, child, injury).await?;
                    let later = deadline.deadline() + paused;
                    deadline.as_mut().reset(later);
                }
                injury = None;
            }
            exit = child.wait() => {
                let exit = exit?;
                let is_news_left = injury.as_ref().map_or(Ok(false), |(_, news)| news.is_there())?;
                if !is_news_left {
                    return Ok((exit, false));
                }
            }
            () = &mut deadline => {
                diagnose::obstacles(stage, log, &format!("when `{}` went over its bound", step.name)).await?;
                hazard::kill(stage, child).await?;
                return Ok((child.wait().await?, true));
            }
        }
    }
}

/// Reads what the step says of itself.
fn claim(stage: &Stage<'_>, log: &mut CaseLog<'_>, step: &Step, phase: Phase) -> Result<()> {
    let Claims::Report { report, ok } = &step.claims else { return Ok(()) };
    let path = stage.folder("work").join(report);
    let found = read_report(&path, report);
    let (ok, note) = said_of_itself(&found, report, ok);
    log.record(Body::Claim { case: log.case(), step: step.name.clone(), phase, ok, note })?;
    // Criteria speak of the uninterrupted run.
    match found.ok().filter(|_| phase == Phase::Plan && log.events.address.is_none()) {
        Some(report) => claimed(stage, log, step, &report),
        None => Ok(()),
    }
}

/// Writes down what the report holds where a rule asks for it.
fn claimed(stage: &Stage<'_>, log: &mut CaseLog<'_>, step: &Step, report: &serde_json::Value) -> Result<()> {
    let rules = stage.context.criteria.iter().filter_map(|rule| rule.claimed.as_ref());
    let pointers: BTreeSet<&String> =
        rules.filter(|claimed| claimed.artifact == step.name).map(|claimed| &claimed.pointer).collect();
    for pointer in pointers {
        let (case, step, values) = (log.case(), step.name.clone(), values_at(report, pointer));
        log.record(Body::Claimed(ClaimedValues { case, step, pointer: pointer.clone(), values }))?;
    }
    Ok(())
}

/// The report in `path`, or why there is none; `report` is what it is called.
pub(in crate::engine) fn read_report(path: &Path, report: &str) -> std::result::Result<serde_json::Value, String> {
    let bytes = fs::read(path).map_err(|_| format!("wrote no {report}"))?;
    serde_json::from_slice(&bytes).map_err(|_| format!("{report} is not JSON"))
}

/// Whether a report says that all is well, and how; nothing where there is none.
pub(in crate::engine) fn said_of_itself(
    found: &std::result::Result<serde_json::Value, String>,
    report: &str,
    ok: &Condition,
) -> (Option<bool>, String) {
    match found {
        Err(why) => (None, why.clone()),
        Ok(json) => {
            let said = json.pointer(&ok.pointer).map_or("nothing".to_owned(), serde_json::Value::to_string);
            (Some(ok.holds(json)), format!("{report} has {said} at {}", ok.pointer))
        }
    }
}
