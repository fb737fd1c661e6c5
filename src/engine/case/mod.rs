//! One case from its fresh databases to its word: the golden run, or the injured one with its recovery.
//!
//! ```text
//! checkpoint  the golden databases before a step, where cases may begin
//! stage       the databases, proxies and directories of one case
//! step        one child process, and the fault that waits for it
//! launch      what it is started with
//! placeholder what is written in braces
//! hazard      arming and striking
//! recovery    which steps run, and which lead out (pure)
//! way_out     the way out, taken, and injured itself
//! way_back    what a rollback loses; runs that go back earlier than the plan
//! ask         guards, and checks of the scenario's own
//! power       the files as a loss of power left them, and what is said of it
//! relocate    files that name the directory that they lay in
//! quiet       what the servers are still busy with after a step
//! self_check  whether what was recorded of files is all that was done to them
//! service     what runs beside the steps
//! report_age  how old a step's report is
//! pause       stopping where a fault has struck
//! ```

pub(in crate::engine) mod ask;
pub(in crate::engine) mod checkpoint;
pub(in crate::engine) mod hazard;
pub(in crate::engine) mod launch;
pub(in crate::engine) mod pause;
pub(in crate::engine) mod placeholder;
pub(in crate::engine) mod power;
pub(in crate::engine) mod quiet;
pub(in crate::engine) mod recovery;
pub(in crate::engine) mod relocate;
pub(in crate::engine) mod report_age;
pub(in crate::engine) mod self_check;
pub(in crate::engine) mod service;
pub(in crate::engine) mod stage;
pub(in crate::engine) mod step;
pub(in crate::engine) mod way_back;
pub(in crate::engine) mod way_out;

use crate::clock::Stopwatch;
use crate::engine::Traces;
use crate::engine::case::checkpoint::Checkpoint;
use crate::engine::case::power::Story;
use crate::engine::case::recovery::Course;
use crate::engine::case::stage::Stage;
use crate::engine::case::way_out::{Injured, Injuries, Taken};
use crate::engine::observe::diagnose;
use crate::engine::observe::facts;
use crate::engine::observe::{self, Which};
use crate::engine::run::context::{CaseLog, Rehearsed};
use crate::model::{Body, CaseEvents, Moment, Phase, Rerun, Role, Step};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a golden run leaves besides its events.
#[derive(Default)]
pub(in crate::engine) struct Recording {
    /// What passed the proxies, and what was done to files, by step.
    pub(in crate::engine) traces: BTreeMap<String, Traces>,
    /// How long each step took.
    pub(in crate::engine) durations: BTreeMap<String, Duration>,
    /// The files of the tool at the end.
    pub(in crate::engine) files: BTreeSet<String>,
    /// The steps that changed no file.
    pub(in crate::engine) leaves_files: BTreeSet<String>,
    /// What the databases held before a step.
    pub(in crate::engine) checkpoints: BTreeMap<String, Checkpoint>,
    /// What a step that power is lost in did to files.
    pub(in crate::engine) stories: BTreeMap<String, Story>,
}

/// The uninterrupted run: every step of the plan, every database looked at after each.
///
/// The last step that brings data runs twice, to see what running it again does. Stops at the first step that fails.
///
/// Keeps the databases before each step of `checkpoints` as long as the steps before it wrote no file.
pub(in crate::engine) async fn golden(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    checkpoints: &BTreeSet<String>,
) -> Result<Recording> {
    let mut recording = Recording::default();
    observe::probe(stage, log, &Moment::Start, Which::All).await?;
    for planned in &stage.context.plan.steps {
        let wrote_no_file = recording.leaves_files.len() == recording.durations.len();
        if checkpoints.contains(&planned.name) && wrote_no_file && checkpoint::keeps_settings(stage, log) {
            let checkpoint = Checkpoint::take(stage, &planned.name).await?;
            recording.checkpoints.insert(planned.name.clone(), checkpoint);
        }
        ask::guards(stage, log, &planned.name).await?;
        let watch = Stopwatch::start();
        stage.take_traces()?;
        let files = stage.files(planned)?;
        let goes_back = planned.role == Role::Rollback;
        let end = match goes_back {
            true => way_back::go_back(stage, log, &planned.name).await?,
            false => step::run(stage, log, planned, Phase::Plan, None).await?,
        };
        if files == stage.files(planned)? {
            recording.leaves_files.insert(planned.name.clone());
        }
        recording.durations.insert(planned.name.clone(), watch.elapsed());
        let ops = stage.take_file_ops()?;
        let before = self_check::files(stage, log, &planned.name, &ops)?;
        let mut traces = stage.take_traces()?;
        traces.extend(stage.file_traces(&ops));
        if let Some(before) = before.filter(|_| stage.context.loses_power(&planned.name)) {
            recording.stories.insert(planned.name.clone(), stage.story(before, ops));
        }
        facts::traffic(log, &planned.name, &traces)?;
        recording.traces.insert(planned.name.clone(), traces);
        let after = Moment::after(Phase::Plan, &planned.name);
        if !goes_back {
            observe::probe(stage, log, &after, Which::All).await?;
        }
        if !end.success {
            break;
        }
        if stage.context.plan.last_apply().is_some_and(|last| last.name == planned.name) {
            facts::sequences(stage, log, &after).await?;
            ask::own_checks(stage, log, &after).await?;
            let is_explained = diagnose::golden_run(stage, log, &after).await?;
            step::run(stage, log, planned, Phase::Rerun, None).await?;
            let again = Moment::after(Phase::Rerun, &planned.name);
            observe::probe(stage, log, &again, Which::Targets).await?;
            ask::own_checks(stage, log, &again).await?;
            if !is_explained {
                diagnose::golden_run(stage, log, &again).await?;
            }
        }
    }
    observe::leftovers(stage, log).await?;
    observe::probe(stage, log, &Moment::End, Which::All).await?;
    recording.files = stage.file_names()?;
    Ok(recording)
}

