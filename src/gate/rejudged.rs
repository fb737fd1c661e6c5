//! Cases judged anew: the checks are asked again of what is on record, and must answer as they did.
//!
//! Every check can be: it reads the history and what `scenarios.json` holds, and nothing else. Not judged anew: whether the
//! harness came to the end of a case (UNFINISHED and DIVERGED, which are never green), and runs of which nothing is asked.

use crate::check;
use crate::evidence::EVENTS;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::{
    Asked, CaseEvents, CaseRecord, CheckResult, History, Outcome, RECORD_TIER, ScenarioRecord, States, Verdict,
};
use crate::registry::Registry;

/// Complains about every answer that does not follow from the history of its case.
pub(super) fn check(registry: &Registry, told: &Told, complaints: &mut Vec<Complaint>) {
    let Some(file) = told.asked.as_ref().filter(|_| told.record.tier != RECORD_TIER) else { return };
    for scenario in &told.record.scenarios {
        match file.scenarios.get(&scenario.scenario) {
            Some(asked) => of_scenario(registry, scenario, asked, &told.states, complaints),
            None if scenario.cases.is_empty() => {}
            None => {
                let expected = format!("what was asked of {}", scenario.scenario);
                complaints.push(Complaint::new(Code::PlanIncomplete, "scenarios.json", expected, "nothing"));
            }
        }
    }
}

fn of_scenario(
    registry: &Registry,
    record: &ScenarioRecord,
    asked: &Asked,
    states: &States,
    complaints: &mut Vec<Complaint>,
) {
    let golden = |nth: u32| record.cases.get(&format!("{}/golden-{nth}", record.scenario));
    // Without them nothing below is judged.
    let is_plain = record.expect.is_none() && record.verdict == Some(Verdict::Pass);
    if is_plain && (1..=2).any(|nth| golden(nth).is_none()) {
        let expected = format!("two uninjured runs of {}, golden-1 and golden-2", record.scenario);
        complaints.push(Complaint::new(Code::PlanIncomplete, EVENTS, expected, "others, or less"));
    }
    let Some(golden) = golden(1) else { return };
    let (scenario, golden) = (asked.scenario(&record.scenario), golden.as_events());
    // Golden runs that it has from another scenario are judged there, and here by what this one asks.
    let is_judged = |case: &&CaseRecord| case.outcome.is_some() && case.went_back_from().is_none();
    for case in record.cases.values().filter(is_judged) {
        let events: CaseEvents = case.as_events();
        let history = History { scenario: &scenario, plan: &asked.plan, golden: &golden, case: &events, states };
        let checks = check::judge(&registry.checks, &history);
        let other = other_answers(case, &checks);
        if other.is_empty() {
            complaints.extend(other_word(case, check::classify(&history, &checks)));
        }
        complaints.extend(other);
    }
}

/// Checks that answer otherwise, or whose question does not arise, or was left out.
fn other_answers(case: &CaseRecord, checks: &[CheckResult]) -> Vec<Complaint> {
    let find = |results: &[CheckResult], name: &str| results.iter().find(|result| result.check == name).cloned();
    let mut names: Vec<&str> = checks.iter().chain(&case.checks).map(|result| result.check.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let differ = names.into_iter().filter_map(|name| {
        let (expected, found) = (find(checks, name), find(&case.checks, name));
        (expected != found).then(|| complaint(case, name, expected.as_ref(), found.as_ref()))
    });
    differ.collect()
}

fn complaint(case: &CaseRecord, check: &str, expected: Option<&CheckResult>, found: Option<&CheckResult>) -> Complaint {
    let code = match check {
        "faults-fired" => Code::FaultNotFired,
        "report-is-fresh" => Code::ClaimStale,
        "claim-matches-observation" => Code::ClaimMismatch,
        _ => Code::DerivedMismatch,
    };
    let says = |result: Option<&CheckResult>| match result {
        None => "no answer".to_owned(),
        Some(CheckResult { verdict, findings_total: 0, .. }) => verdict.to_string(),
        Some(CheckResult { verdict, findings_total, .. }) => format!("{verdict} with {findings_total} findings"),
    };
    let (expected, mut found) = (says(expected), says(found));
    if expected == found {
        found += ", and other words";
    }
    Complaint::new(code, EVENTS, format!("{check} of {}, asked again: {expected}", case.case), found)
}

/// The word that the answers give, where it is another one.
fn other_word(case: &CaseRecord, word: Outcome) -> Option<Complaint> {
    let found = case.outcome.filter(|found| !matches!(found, Outcome::Unfinished | Outcome::Diverged))?;
    let expected = format!("the word of {} is {word}", case.case);
    (found != word).then(|| Complaint::new(Code::DerivedMismatch, EVENTS, expected, found.word()))
}
