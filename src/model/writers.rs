//! What writers to a source met while a step was at work (`src.write`), and for how long they have to stand still. A pure
//! function of the record.

use crate::model::{Body, CaseRecord, Moment, Phase, ScenarioRecord, States, step_times};
use std::collections::BTreeMap;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// The tool held locks that it did not pass.
    KeptOut,
    /// It was let in, and the step refused.
    Refused,
    /// It was let in, the step went well, and the targets do not have it.
    Missed,
    /// The targets have it.
    Carried,
}

/// One write, in a case of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The step that was at work.
    pub step: String,
    /// How long after its beginning, in microseconds.
    pub came_us: u64,
    /// What became of it.
    pub met: Met,
}

/// The writes during one step, over all cases of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteWindow {
    /// The step.
    pub step: String,
    /// How many met what.
    pub met: BTreeMap<Met, u64>,
    /// The first and the last that locks kept out, in microseconds after the beginning of the step.
    pub locked_us: Option<(u64, u64)>,
    /// The first that is not in the targets for whatever reason, in microseconds after the beginning of the step.
    pub from_us: Option<u64>,
    /// How long the step takes uninjured: the median, in microseconds.
    pub step_us: u64,
}

impl WriteWindow {
    /// How long writers have to stand still, in microseconds: from the first write that does not arrive to the end of the
    /// step.
    pub fn wait_us(&self) -> u64 {
        self.from_us.map_or(0, |from_us| self.step_us.saturating_sub(from_us))
    }
}

/// One for each step during which somebody wrote, in the order of the plan.
pub fn write_windows(scenario: &ScenarioRecord, states: &States) -> Vec<WriteWindow> {
    let writers: Vec<Writer> = scenario.injured().filter_map(|case| writer(scenario, case, states)).collect();
    let of = |(step, step_us): (String, u64)| {
        let own: Vec<&Writer> = writers.iter().filter(|writer| writer.step == step).collect();
        (!own.is_empty()).then(|| window(step, step_us, &own))
    };
    let steps = step_times(scenario).into_iter().map(|times| (times.step.clone(), times.median_us()));
    steps.filter_map(of).collect()
}

fn window(step: String, step_us: u64, writers: &[&Writer]) -> WriteWindow {
    let mut met = BTreeMap::new();
    writers.iter().for_each(|writer| *met.entry(writer.met).or_default() += 1);
    let came = |is_it: fn(Met) -> bool| writers.iter().filter(move |writer| is_it(writer.met)).map(|one| one.came_us);
    let locked = || came(|met| met == Met::KeptOut);
    let locked_us = locked().min().zip(locked().max());
    WriteWindow { step, met, locked_us, from_us: came(|met| met != Met::Carried).min(), step_us }
}

/// The first write of a case, if there was one.
pub fn writer(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Option<Writer> {
    let came = case.timed().position(|(event, _)| matches!(event, Body::WriterCame { .. }))?;
    let (step, began_us) = case.timed().take(came).filter_map(began).last()?;
    let rest = &case.events[came..];
    let is_in = rest.iter().any(|event| matches!(event, Body::SourceWritten { .. }));
    let is_well = rest.iter().any(|event| {
        matches!(event, Body::StepFinished { step: of, phase: Phase::Injured, success: true, .. } if *of == step)
    });
    let met = match (is_in, is_well) {
        (false, _) => Met::KeptOut,
        (true, false) => Met::Refused,
        (true, true) if is_as_uninjured(scenario, case, &step, states) => Met::Missed,
        (true, true) => Met::Carried,
    };
    Some(Writer { step, came_us: case.times_us[came].saturating_sub(began_us), met })
}

fn began((event, us): (&Body, u64)) -> Option<(String, u64)> {
    match event {
        Body::StepStarted { step, phase: Phase::Injured, .. } => Some((step.clone(), us)),
        _ => None,
    }
}

/// Whether every target holds the rows that the step leaves in it when nobody writes.
fn is_as_uninjured(scenario: &ScenarioRecord, case: &CaseRecord, step: &str, states: &States) -> bool {
    let Some(golden) = scenario.golden().next() else { return false };
    let (then, now) = (golden.as_events(), case.as_events());
    let (planned, injured) = (Moment::after(Phase::Plan, step), Moment::after(Phase::Injured, step));
    let targets =
        now.probes().filter(|(moment, of, _)| **moment == injured && !scenario.sources.iter().any(|s| s == of));
    let mut same = targets.map(|(_, endpoint, state)| {
        let tables = |digest: &str| states.get(digest).map(|state| &state.tables);
        tables(state).is_some() && tables(state) == then.probe(&planned, endpoint).and_then(tables)
    });
    same.all(|is_same| is_same)
}