/// The injured run: what comes before, the fault, the way out, what comes after. Answers with the way out.
pub(in crate::engine) async fn injured(
    stage: &Stage<'_>,
    log: &mut CaseLog<'_>,
    golden: &CaseEvents,
    course: &Course,
    injuries: &Injuries,
) -> Result<Taken> {
    let mut taken = Taken::new();
    if run_all(stage, log, &course.before, Phase::Plan).await?
        && let Some(Injured { end, reached }) =
            way_out::injure(stage, log, &course.injured, Phase::Injured, &injuries.first).await?
    {
        let is_done = end.success && !must_run_again(stage, log);
        let mut goes_on = is_done;
        if !is_done && !end.timed_out {
            (taken, goes_on) = way_out::take(stage, log, &course.injured, injuries, &reached).await?;
        }
        if goes_on {
            let after = if is_golden(stage, log, golden) { &course.after_golden } else { &course.after };
            run_all(stage, log, after, Phase::Plan).await?;
        }
    }
    if ends_with_data(stage, log) {
        ask::own_checks(stage, log, &Moment::End).await?;
    }
    observe::leftovers(stage, log).await?;
    observe::probe(stage, log, &Moment::End, Which::All).await?;
    Ok(taken)
}

/// Whether the step that ran last is one after which the data is there.
fn ends_with_data(stage: &Stage<'_>, log: &CaseLog<'_>) -> bool {
    let last = log.events.step_ends().last();
    last.and_then(|last| stage.context.plan.step(&last.step)).is_some_and(|step| step.role.has_brought_data())
}

/// Whether a source has been written meanwhile: what the tool did then, it need not have seen.
fn must_run_again(stage: &Stage<'_>, log: &CaseLog<'_>) -> bool {
    stage.context.scenario.rerun != Rerun::Refuses && log.events.source_writes().next().is_some()
}

/// Whether every target is now as it was in the golden run after the step that ran last.
fn is_golden(stage: &Stage<'_>, log: &CaseLog<'_>, golden: &CaseEvents) -> bool {
    let Some(last) = log.events.step_ends().last() else { return false };
    let (now, then) = (Moment::after(last.phase, &last.step), Moment::after(Phase::Plan, &last.step));
    let same = |endpoint: &String| {
        let found = log.events.probe(&now, endpoint);
        found.is_some() && found == golden.probe(&then, endpoint)
    };
    stage.context.plan.target_endpoints().iter().all(same)
}

/// Whether all succeeded; stops at the first that does not.
async fn run_all(stage: &Stage<'_>, log: &mut CaseLog<'_>, names: &[String], phase: Phase) -> Result<bool> {
    for name in names {
        let step = find(stage, name)?;
        let end = step::run(stage, log, step, phase, None).await?;
        if step.role == Role::Verify || step.role == Role::Rollback {
            observe::probe(stage, log, &Moment::after(phase, name), Which::Targets).await?;
        }
        if !end.success {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(in crate::engine) fn find<'a>(stage: &Stage<'a>, name: &str) -> Result<&'a Step> {
    let step = stage.context.plan.step(name);
    step.ok_or_else(|| Error::bug(format!("step `{name}` is not in the plan")))
}

/// Says that a case begins.
pub(in crate::engine) fn started(
    context: &Rehearsed,
    events: &CaseEvents,
    label: Option<String>,
    token: Option<String>,
) -> Body {
    Body::CaseStarted {
        case: events.case.clone(),
        scenario: context.scenario.name.clone(),
        address: events.address.clone(),
        label,
        token,
    }
}
