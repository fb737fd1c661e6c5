//! A run as reports see it: the events, folded by scenario and case. A pure function of the events.

use crate::model::{
    Baseline, Body, CaseEvents, CaseRecord, Classification, Coverage, CriteriaSet, Criterion, Cutover, EnvironmentFile,
    Event, ExpectRecord, Omitted, ScenarioStart, SharePlan, Unvisited, Verdict, WayBack, ways_back,
};
use std::collections::{BTreeMap, BTreeSet};

/// A run.
#[derive(Debug, Clone, Default)]
pub struct RunRecord {
    /// Its id.
    pub run: String,
    /// Version of the harness.
    pub version: String,
    /// Its tier.
    pub tier: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// How long it took so far.
    pub duration_us: u64,
    /// What it ran on; not from the journal, but from the file beside it, and nothing where nobody has read that.
    pub environment: Option<EnvironmentFile>,
    /// In the order in which they started.
    pub scenarios: Vec<ScenarioRecord>,
    /// The run that it is compared with.
    pub baseline: Option<Baseline>,
    /// What holds for every run.
    pub criteria: Vec<Criterion>,
    /// Sentences that concern no case.
    pub notes: Vec<String>,
    /// Scenarios that were left out as the caller allowed, and what was missing.
    pub omitted: BTreeMap<String, String>,
    /// Whether it was asked to end before its end.
    pub is_interrupted: bool,
    /// What it rests on, if it is the record of a real migration.
    pub cutover: Option<Cutover>,
    /// Per dataset: kinds of planted change that the comparison saw, and how many there were.
    pub proofs: BTreeMap<String, (u64, u64)>,
    /// The worst of everything; nothing while the run is not finished.
    pub verdict: Option<Verdict>,
    /// Digest of the deterministic part; empty while the run is not finished.
    pub outcome_sha256: String,
}

/// A scenario of a run.
#[derive(Debug, Clone, Default)]
pub struct ScenarioRecord {
    /// Its name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// The procedure.
    pub flow: Option<String>,
    /// Dataset and size.
    pub dataset: String,
    /// Where its rows come from; nothing where none was loaded.
    pub classification: Option<Classification>,
    /// Seed.
    pub seed: u64,
    /// Of the dataset and its seed.
    pub dataset_sha256: String,
    /// Of the tool.
    pub tool_sha256: String,
    /// The endpoints that must not be changed.
    pub sources: Vec<String>,
    /// What a canary must turn red.
    pub expect: Option<ExpectRecord>,
    /// Per fault: kind, step, coverage.
    pub faults: Vec<(String, String, Coverage)>,
    /// What its runbook demands.
    pub criteria: Vec<Criterion>,
    /// Where this run takes a part of the cases: all of them, by fault.
    pub shares: Vec<SharePlan>,
    /// Planned cases that did not begin, because the time was over; `faults` does not count them as visited.
    pub unvisited: u64,
    /// Sorted by name: the golden cases last (`golden-1` after `0001-...`). Those that it shares with another scenario
    /// have that one's names.
    pub cases: BTreeMap<String, CaseRecord>,
    /// Its verdict; nothing while it is not finished.
    pub verdict: Option<Verdict>,
    /// Why, for people.
    pub why: String,
    /// How long it took; 0 while it is not finished.
    pub duration_us: u64,
    /// When it started, since the start of the run.
    pub started_us: u64,
}

