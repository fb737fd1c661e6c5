//! What happened along the time of a case, for those who draw it.

use super::words::duration;
use crate::model::{Body, CaseRecord, Met, Phase, ScenarioRecord, States, WriteWindow, write_windows, writer};

/// Who did something, or had it done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Harness,
    Tool,
    Source,
    Target,
    Workload,
}

impl Lane {
    /// All of them, as they lie below each other.
    pub(super) const ALL: [Lane; 5] = [Lane::Harness, Lane::Tool, Lane::Source, Lane::Target, Lane::Workload];

    pub(super) fn name(self) -> &'static str {
        match self {
            Lane::Harness => "harness",
            Lane::Tool => "tool",
            Lane::Source => "source",
            Lane::Target => "target",
            Lane::Workload => "workload",
        }
    }
}

/// How it is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Look,
    Plain,
}

/// Something from one time to another, in microseconds since the start of the run.
pub(super) struct Mark {
    pub(super) lane: Lane,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// Steps, looks and writes, as they ended.
pub(super) fn marks(scenario: &ScenarioRecord, case: &CaseRecord) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut step: Option<(u64, &str)> = None;
    let mut idle_since = case.times_us.first().copied().unwrap_or(0);
    let mark = |lane, from_us, to_us, text: String, tone| Mark { lane, from_us, to_us, text, tone };
    for (event, us) in case.timed() {
        match event {
            Body::StepStarted { step: name, .. } => {
                marks.push(mark(Lane::Harness, idle_since, us, "looks".to_owned(), Tone::Plain));
                step = Some((us, name));
            }
            Body::StepFinished { step: name, phase, success, .. } => {
                let from = step.take().filter(|(_, begun)| begun == name).map_or(us, |(from, _)| from);
                let tone = if *success { Tone::Good } else { Tone::Bad };
                marks.push(mark(Lane::Tool, from, us, format!("{name} ({phase})"), tone));
                idle_since = us;
            }
            Body::Probe { endpoint, moment, .. } => {
                let lane = if scenario.sources.contains(endpoint) { Lane::Source } else { Lane::Target };
                marks.push(mark(lane, us, us, format!("{endpoint} {moment}"), Tone::Look));
            }
            Body::SourceWritten { endpoint, what, .. } => {
                marks.push(mark(Lane::Source, us, us, format!("written to {endpoint}: {what}"), Tone::Bad));
            }
            Body::CaseFinished { .. } => {
                marks.push(mark(Lane::Harness, idle_since, us, "looks, judges".to_owned(), Tone::Plain));
            }
            _ => {}
        }
    }
    marks
}

/// From when to when a fault was there, and which; without an end, to the end of its step.
pub(super) fn struck(case: &CaseRecord) -> Vec<(u64, u64, String)> {
    let mut struck: Vec<(u64, u64, String)> = Vec::new();
    let mut open: Option<(u64, String)> = None;
    for (event, us) in case.timed() {
        match event {
            Body::FaultFired { address, what, .. } => open = Some((us, format!("{address}: {what}"))),
            Body::FaultCleared { .. } | Body::StepFinished { .. } if open.is_some() => {
                struck.extend(open.take().map(|(from, fault)| (from, us, fault)));
            }
            _ => {}
        }
    }
    struck
}

/// Those who write: in a case of theirs what they met; in an uninjured one for how long nobody may.
pub(super) fn workload(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Vec<Mark> {
    if case.address.is_none() {
        let windows = write_windows(scenario, states);
        return windows.iter().filter_map(|window| closed(case, window)).collect();
    }
    let came = case.timed().find(|(event, _)| matches!(event, Body::WriterCame { .. }));
    let met = came.zip(writer(scenario, case, states)).map(|((_, us), writer)| {
        let (text, tone) = match writer.met {
            Met::KeptOut => ("kept out", Tone::Bad),
            Met::Refused => ("let in; the step refused", Tone::Plain),
            Met::Missed => ("let in; not in the target", Tone::Plain),
            Met::Carried => ("let in; it arrived", Tone::Good),
        };
        Mark { lane: Lane::Workload, from_us: us, to_us: us, text: format!("a writer: {text}"), tone }
    });
    met.into_iter().collect()
}

fn closed(case: &CaseRecord, window: &WriteWindow) -> Option<Mark> {
    let of_step = |is_it: &dyn Fn(&Body) -> bool| case.timed().find(|(event, _)| is_it(event)).map(|(_, us)| us);
    let begun =
        of_step(&|event| matches!(event, Body::StepStarted { step, phase: Phase::Plan, .. } if *step == window.step))?;
    let to_us =
        of_step(&|event| matches!(event, Body::StepFinished { step, phase: Phase::Plan, .. } if *step == window.step))?;
    let from_us = (begun + window.from_us?).min(to_us);
    let text = format!("nobody may write for {}", duration(window.wait_us()));
    Some(Mark { lane: Lane::Workload, from_us, to_us, text, tone: Tone::Bad })
}
