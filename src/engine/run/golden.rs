//! The golden run, twice, side by side: what the tool does when nobody injures it, and what of that is chance.

use crate::Result;
use crate::engine::case::stage::Stage;
use crate::engine::case::{self, Recording};
use crate::engine::observe;
use crate::engine::run::context::{CaseLog, Ending, Rehearsed};
use crate::model::{Body, CaseEvents, History, Moment, Outcome, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What the two golden runs have shown.
#[derive(Clone)]
pub(in crate::engine) struct Golden {
    /// The scenario that they are of; several may share them.
    pub(in crate::engine) scenario: String,
    /// The events of the first one, to which everything is compared.
    pub(in crate::engine) events: CaseEvents,
    pub(in crate::engine) first: Arc<Recording>,
    pub(in crate::engine) second: Arc<Recording>,
    /// Of a third one, alone on its server, if it was made: with durable states.
    pub(in crate::engine) alone: Option<Arc<Recording>>,
    /// Whether both are green; if not, nothing is injured.
    pub(in crate::engine) is_green: bool,
}

/// Runs it twice on databases of its own, and judges both against the first.
///
/// The first one keeps its databases before each step of `checkpoints`.
///
/// A hunt makes do with one: its cases prove nothing yet.
pub(in crate::engine) async fn run(context: &Rehearsed<'_>, checkpoints: &BTreeSet<String>) -> Result<Golden> {
    let name = |number: u32| format!("{}/golden-{number}", context.scenario.name);
    let (mut one, mut two) = (CaseLog::new(context.run, name(1)), CaseLog::new(context.run, name(2)));
    let none = BTreeSet::new();
    if context.run.is_hunt {
        let first = recorded(context, &mut one, checkpoints).await;
        let (events, trouble) = (one.events.clone(), trouble(&first));
        let end = finish(context, &mut one, &events, trouble)?;
        let first = first.unwrap_or_default().end(&one, end).await?;
        let second = Recording { traces: first.traces.clone(), ..Recording::default() };
        return Ok(Golden::of(context, events, [first, second], end.1 == Verdict::Pass));
    }
    let (first, second) =
        tokio::join!(Box::pin(recorded(context, &mut one, checkpoints)), Box::pin(recorded(context, &mut two, &none)));
    let golden = one.events.clone();
    let (first_trouble, second_trouble) = (trouble(&first), trouble(&second));
    let ends =
        [finish(context, &mut one, &golden, first_trouble)?, finish(context, &mut two, &golden, second_trouble)?];
    let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    if let (Some(one_stage), Some(other)) = (&first.stage, &second.stage) {
        // Only a hint: that it cannot be given changes no verdict.
        if let Err(error) = suggest_volatile(context, &two, &golden, one_stage, other).await {
            let text = format!("cannot name the columns in which two uninjured runs differ: {error}");
            context.run.journal.append(Body::Note { case: None, text })?;
        }
    }
    let (first, second) = tokio::join!(first.end(&one, ends[0]), second.end(&two, ends[1]));
    let is_green = Verdict::worst(ends.map(|(_, verdict)| verdict)) == Verdict::Pass;
    Ok(Golden::of(context, golden, [first?, second?], is_green))
}

impl Golden {
    fn of(context: &Rehearsed<'_>, events: CaseEvents, recordings: [Recording; 2], is_green: bool) -> Golden {
        let [first, second] = recordings.map(Arc::new);
        Golden { scenario: context.scenario.name.clone(), events, first, second, alone: None, is_green }
    }
}

/// Once more, alone on a server of its own, where durable states can be told apart. It must be as green as the others.
pub(in crate::engine) async fn alone(context: &Rehearsed<'_>, golden: &Golden) -> Result<Option<Arc<Recording>>> {
    let _seat = context.run.turns.seat().await;
    let mut log = CaseLog::new(context.run, format!("{}/golden-alone", context.scenario.name));
    log.record(case::started(context, &log.events, None, None))?;
    let stage = Stage::set_alone(context).await?;
    stage.watch_epochs();
    let recording = case::golden(&stage, &mut log, &BTreeSet::new()).await;
    stage.keep_logs(&log.case())?;
    let (outcome, verdict) = finish(context, &mut log, &golden.events, trouble(&recording))?;
    context.run.keeper.end(stage, &log, outcome, verdict).await?;
    Ok(recording.ok().filter(|_| verdict == Verdict::Pass).map(Arc::new))
}

#[derive(Default)]
struct Staged<'a> {
    recording: Recording,
    stage: Option<Stage<'a>>,
}

