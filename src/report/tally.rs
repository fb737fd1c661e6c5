//! The numbers of the headline. Only what was really asked is counted; canaries are counted apart.

use crate::model::{Body, CaseRecord, Outcome, RunRecord, ScenarioRecord, States, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The worst of everything; never better than unknown while the run is not finished.
    pub verdict: Verdict,
    /// Per kind of fault that was planned or run, sorted by kind.
    pub kinds: BTreeMap<String, KindTally>,
    /// Parity, if it was asked.
    pub parity: Option<ParityTally>,
    /// Whether the rollback restores, if it was asked.
    pub rollback: Option<CheckTally>,
    /// Kinds of planted change that the comparison saw, and how many there were, over all datasets.
    pub mutations: (u64, u64),
    /// Scenarios that must turn red: how many did as planned, and how many there are.
    pub canaries: (u64, u64),
}

/// The cases of one kind of fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindTally {
    /// Cases that passed.
    pub passed: u64,
    /// Of those, cases in which the tool helped itself.
    pub absorbed: u64,
    /// Cases that were run or planned, whichever is more: a missing case is not green.
    pub cases: u64,
    /// Classes of points that were to be visited.
    pub visited: u64,
    /// Classes of points that there are.
    pub classes: u64,
    /// Points that there are.
    pub points: u64,
}

/// The answers of a check over all cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckTally {
    /// Cases in which it was asked.
    pub asked: u64,
    /// Cases in which it fails.
    pub failed: u64,
    /// Cases in which it could not be answered.
    pub unknown: u64,
    /// Its findings, all together.
    pub findings: u64,
}

/// Parity, and over how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParityTally {
    /// The answers.
    pub check: CheckTally,
    /// Tables of the targets when they were fullest in the golden runs, each dataset once.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
}

impl Tally {
    /// Counts.
    pub fn of(record: &RunRecord, states: &States) -> Tally {
        let plain: Vec<&ScenarioRecord> = record.scenarios.iter().filter(|s| s.expect.is_none()).collect();
        let canaries = record.scenarios.iter().filter(|s| s.expect.is_some());
        let (tables, rows) = compared(&plain, states);
        Tally {
            verdict: verdict(record),
            kinds: kinds(&plain),
            parity: check_tally(&plain, "parity").map(|check| ParityTally { check, tables, rows }),
            rollback: check_tally(&plain, "rollback-restores"),
            mutations: record.proofs.values().fold((0, 0), |sum, proof| (sum.0 + proof.0, sum.1 + proof.1)),
            canaries: canaries.fold((0, 0), |(passed, all), canary| {
                (passed + u64::from(canary.verdict == Some(Verdict::Pass)), all + 1)
            }),
        }
    }
}

/// The run's own word counts only if no scenario says worse.
fn verdict(record: &RunRecord) -> Verdict {
    let scenarios = record.scenarios.iter().map(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown));
    Verdict::worst(scenarios.chain([record.verdict.unwrap_or(Verdict::Unknown)]))
}

fn kinds(scenarios: &[&ScenarioRecord]) -> BTreeMap<String, KindTally> {
    let mut kinds: BTreeMap<String, KindTally> = BTreeMap::new();
    for (kind, _, coverage) in scenarios.iter().flat_map(|scenario| &scenario.faults) {
        let tally = kinds.entry(base(kind).to_owned()).or_default();
        tally.visited = tally.visited.saturating_add(coverage.visited);
        tally.classes = tally.classes.saturating_add(coverage.classes);
        tally.points = tally.points.saturating_add(coverage.points);
    }
    for case in scenarios.iter().flat_map(|scenario| scenario.injured()) {
        let Some(address) = &case.address else { continue };
        let tally = kinds.entry(address.kinds()).or_default();
        tally.cases += 1;
        tally.passed += u64::from(case.verdict() == Verdict::Pass);
        tally.absorbed += u64::from(case.verdict() == Verdict::Pass && case.outcome == Some(Outcome::Absorbed));
    }
    kinds.values_mut().for_each(|tally| tally.cases = tally.cases.max(tally.visited));
    kinds
}

/// `sql.error` of `sql.error=53100`.
fn base(kind: &str) -> &str {
    kind.split_once('=').map_or(kind, |(base, _)| base)
}

fn check_tally(scenarios: &[&ScenarioRecord], name: &str) -> Option<CheckTally> {
    let cases = scenarios.iter().flat_map(|scenario| scenario.cases.values());
    let answers = cases.flat_map(|case| &case.checks).filter(|check| check.check == name);
    let tally = answers.fold(CheckTally::default(), |tally, check| CheckTally {
        asked: tally.asked + 1,
        failed: tally.failed + u64::from(check.verdict == Verdict::Fail),
        unknown: tally.unknown + u64::from(check.verdict == Verdict::Unknown),
        findings: tally.findings.saturating_add(check.findings_total),
    });
    (tally.asked > 0).then_some(tally)
}

/// Tables and rows of the targets after the golden runs in which parity was asked.
fn compared(scenarios: &[&ScenarioRecord], states: &States) -> (u64, u64) {
    let mut seen = BTreeSet::new();
    let (mut tables, mut rows) = (0, 0);
    for scenario in scenarios {
        let Some(golden) = scenario.golden().find(|case| case.checks.iter().any(|c| c.check == "parity")) else {
            continue;
        };
        if seen.insert((&scenario.flow, &scenario.dataset, scenario.seed)) {
            let (more_tables, more_rows) = fullest(scenario, golden, states);
            (tables, rows) = (more_tables.saturating_add(tables), more_rows.saturating_add(rows));
        }
    }
    (tables, rows)
}

/// Per target the probe with the most rows: a rollback at the end would leave nothing to count.
fn fullest(scenario: &ScenarioRecord, golden: &CaseRecord, states: &States) -> (u64, u64) {
    let mut most: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for event in &golden.events {
        let Body::Probe { endpoint, state, .. } = event else { continue };
        let Some(state) = states.get(state).filter(|_| !scenario.sources.contains(endpoint)) else { continue };
        let entry = most.entry(endpoint).or_default();
        *entry = (*entry).max((state.rows(), state.tables.len() as u64));
    }
    most.values()
        .fold((0, 0), |(tables, rows), (more_rows, more_tables)| (tables + more_tables, more_rows.saturating_add(rows)))
}
