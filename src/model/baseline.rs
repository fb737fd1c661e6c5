//! The last green run, as plain data, and in what this one differs from it.

use crate::model::{EnvironmentFile, RunRecord, ScenarioRecord};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run that this one is compared with: `baseline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Its id.
    pub run: String,
    /// SHA-256 of its `SHA256SUMS`, 64 hexadecimal digits.
    pub root_sha256: String,
    /// Its tier.
    pub tier: String,
    /// Digest of its outcome.
    pub outcome_sha256: String,
    /// What it ran on: of this name, that.
    pub environment: BTreeMap<String, String>,
    /// What this run is on; empty until it is known.
    #[serde(default)]
    pub here: BTreeMap<String, String>,
    /// Its scenarios by name: of this name, that.
    pub scenarios: BTreeMap<String, BTreeMap<String, String>>,
    /// How long its uninterrupted runs took, by scenario; the first of both, in microseconds.
    pub golden_us: BTreeMap<String, u64>,
}

/// One thing in which two runs differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The scenario; empty: the whole run.
    pub scenario: String,
    /// What.
    pub what: String,
    /// How it was.
    pub then: String,
    /// How it is.
    pub now: String,
}

impl Change {
    /// Of what, for people.
    pub fn whose(&self) -> &str {
        if self.scenario.is_empty() { "the run" } else { &self.scenario }
    }
}

/// A run that is this much slower or faster, and by a second at least, is another one.
const PERCENT: u64 = 50;
const LEAST_US: u64 = 1_000_000;

impl Baseline {
    /// Of a run and of what it ran on.
    pub fn of(record: &RunRecord, environment: &EnvironmentFile, root_sha256: &str) -> Baseline {
        let named = record.scenarios.iter();
        Baseline {
            run: record.run.clone(),
            root_sha256: root_sha256.to_owned(),
            tier: record.tier.clone(),
            outcome_sha256: record.outcome_sha256.clone(),
            environment: facts(environment),
            here: BTreeMap::new(),
            scenarios: named.clone().map(|scenario| (scenario.scenario.clone(), of(scenario))).collect(),
            golden_us: named.filter_map(|scenario| Some((scenario.scenario.clone(), golden_us(scenario)?))).collect(),
        }
    }

    /// The same, for a run on `environment`.
    #[must_use]
    pub fn seen_from(mut self, environment: &EnvironmentFile) -> Baseline {
        self.here = facts(environment);
        self
    }

    /// In what `record` differs: of the run first, then by scenario.
    pub fn changes(&self, record: &RunRecord) -> Vec<Change> {
        let mut changes = differing("", &self.environment, &self.here);
        let tier = |tier: &str| BTreeMap::from([("tier".to_owned(), tier.to_owned())]);
        changes.extend(differing("", &tier(&self.tier), &tier(&record.tier)));
        let now: BTreeMap<&str, &ScenarioRecord> =
            record.scenarios.iter().map(|scenario| (scenario.scenario.as_str(), scenario)).collect();
        let none = BTreeMap::new();
        for (name, then) in &self.scenarios {
            let now = now.get(name.as_str());
            changes.extend(differing(name, then, &now.map_or(none.clone(), |scenario| of(scenario))));
            changes.extend(now.and_then(|scenario| self.time(scenario)));
        }
        let new = now.iter().filter(|(name, _)| !self.scenarios.contains_key(**name));
        changes.extend(new.flat_map(|(name, scenario)| differing(name, &none, &of(scenario))));
        changes
    }

    fn time(&self, scenario: &ScenarioRecord) -> Option<Change> {
        let (then, now) = (*self.golden_us.get(&scenario.scenario)?, golden_us(scenario)?);
        let is_other = then.abs_diff(now) >= LEAST_US && then.abs_diff(now) > then / 100 * PERCENT;
        let text = |us: u64| format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000);
        let (scenario, what) = (scenario.scenario.clone(), "time of the uninterrupted run".to_owned());
        is_other.then(|| Change { scenario, what, then: text(then), now: text(now) })
    }
}

fn facts(environment: &EnvironmentFile) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::from([
        ("rehearsal".to_owned(), environment.rehearsal.clone()),
        ("system".to_owned(), format!("{} {}", environment.os, environment.arch)),
    ]);
    let servers: Vec<&str> = environment.servers().map(|server| server.server_version.as_str()).collect();
    if !servers.is_empty() {
        facts.insert("postgres".to_owned(), servers.join(" and "));
    }
    if let Some(checkout) = &environment.checkout {
        let dirty = if checkout.clean { "" } else { ", changed since" };
        facts.insert("commit".to_owned(), format!("{}{dirty}", checkout.commit));
    }
    facts
}

/// What is the same in two runs of the same.
fn of(scenario: &ScenarioRecord) -> BTreeMap<String, String> {
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    let (points, classes) = scenario
        .faults
        .iter()
        .fold((0, 0), |(points, classes), (_, _, coverage)| (points + coverage.points, classes + coverage.classes));
    let verdict = scenario.verdict.map_or("not finished".to_owned(), |verdict| verdict.to_string());
    let red = scenario.cases.values().filter(|case| case.verdict() != crate::model::Verdict::Pass).count();
    let facts = [
        ("verdict", verdict),
        ("dataset", format!("{}, seed {}, {}", scenario.dataset, scenario.seed, short(&scenario.dataset_sha256))),
        ("tool", short(&scenario.tool_sha256)),
        ("points", format!("{points} in {classes} classes")),
        ("cases that are not green", red.to_string()),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn golden_us(scenario: &ScenarioRecord) -> Option<u64> {
    scenario.golden().next().map(|case| case.duration_us)
}

fn differing(scenario: &str, then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Change> {
    let none = "not there".to_owned();
    // A scenario that is on one side only is one change.
    if then.is_empty() != now.is_empty() && !scenario.is_empty() {
        let text = |facts: &BTreeMap<String, String>| facts.get("verdict").unwrap_or(&none).clone();
        let (scenario, what) = (scenario.to_owned(), "scenario".to_owned());
        return vec![Change { scenario, what, then: text(then), now: text(now) }];
    }
    let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differ = names.into_iter().filter(|name| then.get(*name) != now.get(*name));
    let change = |name: &String| Change {
        scenario: scenario.to_owned(),
        what: name.clone(),
        then: then.get(name).unwrap_or(&none).clone(),
        now: now.get(name).unwrap_or(&none).clone(),
    };
    differ.map(change).collect()
}