impl RunRecord {
    /// Folds `events`, which may end anywhere: what is not finished is not green.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> RunRecord {
        let mut record = RunRecord::default();
        events.into_iter().for_each(|event| record.add(event));
        record
    }

    /// Adds the next event.
    pub fn add(&mut self, event: &Event) {
        self.duration_us = event.mono_us;
        match &event.body {
            Body::RunStarted { run, version, tier, .. } => {
                (self.run, self.version, self.tier) = (run.clone(), version.clone(), tier.clone());
                self.started = event.t.clone();
            }
            Body::RunFinished { verdict, outcome_sha256 } => {
                self.verdict = Some(*verdict);
                self.outcome_sha256 = outcome_sha256.clone();
            }
            Body::ChecksProved { dataset, proof, .. } => {
                let seen = proof.killed.len() as u64;
                self.proofs.insert(dataset.clone(), (seen, seen + proof.survived.len() as u64));
            }
            Body::Note { case: None, text } => self.notes.push(text.clone()),
            Body::ScenarioOmitted(Omitted { scenario, missing }) => {
                self.notes.push(format!("{scenario} was left out, as allowed: no {missing}"));
                self.omitted.insert(scenario.clone(), missing.clone());
            }
            Body::CutoverStarted(cutover) => self.cutover = Some(cutover.clone()),
            Body::RunInterrupted {} => {
                self.notes.push("interrupted; the rest was not rehearsed".to_owned());
                self.is_interrupted = true;
            }
            body => self.add_body(body, event.mono_us),
        }
    }

    pub(super) fn add_body(&mut self, body: &Body, mono_us: u64) {
        match body {
            Body::ScenarioStarted(start) => self.scenarios.push(ScenarioRecord::started(start, mono_us)),
            Body::GoldenShared(share) => share.add_to(self),
            Body::ScenarioPlanned { scenario, kind, during, coverage } => {
                if let Some(record) = self.scenario(scenario) {
                    record.faults.push((kind.clone(), during.clone(), *coverage));
                }
            }
            Body::Baseline(baseline) => self.baseline = Some(baseline.clone()),
            Body::Criteria(CriteriaSet { scenario: None, rules }) => self.criteria.clone_from(rules),
            Body::Criteria(CriteriaSet { scenario: Some(scenario), rules }) => {
                if let Some(record) = self.scenario(scenario) {
                    record.criteria.clone_from(rules);
                }
            }
            Body::ShardPlanned(share) => {
                if let Some(record) = self.scenario(&share.scenario) {
                    record.shares.push(share.clone());
                }
            }
            Body::BudgetOver(Unvisited { scenario, kind, during, unvisited }) => {
                if let Some(record) = self.scenario(scenario) {
                    record.unvisited = record.unvisited.saturating_add(*unvisited);
                    let own = record.faults.iter_mut().rfind(|(of, step, _)| of == kind && step == during);
                    own.into_iter().for_each(|(_, _, coverage)| {
                        coverage.visited = coverage.visited.saturating_sub(*unvisited);
                    });
                }
            }
            Body::ScenarioFinished { scenario, verdict, why } => {
                // One that could not even begin has nothing else to say.
                if self.scenario(scenario).is_none() {
                    self.scenarios.push(ScenarioRecord::unable(scenario, mono_us));
                }
                if let Some(record) = self.scenario(scenario) {
                    (record.verdict, record.why) = (Some(*verdict), why.clone());
                    record.duration_us = mono_us - record.started_us;
                }
            }
            body => self.add_to_case(body, mono_us),
        }
    }

    fn add_to_case(&mut self, body: &Body, mono_us: u64) {
        let Some(case) = body.case() else { return };
        let scenario = case.rsplit_once('/').map_or(case, |(scenario, _)| scenario).to_owned();
        let Some(scenario) = self.scenario(&scenario) else { return };
        scenario.cases.entry(case.to_owned()).or_default().add(body, mono_us);
    }

    /// The scenario with this name.
    pub(super) fn scenario(&mut self, name: &str) -> Option<&mut ScenarioRecord> {
        self.scenarios.iter_mut().rfind(|record| record.scenario == name)
    }

    /// How many injured cases are planned, over all scenarios.
    pub fn planned(&self) -> u64 {
        self.scenarios.iter().map(ScenarioRecord::planned).fold(0, u64::saturating_add)
    }

    /// All cases, in the order of scenarios and names.
    pub fn cases(&self) -> impl Iterator<Item = (&ScenarioRecord, &CaseRecord)> {
        self.scenarios.iter().flat_map(|scenario| scenario.cases.values().map(move |case| (scenario, case)))
    }
}

impl ScenarioRecord {
    fn started(start: &ScenarioStart, mono_us: u64) -> ScenarioRecord {
        let ScenarioStart {
            scenario,
            about,
            flow,
            dataset,
            classification,
            seed,
            dataset_sha256,
            tool_sha256,
            sources,
            expect,
        } = start.clone();
        ScenarioRecord {
            scenario,
            about,
            flow,
            dataset,
            classification,
            seed,
            dataset_sha256,
            tool_sha256,
            sources,
            expect,
            started_us: mono_us,
            ..ScenarioRecord::default()
        }
    }

    /// A scenario that ended before it began.
    fn unable(scenario: &str, mono_us: u64) -> ScenarioRecord {
        ScenarioRecord { scenario: scenario.to_owned(), started_us: mono_us, ..ScenarioRecord::default() }
    }

    /// How many injured cases are planned.
    pub fn planned(&self) -> u64 {
        self.faults.iter().map(|(_, _, coverage)| coverage.visited).fold(0, u64::saturating_add)
    }

    /// The injured cases, in order.
    pub fn injured(&self) -> impl Iterator<Item = &CaseRecord> {
        self.cases.values().filter(|case| case.address.is_some())
    }

    /// The golden cases, in order.
    pub fn golden(&self) -> impl Iterator<Item = &CaseRecord> {
        self.cases.values().filter(|case| case.address.is_none() && case.went_back_from().is_none())
    }

    /// For each step of the uninterrupted run what going back from there costs; empty before there is one.
    pub fn ways_back(&self) -> Vec<WayBack> {
        let Some(golden) = self.golden().next() else { return Vec::new() };
        let probed = golden.events.iter().filter_map(|event| match event {
            Body::Probe { endpoint, .. } if !self.sources.contains(endpoint) => Some(endpoint.clone()),
            _ => None,
        });
        let targets: Vec<String> = probed.collect::<BTreeSet<_>>().into_iter().collect();
        let returns = self.cases.values();
        let returns: Vec<(String, CaseEvents)> =
            returns.filter_map(|case| Some((case.went_back_from()?.to_owned(), case.as_events()))).collect();
        ways_back(&golden.as_events(), &returns, &targets)
    }
}
