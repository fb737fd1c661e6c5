//! Whether everything that was planned has exactly one result, and every green case its proof.

use crate::evidence::EVENTS;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::{Body, PlanFile, ScenarioRecord, Verdict};
use crate::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};

/// Complains about what has no result, about green cases without proof, and about faults and checks that are unknown.
pub(super) fn check(registry: &Registry, told: &Told, complaints: &mut Vec<Complaint>) {
    cases_end_once(told, complaints);
    complaints.extend(nothing_else(told));
    told.record.scenarios.iter().for_each(|scenario| all_visited(scenario, complaints));
    for (_, case) in told.record.cases() {
        let is_green = case.address.is_some() && case.verdict() == Verdict::Pass;
        if is_green && !case.as_events().fired() {
            let expected = "fault.armed and fault.fired in a green case";
            complaints.push(Complaint::new(Code::FaultNotFired, EVENTS, expected, format!("none in {}", case.case)));
        }
    }
    if let (Some(plan), true) = (&told.plan, told.is_whole) {
        scenarios_end(plan, told, complaints);
        catalogue(registry, plan, complaints);
        complaints.extend(is_a_part(plan, told));
    }
}

fn cases_end_once(told: &Told, complaints: &mut Vec<Complaint>) {
    let mut ends: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for event in &told.events {
        match &event.body {
            Body::CaseStarted { case, .. } => ends.entry(case).or_default().0 += 1,
            Body::CaseFinished { case, .. } => ends.entry(case).or_default().1 += 1,
            _ => {}
        }
    }
    // A run that was asked to end has cases without an end, and is not green.
    let may_be_open = told.record.verdict.is_none_or(|verdict| verdict != Verdict::Pass);
    let wrong = ends.iter().filter(|(_, times)| !(**times == (1, 1) || may_be_open && **times == (1, 0)));
    complaints.extend(wrong.map(|(case, (started, finished))| {
        let found = format!("{case} begins {started} times and ends {finished} times");
        Complaint::new(Code::PlanIncomplete, EVENTS, "one end of each case", found)
    }));
}

/// What happens in a case happens between its beginning and its end.
fn nothing_else(told: &Told) -> Option<Complaint> {
    let mut open = BTreeSet::new();
    let stray = told.events.iter().find(|event| match &event.body {
        Body::CaseStarted { case, .. } => !open.insert(case.as_str()),
        Body::CaseFinished { case, .. } => !open.remove(case.as_str()),
        body => body.case().is_some_and(|case| !open.contains(case)),
    })?;
    let found = format!("event {} of {}", stray.seq, stray.body.case().unwrap_or_default());
    Some(Complaint::new(Code::PlanIncomplete, EVENTS, "nothing of a case before its beginning or after its end", found))
}

/// A part of a run says so in its plan.
fn is_a_part(plan: &PlanFile, told: &Told) -> Option<Complaint> {
    let divided = told.events.iter().any(|event| matches!(event.body, Body::ShardPlanned(_)));
    let expected = "the part that this run has taken: its journal plans for several machines";
    (divided && plan.shard.is_none()).then(|| Complaint::new(Code::PlanIncomplete, "plan.json", expected, "no shard"))
}

/// A green scenario has a case for each planned point.
fn all_visited(scenario: &ScenarioRecord, complaints: &mut Vec<Complaint>) {
    let planned = scenario.planned();
    let found = scenario.injured().count() as u64;
    if scenario.verdict == Some(Verdict::Pass) && planned != found {
        let expected = format!("{planned} injured cases of {}", scenario.scenario);
        complaints.push(Complaint::new(Code::PlanIncomplete, EVENTS, expected, format!("{found}")));
    }
}

fn scenarios_end(plan: &PlanFile, told: &Told, complaints: &mut Vec<Complaint>) {
    let left_out = |name: &str| {
        let allowed = told.record.omitted.get(name).is_some_and(|missing| plan.allow_missing.contains(missing));
        let is_green = told.record.verdict == Some(Verdict::Pass);
        allowed || !is_green && told.record.is_interrupted
    };
    for name in plan.own_scenarios() {
        let ended = told.record.scenarios.iter().filter(|s| s.scenario == name && s.verdict.is_some()).count();
        if ended != 1 && !left_out(name) {
            let found = format!("{ended} of {name}");
            complaints.push(Complaint::new(Code::PlanIncomplete, EVENTS, "one scenario.finished of each", found));
        }
    }
    let own = plan.own_scenarios();
    let planned = |name: &String| own.contains(&name.as_str());
    let unplanned = told.record.scenarios.iter().map(|scenario| &scenario.scenario).filter(|name| !planned(name));
    complaints.extend(unplanned.map(|name| {
        Complaint::new(Code::PlanIncomplete, "plan.json", "every scenario of the journal", format!("no {name}"))
    }));
}

/// A build that knew fewer faults or asked fewer questions proves less than its verdict says here.
fn catalogue(registry: &Registry, plan: &PlanFile, complaints: &mut Vec<Complaint>) {
    let faults = registry.faults.iter().map(|fault| ("fault", fault.name(), &plan.faults));
    let checks = registry.checks.iter().map(|check| ("check", check.name(), &plan.checks));
    let absent = faults.chain(checks).filter(|(_, name, known)| !known.iter().any(|known| known == name));
    let absent: Vec<String> = absent.map(|(what, name, _)| format!("{what} {name}")).collect();
    if !absent.is_empty() {
        let expected = "every fault and check that this build knows";
        let found = format!("none of: {}", absent.join(", "));
        complaints.push(Complaint::new(Code::CatalogueDowngraded, "plan.json", expected, found));
    }
}