impl Staged<'_> {
    async fn end(self, log: &CaseLog<'_>, (outcome, verdict): (Outcome, Verdict)) -> Result<Recording> {
        if let Some(stage) = self.stage {
            stage.context.run.keeper.end(stage, log, outcome, verdict).await?;
        }
        Ok(self.recording)
    }
}

async fn recorded<'a>(
    context: &'a Rehearsed<'a>,
    log: &mut CaseLog<'_>,
    checkpoints: &BTreeSet<String>,
) -> Result<Staged<'a>> {
    let _seat = context.run.turns.seat().await;
    log.record(case::started(context, &log.events, None, None))?;
    let stage = Stage::set(context, None).await?;
    let recording = case::golden(&stage, log, checkpoints).await;
    stage.keep_logs(&log.case())?;
    Ok(Staged { recording: recording?, stage: Some(stage) })
}

fn trouble<T>(result: &Result<T>) -> Option<String> {
    result.as_ref().err().map(ToString::to_string)
}

fn finish(
    context: &Rehearsed<'_>,
    log: &mut CaseLog<'_>,
    golden: &CaseEvents,
    trouble: Option<String>,
) -> Result<(Outcome, Verdict)> {
    let ending = trouble.map_or(Ending::Finished, Ending::Trouble);
    let judged = log.judge(context, golden, ending);
    let (outcome, verdict) = (judged.outcome, judged.verdict());
    log.finish(judged)?;
    Ok((outcome, verdict))
}

/// Prints the columns in which two uninjured runs differ, ready to paste.
async fn suggest_volatile(
    context: &Rehearsed<'_>,
    two: &CaseLog<'_>,
    golden: &CaseEvents,
    one_stage: &Stage<'_>,
    other: &Stage<'_>,
) -> Result<()> {
    for (endpoint, tables) in differing_tables(context, &two.events, golden) {
        for table in tables {
            let columns = observe::differing_columns(one_stage, other, &endpoint, &table).await?;
            if !columns.is_empty() {
                let text = format!(
                    "two uninjured runs differ in {endpoint}; if that must be, say so in the scenario:\n\
                     [[volatile]]\ntable = \"{table}\"\ncolumns = {columns:?}\nreason = \"...\""
                );
                context.run.journal.append(Body::Note { case: None, text })?;
            }
        }
    }
    Ok(())
}

/// Tables whose rows differ at the end of the two runs, by endpoint.
fn differing_tables(
    context: &Rehearsed<'_>,
    two: &CaseEvents,
    golden: &CaseEvents,
) -> BTreeMap<String, BTreeSet<String>> {
    let states = context.run.states();
    let history = History { scenario: context.scenario, plan: context.plan, golden, case: two, states: &states };
    let tables = |endpoint: &String| {
        let (one, other) = (history.golden_state(&Moment::End, endpoint)?, history.state(&Moment::End, endpoint)?);
        let names = one.tables.iter().filter(|(name, digest)| other.tables.get(*name) != Some(digest));
        Some((endpoint.clone(), names.map(|(name, _)| name.clone()).collect()))
    };
    context.plan.target_endpoints().iter().filter_map(tables).collect()
}

/// The steps that changed nothing in either golden run: no database and no file, their own reports apart.
pub(in crate::engine) fn idle_steps(context: &Rehearsed<'_>, golden: &Golden) -> BTreeSet<String> {
    let changes_nothing = |name: &String| {
        let files = [&golden.first, &golden.second].iter().all(|recording| recording.leaves_files.contains(name));
        files && context.plan.endpoints().iter().all(|endpoint| leaves(&golden.events, endpoint, name))
    };
    context.plan.steps.iter().map(|step| step.name.clone()).filter(changes_nothing).collect()
}

fn leaves(events: &CaseEvents, endpoint: &str, step: &str) -> bool {
    let probes: Vec<(&Moment, &str)> =
        events.probes().filter(|(_, of, _)| *of == endpoint).map(|(moment, _, state)| (moment, state)).collect();
    let after = Moment::after(crate::model::Phase::Plan, step);
    probes.windows(2).any(|pair| *pair[1].0 == after && pair[0].1 == pair[1].1)
}

/// The bound of each step: what the scenario says, else the larger of 60 s and ten times the golden run.
pub(in crate::engine) fn bounds(context: &Rehearsed<'_>, golden: &Recording) -> BTreeMap<String, Duration> {
    let bound = |step: &crate::model::Step| {
        let took = golden.durations.get(&step.name).copied().unwrap_or_default();
        (step.name.clone(), step.timeout.unwrap_or_else(|| (took * 10).max(Duration::from_secs(60))))
    };
    context.plan.steps.iter().map(bound).collect()
}
