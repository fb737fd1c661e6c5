//! How a real step went: a function of what is on record of it, so that whoever verifies it can ask again.

use super::schema;
use crate::model::{
    Body, CaseRecord, CheckResult, Cutover, DatabaseState, Difference, Finding, MAX_FINDINGS, Moment, Outcome, States,
    Verdict,
};
use std::collections::BTreeMap;

const ENDED: &str = "ended-as-rehearsed";
const CLAIM: &str = "claim-matches-observation";
const SCHEMA: &str = "schema-as-rehearsed";
const SOURCES: &str = "sources-unchanged";

/// The answers of all checks, always the same four, in this order. What was not looked at speaks against the step.
pub fn judged(cutover: &Cutover, sources: &[String], case: &CaseRecord, states: &States) -> Vec<CheckResult> {
    let success = case.events.iter().any(|body| matches!(body, Body::StepFinished { success: true, .. }));
    let claims = case.events.iter().filter_map(|body| match body {
        Body::Claim { ok, .. } if (*ok == Some(true)) != success => {
            Some(of("its report", said(success), said(!success)))
        }
        _ => None,
    });
    let [before, after] = looks(case);
    let state = |digests: &BTreeMap<String, String>, endpoint: &str| -> DatabaseState {
        let found = digests.get(endpoint).and_then(|digest| states.get(digest));
        found.map(|state| DatabaseState::clone(state)).unwrap_or_default()
    };
    let schema = cutover
        .left
        .keys()
        .flat_map(|endpoint| schema::differences(endpoint, &state(&cutover.left, endpoint), &state(&after, endpoint)));
    let sources = sources.iter().flat_map(|endpoint| {
        let found = state(&after, endpoint).differences(&state(&before, endpoint));
        found.into_iter().map(move |found| Difference { object: format!("{endpoint}: {}", found.object), ..found })
    });
    vec![
        answer(ENDED, (!success).then(|| of("how it ended", "success".to_owned(), ended(case))).into_iter().collect()),
        answer(CLAIM, claims.collect()),
        answer(SCHEMA, schema.collect()),
        answer(SOURCES, sources.collect()),
    ]
}

/// The word that the answers give.
pub fn word(checks: &[CheckResult]) -> Outcome {
    let is_red = |name: &str| checks.iter().any(|check| check.check == name && check.verdict == Verdict::Fail);
    match () {
        () if is_red(ENDED) => Outcome::Stuck,
        () if is_red(SOURCES) => Outcome::SourceTouched,
        () if is_red(SCHEMA) || is_red(CLAIM) => Outcome::Lied,
        () => Outcome::Pass,
    }
}

/// The digests of what was seen before the step and after it, by endpoint.
fn looks(case: &CaseRecord) -> [BTreeMap<String, String>; 2] {
    let at = |is_before: bool| {
        let probes = case.events.iter().filter_map(move |body| match body {
            Body::Probe { moment, endpoint, state, .. } if (*moment == Moment::Start) == is_before => {
                Some((endpoint.clone(), state.clone()))
            }
            _ => None,
        });
        probes.collect()
    };
    [at(true), at(false)]
}

fn ended(case: &CaseRecord) -> String {
    let end = case.events.iter().find_map(|body| match body {
        Body::StepFinished { exit: Some(code), .. } => Some(format!("exit {code}")),
        Body::StepFinished { signal: Some(signal), .. } => Some(format!("signal {signal}")),
        _ => None,
    });
    end.unwrap_or_else(|| "no end".to_owned())
}

fn of(object: &str, expected: String, found: String) -> Difference {
    Difference { object: object.to_owned(), expected, found }
}

fn said(ok: bool) -> String {
    if ok { "that all is well" } else { "that it failed, or nothing" }.to_owned()
}

fn answer(check: &str, found: Vec<Difference>) -> CheckResult {
    let verdict = if found.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let findings_total = found.len() as u64;
    let finding = |difference| Finding { place: "after the step".to_owned(), difference };
    let findings = found.into_iter().take(MAX_FINDINGS).map(finding).collect();
    CheckResult { check: check.to_owned(), verdict, findings, findings_total }
}
