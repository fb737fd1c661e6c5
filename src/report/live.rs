//! One line that says how far a run is. All times are those of the events.

use super::diagnosis::WIDTH;
use super::words::{count, cut, duration, plain};
use crate::model::{Body, Event, Outcome, ScenarioStart, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The state of a run, folded event by event.
#[derive(Debug, Clone, Default)]
pub struct Live {
    scenarios: BTreeMap<String, Progress>,
    current: String,
    now_us: u64,
    fired: u64,
    red: u64,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    canary: bool,
    planned: u64,
    done: u64,
    /// When the first injured case began: before it, nothing is known of how long one takes.
    began_us: Option<u64>,
    last_done_us: u64,
    /// Cases that run now.
    running: BTreeSet<String>,
    ended: bool,
}

impl Live {
    /// Nothing has happened yet.
    pub fn new() -> Live {
        Live::default()
    }

    /// Takes the next event.
    pub fn add(&mut self, event: &Event) {
        self.now_us = event.mono_us;
        match &event.body {
            Body::ScenarioStarted(ScenarioStart { scenario, expect, .. }) => {
                self.current = scenario.clone();
                let progress = Progress { canary: expect.is_some(), ..Progress::default() };
                self.scenarios.insert(scenario.clone(), progress);
            }
            Body::ScenarioPlanned { scenario, coverage, .. } => {
                let progress = self.progress(scenario);
                progress.planned = progress.planned.saturating_add(coverage.visited);
            }
            Body::CaseStarted { case, scenario, address: Some(_), .. } => {
                let now_us = self.now_us;
                self.current = scenario.clone();
                let progress = self.progress(scenario);
                progress.began_us.get_or_insert(now_us);
                progress.running.insert(case.clone());
            }
            Body::ScenarioFinished { scenario, .. } => self.progress(scenario).ended = true,
            Body::FaultFired { .. } => self.fired += 1,
            Body::CaseFinished { case, outcome, checks, .. } => {
                let worst =
                    Verdict::worst(checks.iter().map(|check| check.verdict).chain([Outcome::verdict(*outcome)]));
                self.finish(case, worst);
            }
            _ => {}
        }
    }

    fn finish(&mut self, case: &str, verdict: Verdict) {
        let scenario = case.rsplit_once('/').map_or(case, |(scenario, _)| scenario).to_owned();
        let now_us = self.now_us;
        let progress = self.progress(&scenario);
        if progress.running.remove(case) {
            progress.done += 1;
            progress.last_done_us = now_us;
        }
        // A canary turns red on purpose; its scenario says whether it did.
        let red = verdict != Verdict::Pass && !progress.canary;
        self.red += u64::from(red);
    }

    fn progress(&mut self, scenario: &str) -> &mut Progress {
        self.scenarios.entry(scenario.to_owned()).or_default()
    }

    /// Such as `one-db/kill-anywhere  case 24 of 412  24 fired  1 red  about 3 m 10 s left`; ASCII, at most 100 long.
    ///
    /// Where several scenarios are under way, the one that moved last stands for them: `one-db/kill-anywhere +2`, and
    /// cases and time are those of all of them.
    pub fn line(&self) -> String {
        if !self.scenarios.contains_key(&self.current) {
            return "starting".to_owned();
        }
        let under_way = self.scenarios.iter().filter(|(name, progress)| !progress.ended || **name == self.current);
        let under_way: Vec<&Progress> = under_way.map(|(_, progress)| progress).collect();
        let name = cut(&plain(&self.current), 40);
        let (name, progress) = match &under_way[..] {
            [only] => (name, (*only).clone()),
            several => (format!("{name} +{}", several.len() - 1), Progress::of_all(several)),
        };
        let mut parts = vec![name, progress.place()];
        parts.push(format!("{} fired", count(self.fired)));
        parts.push(format!("{} red", count(self.red)));
        parts.extend(progress.left_us(self.now_us).map(|us| format!("about {} left", duration(us))));
        cut(&parts.join("  "), WIDTH)
    }
}

impl Progress {
    fn of_all(several: &[&Progress]) -> Progress {
        Progress {
            canary: false,
            planned: several.iter().map(|progress| progress.planned).fold(0, u64::saturating_add),
            done: several.iter().map(|progress| progress.done).sum(),
            began_us: several.iter().filter_map(|progress| progress.began_us).min(),
            last_done_us: several.iter().map(|progress| progress.last_done_us).max().unwrap_or(0),
            running: several.iter().flat_map(|progress| progress.running.iter().cloned()).collect(),
            ended: false,
        }
    }

    fn place(&self) -> String {
        let started = self.done + self.running.len() as u64;
        match (started, self.planned) {
            (0, 0) => "golden run".to_owned(),
            (0, planned) => format!("{} cases planned", count(planned)),
            (started, planned) => format!("case {} of {}", count(started), count(planned.max(started))),
        }
    }

    /// From the rate of the cases that are done, less the time since; nothing while there is no rate or none are left.
    fn left_us(&self, now_us: u64) -> Option<u64> {
        let worked_us = u128::from(self.last_done_us.checked_sub(self.began_us?)?);
        let left = u128::from(self.planned.checked_sub(self.done).filter(|left| *left > 0)?);
        let all_us = u64::try_from((worked_us * left).checked_div(u128::from(self.done))?).ok()?;
        Some(all_us.saturating_sub(now_us.saturating_sub(self.last_done_us)))
    }
}
