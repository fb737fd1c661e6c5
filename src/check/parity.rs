//! `parity`: the target holds exactly what the sources held, and everything else in it is as it was before.
//!
//! Whole databases are compared, also tables that the tool does not name, with the sources as they were before the
//! first step. Only rows count here; `golden-state` compares the rest.
//!
//! Where we wrote to a source (`src.write`) the target must show all sources as they were at one moment, before or after
//! it, once the injured step succeeds; and as they are then, once the way out succeeds.

use crate::check::{Check, Judgement, finding, findings_at};
use crate::model::{
    Body, DatabaseState, Finding, History, Moment, Phase, Picture, Role, StepEnd, TableCopy, TableDigest, compare,
};
use std::collections::BTreeMap;

/// See the module.
pub(super) struct Parity;

impl Check for Parity {
    fn name(&self) -> &'static str {
        "parity"
    }

    fn about(&self) -> &'static str {
        "The target holds exactly what the sources held, and everything else in it is as it was before."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let moments = moments(history);
        let differences: Option<Vec<Finding>> = moments
            .iter()
            .map(|moment| differences(history, moment))
            .collect::<Option<Vec<_>>>()
            .map(|all| all.concat());
        if let Some(empty) = nothing_to_compare(history) {
            return (!moments.is_empty()).then(|| Judgement::unknown(empty));
        }
        match (moments.is_empty(), differences) {
            (true, _) => None,
            (false, Some(findings)) => Some(Judgement::from_findings(findings)),
            (false, None) => Some(Judgement::unknown("the state of every target once the data is there")),
        }
    }
}

/// What is compared must hold something: a copy of nothing, or a map without rows, shows nothing.
fn nothing_to_compare(history: &History) -> Option<String> {
    let is_empty_map = |event: &Body| match event {
        Body::Mapped { map, source, target, .. } if source.rows + target.rows == 0 => Some(*map),
        _ => None,
    };
    if let Some(map) = history.case.events.iter().find_map(is_empty_map) {
        return Some(format!("a single row on either side of map {map}"));
    }
    let copies = history.copies();
    let rows = |copy: &TableCopy| {
        let source = history.golden_state(&Moment::Start, &copy.source)?;
        source.rows_of(&copy.source_table).map(|digest| digest.rows)
    };
    let is_empty = !copies.is_empty() && copies.iter().all(|copy| rows(copy) == Some(0));
    is_empty.then(|| "a single row in the tables that are copied".to_owned())
}

/// Whether a step during which we wrote to a source says that all is well, and its target shows no moment of the sources.
pub(super) fn is_wrong_at_once(history: &History) -> bool {
    let at_once = history.plan.last_apply().and_then(|apply| after_a_write(history, &apply.name));
    at_once.and_then(|moment| differences(history, &moment)).is_some_and(|found| !found.is_empty())
}

/// When parity is promised: after the last step that brings data, once more, and at the end unless that is undone.
pub(super) fn moments(history: &History) -> Vec<Moment> {
    let Some(apply) = history.plan.last_apply() else { return Vec::new() };
    if !history.is_golden() {
        let at_the_end = last_role(history).is_some_and(Role::has_brought_data).then_some(Moment::End);
        return after_a_write(history, &apply.name).into_iter().chain(at_the_end).collect();
    }
    let rerun = Moment::after(Phase::Rerun, &apply.name);
    let was_rerun = history.case.probes().any(|(moment, _, _)| *moment == rerun);
    [Moment::after(Phase::Plan, &apply.name)].into_iter().chain(was_rerun.then_some(rerun)).collect()
}

/// A step during which we wrote to a source, and which says that all is well, has a target that shows one moment.
fn after_a_write(history: &History, apply: &str) -> Option<Moment> {
    let is_it = |end: StepEnd| end.phase == Phase::Injured && end.step == apply && end.success;
    let says_so = history.case.step_ends().any(is_it) && history.case.source_writes().next().is_some();
    says_so.then(|| Moment::after(Phase::Injured, apply))
}

fn last_role(history: &History) -> Option<Role> {
    let last = history.case.step_ends().last()?;
    history.plan.step(&last.step).map(|step| step.role)
}

/// What differs from parity at `moment`; `None` where a state was not observed. Where a source was written meanwhile, the
/// nearest of the moments that the target may show is taken.
pub(crate) fn differences(history: &History, moment: &Moment) -> Option<Vec<Finding>> {
    let newest_first = history.pictures(moment).into_iter().rev();
    let each: Option<Vec<_>> = newest_first.map(|picture| differences_from(history, moment, picture)).collect();
    each?.into_iter().min_by_key(Vec::len)
}

