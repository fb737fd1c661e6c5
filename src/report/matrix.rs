//! Step by fault: how many cases of each were survived. For people; the numbers are those of the record.

use super::case::short_name;
use crate::model::{Body, CaseRecord, Phase, RunRecord, ScenarioRecord, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Rows in the order of scenarios and steps, columns sorted by kind.
pub(super) struct Matrix {
    /// The kinds of fault.
    pub(super) kinds: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<MatrixRow>,
}

/// One step of one scenario.
pub(super) struct MatrixRow {
    /// The scenario.
    pub(super) scenario: String,
    /// The step that was injured.
    pub(super) during: String,
    /// By kind; no entry where nothing was planned.
    pub(super) cells: BTreeMap<String, Cell>,
}

/// The cases of one fault during one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// Cases that passed.
    pub(super) passed: u64,
    /// Cases that failed.
    pub(super) failed: u64,
    /// Cases that were run or planned, whichever is more.
    pub(super) planned: u64,
    /// The first case that is not green.
    pub(super) red: Option<String>,
}

impl Cell {
    /// The worst of its cases; one that is missing is unknown.
    pub(super) fn verdict(&self) -> Verdict {
        match (self.failed, self.passed == self.planned && self.planned > 0) {
            (1.., _) => Verdict::Fail,
            (0, true) => Verdict::Pass,
            (0, false) => Verdict::Unknown,
        }
    }
}

impl Matrix {
    /// The cases of all scenarios that are no canaries.
    pub(super) fn of(record: &RunRecord) -> Matrix {
        let plain = record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
        let rows: Vec<MatrixRow> = plain.flat_map(rows).collect();
        let kinds: BTreeSet<&String> = rows.iter().flat_map(|row| row.cells.keys()).collect();
        Matrix { kinds: kinds.into_iter().cloned().collect(), rows }
    }

    /// Cases that passed, and cases that there are, over all.
    pub(super) fn total(&self) -> (u64, u64) {
        let cells = self.rows.iter().flat_map(|row| row.cells.values());
        cells.fold((0, 0), |(passed, planned), cell| (passed + cell.passed, cell.planned.saturating_add(planned)))
    }
}

fn rows(scenario: &ScenarioRecord) -> Vec<MatrixRow> {
    let mut rows: Vec<MatrixRow> = Vec::new();
    for (kind, during, coverage) in &scenario.faults {
        let cell = cell(&mut rows, scenario, during, &bare(kind));
        cell.planned = cell.planned.saturating_add(coverage.visited);
    }
    let mut cases: BTreeMap<(String, String), u64> = BTreeMap::new();
    for case in scenario.injured() {
        let Some(address) = &case.address else { continue };
        let during = injured_step(case).unwrap_or("unknown").to_owned();
        let kind = address.kinds();
        let cell = cell(&mut rows, scenario, &during, &kind);
        cell.passed += u64::from(case.verdict() == Verdict::Pass);
        cell.failed += u64::from(case.verdict() == Verdict::Fail);
        if case.verdict() != Verdict::Pass && cell.red.is_none() {
            cell.red = Some(short_name(case).to_owned());
        }
        let number = cases.entry((during, kind)).or_default();
        *number += 1;
        cell.planned = cell.planned.max(*number);
    }
    rows
}

/// `sql.error` of `sql.error=53100`, also of each fault of a pair.
fn bare(kinds: &str) -> String {
    kinds.split(',').map(|kind| kind.split('=').next().unwrap_or(kind)).collect::<Vec<_>>().join(",")
}

fn injured_step(case: &CaseRecord) -> Option<&str> {
    case.events.iter().find_map(|event| match event {
        Body::StepStarted { step, phase: Phase::Injured, .. } => Some(step.as_str()),
        _ => None,
    })
}

fn cell<'a>(rows: &'a mut Vec<MatrixRow>, scenario: &ScenarioRecord, during: &str, kind: &str) -> &'a mut Cell {
    let at = rows.iter().position(|row| row.during == during).unwrap_or_else(|| {
        let (scenario, during) = (scenario.scenario.clone(), during.to_owned());
        rows.push(MatrixRow { scenario, during, cells: BTreeMap::new() });
        rows.len() - 1
    });
    rows[at].cells.entry(kind.to_owned()).or_default()
}
