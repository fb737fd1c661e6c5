//! The record of a merged run, from the records of its parts. Pure.

use crate::check;
use crate::model::{CaseRecord, Coverage, RunRecord, ScenarioRecord, Verdict};
use std::collections::BTreeMap;

/// What the parts saw together, in place of one run that did all.
///
/// `own`: what the journal of the merged run tells. `order`: the scenarios as they were named. `parts`: the folder of each
/// in the merged bundle, with its record, first to last. Golden runs are those of the first part.
pub(super) fn merged(own: RunRecord, order: &[String], parts: &[(String, &RunRecord)]) -> RunRecord {
    let records = || parts.iter().map(|(_, record)| *record);
    let mut notes: Vec<String> = own.notes.clone();
    for note in records().flat_map(|record| &record.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    RunRecord {
        started: records().map(|record| record.started.clone()).min().unwrap_or_default(),
        duration_us: records().map(|record| record.duration_us).max().unwrap_or_default(),
        scenarios: order.iter().filter_map(|name| scenario(name, parts)).collect(),
        baseline: records().find_map(|record| record.baseline.clone()),
        criteria: records().next().map(|record| record.criteria.clone()).unwrap_or_default(),
        notes,
        proofs: records().flat_map(|record| record.proofs.clone()).collect(),
        omitted: records().flat_map(|record| record.omitted.clone()).collect(),
        is_interrupted: records().any(|record| record.is_interrupted),
        ..own
    }
}

fn scenario(name: &str, parts: &[(String, &RunRecord)]) -> Option<ScenarioRecord> {
    let found = |(folder, record): &(String, &RunRecord)| {
        let scenario = record.scenarios.iter().rfind(|scenario| scenario.scenario == name)?;
        Some((folder.clone(), scenario.clone()))
    };
    let parts: Vec<(String, ScenarioRecord)> = parts.iter().filter_map(found).collect();
    let (_, first) = parts.first()?;
    let mut all = ScenarioRecord { cases: BTreeMap::new(), faults: Vec::new(), shares: Vec::new(), ..first.clone() };
    all.unvisited = parts.iter().map(|(_, part)| part.unvisited).fold(0, u64::saturating_add);
    all.started_us = parts.iter().map(|(_, part)| part.started_us).min().unwrap_or_default();
    all.duration_us = parts.iter().map(|(_, part)| part.duration_us).max().unwrap_or_default();
    for (folder, part) in &parts {
        add_faults(&mut all.faults, &part.faults);
        for (name, case) in &part.cases {
            let case = || CaseRecord { within: folder.clone(), ..case.clone() };
            all.cases.entry(name.clone()).or_insert_with(case);
        }
    }
    (all.verdict, all.why) = judged(&all, &parts);
    Some(all)
}

type Faults = Vec<(String, String, Coverage)>;

/// The points are the same in every part, and what they visited adds up.
fn add_faults(all: &mut Faults, part: &Faults) {
    let mut times: BTreeMap<(&String, &String), usize> = BTreeMap::new();
    for (kind, during, coverage) in part {
        let nth = times.entry((kind, during)).or_default();
        let same = all.iter_mut().filter(|(of, step, _)| of == kind && step == during).nth(*nth);
        *nth += 1;
        match same {
            Some((_, _, known)) => known.visited = known.visited.saturating_add(coverage.visited),
            None => all.push((kind.clone(), during.clone(), *coverage)),
        }
    }
}

/// Never better than any of its parts.
fn judged(all: &ScenarioRecord, parts: &[(String, ScenarioRecord)]) -> (Option<Verdict>, String) {
    let (verdict, why) = check::scenario_verdict(all);
    let of = |part: &ScenarioRecord| part.verdict.unwrap_or(Verdict::Unknown);
    match parts.iter().max_by_key(|(_, part)| of(part)) {
        Some((_, worst)) if of(worst) > verdict => (Some(of(worst)), worst.why.clone()),
        _ => (Some(verdict), why),
    }
}