fn differences_from(history: &History, moment: &Moment, picture: Picture) -> Option<Vec<Finding>> {
    let mut findings = Vec::new();
    for endpoint in history.plan.target_endpoints() {
        let expected = expected_tables(history, &endpoint, picture)?;
        let mut found = whole_tables(history, &endpoint, history.state(moment, &endpoint)?);
        found.retain(|table, _| !history.plan.maps_target(table));
        findings.extend(findings_at(moment, &endpoint, compare("table ", &expected, &found)));
    }
    findings.extend(map_differences(history, moment, picture)?);
    Some(findings)
}

/// The tables of `endpoint` that are there at `moment`, and not with the rows that they must hold; empty where that was
/// not observed.
pub(crate) fn differing_tables(history: &History, endpoint: &str, moment: &Moment) -> Vec<String> {
    let newest = history.pictures(moment).pop().unwrap_or(Picture::START);
    let expected = expected_tables(history, endpoint, newest);
    let (Some(expected), Some(found)) = (expected, history.state(moment, endpoint)) else {
        return Vec::new();
    };
    let differs = |(table, digest): &(&String, &TableDigest)| found.tables.get(*table).is_some_and(|is| is != *digest);
    expected.iter().filter(differs).map(|(table, _)| table.clone()).collect()
}

/// The tables that `endpoint` must hold: those of the sources where they are copied, its own from the start elsewhere.
fn expected_tables(history: &History, endpoint: &str, picture: Picture) -> Option<BTreeMap<String, TableDigest>> {
    let mut expected = whole_tables(history, endpoint, history.golden_state(&Moment::Start, endpoint)?);
    for copy in history.copies().into_iter().filter(|copy| copy.target == endpoint) {
        let source = history.source_in(picture, &copy.source)?;
        match source.rows_of(&copy.source_table) {
            Some(digest) => expected.insert(copy.target_table, digest),
            None => expected.remove(&copy.target_table),
        };
    }
    expected.retain(|table, _| !history.plan.maps_target(table));
    Some(expected)
}

/// A partitioned table that is copied is one table, whatever its partitions are on either side.
fn whole_tables(history: &History, endpoint: &str, state: &DatabaseState) -> BTreeMap<String, TableDigest> {
    let mut tables = state.tables.clone();
    for copy in history.copies().into_iter().filter(|copy| copy.target == endpoint) {
        let partitions = state.partitions(&copy.target_table);
        if let Some(rows) = state.rows_of(&copy.target_table).filter(|_| !partitions.is_empty()) {
            tables.retain(|table, _| !partitions.contains(&table.as_str()));
            tables.insert(copy.target_table, rows);
        }
    }
    tables
}

/// `None` where not every map was looked at.
fn map_differences(history: &History, moment: &Moment, picture: Picture) -> Option<Vec<Finding>> {
    let mut looked_at = 0;
    let mut findings = Vec::new();
    for event in &history.case.events {
        match event {
            Body::Mapped { moment: at, map, source, target, .. } if at == moment => {
                looked_at += 1;
                let past = golden_source(history, *map).filter(|_| is_past(history, picture));
                let source = past.as_ref().unwrap_or(source);
                let object = || format!("map {map}{}", differing_keys(history, moment, *map));
                let differs = || finding(moment, object(), source.to_string(), target.to_string());
                findings.extend((source != target).then(differs));
            }
            Body::MapRefused { moment: at, map, why, .. } if at == moment => {
                looked_at += 1;
                findings.push(finding(moment, format!("map {map}"), "an answer", why.as_str()));
            }
            _ => {}
        }
    }
    (looked_at == history.plan.parity.maps.len()).then_some(findings)
}

/// The keys that a map names, in brackets.
fn differing_keys(history: &History, moment: &Moment, number: u32) -> String {
    let named = history.case.events.iter().rev().find_map(|event| match event {
        Body::MapKeys { moment: at, map, keys, total, .. } if at == moment && *map == number => Some((keys, *total)),
        _ => None,
    });
    let Some((keys, total)) = named else { return String::new() };
    let more = total.saturating_sub(keys.len() as u64);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(" ({}{rest})", keys.join("; "))
}

/// Whether a picture shows the sources before a write of ours: what their side of a map gave then is not what it gives.
fn is_past(history: &History, picture: Picture) -> bool {
    picture == Picture::START && history.case.source_writes().next().is_some()
}

/// What the source's side of a map gave in the golden run.
fn golden_source(history: &History, number: u32) -> Option<TableDigest> {
    history.golden.events.iter().find_map(|event| match event {
        Body::Mapped { map, source, .. } if *map == number => Some(*source),
        _ => None,
    })
}
