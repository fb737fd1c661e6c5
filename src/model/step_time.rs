//! How long each step takes while nobody injures it, over all the times that it ran. A pure function of the record.

use crate::model::{Body, CaseRecord, Phase, Role, ScenarioRecord};

/// The times of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTimes {
    /// Its name.
    pub step: String,
    /// What it does.
    pub role: Role,
    /// How long it took, in microseconds, sorted; one entry for each time that it ran and succeeded.
    pub times_us: Vec<u64>,
}

impl StepTimes {
    /// The time that half of the runs did not exceed, in microseconds; 0 where it never ran.
    pub fn median_us(&self) -> u64 {
        let middle = self.times_us.len().saturating_sub(1) / 2;
        self.times_us.get(middle).copied().unwrap_or(0)
    }

    /// The longest, in microseconds; 0 where it never ran.
    pub fn slowest_us(&self) -> u64 {
        self.times_us.last().copied().unwrap_or(0)
    }
}

/// Of each step of the uninterrupted run, in its order. Runs of injured cases count up to the step that is injured.
pub fn step_times(scenario: &ScenarioRecord) -> Vec<StepTimes> {
    let Some(golden) = scenario.golden().next() else { return Vec::new() };
    let steps = golden.events.iter().filter_map(|event| match event {
        Body::StepStarted { step, role, phase: Phase::Plan, .. } => Some((step, *role)),
        _ => None,
    });
    let of = |(step, role): (&String, Role)| {
        let mut times_us: Vec<u64> = scenario.cases.values().flat_map(|case| uninjured(case, step)).collect();
        times_us.sort_unstable();
        StepTimes { step: step.clone(), role, times_us }
    };
    steps.map(of).collect()
}

fn uninjured(case: &CaseRecord, name: &str) -> Vec<u64> {
    let is_injured = |event: &&Body| matches!(event, Body::StepStarted { phase: Phase::Injured, .. });
    let before = case.events.iter().take_while(|event| !is_injured(event));
    let times = before.filter_map(|event| match event {
        Body::StepFinished { step, phase: Phase::Plan, success: true, duration_us, .. } if step == name => {
            Some(*duration_us)
        }
        _ => None,
    });
    times.collect()
}
