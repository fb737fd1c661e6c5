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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Phase, TableDigest};
    use std::sync::Arc;

    /// A step that went well: the source is as before, the target got a row.
    fn case(success: bool, ok: Option<bool>, source_after: &str) -> CaseRecord {
        let (case, step, phase) = (String::new(), "move".to_owned(), Phase::Plan);
        let probe = |moment: &Moment, endpoint: &str, state: &str| Body::Probe {
            case: String::new(),
            moment: moment.clone(),
            endpoint: endpoint.to_owned(),
            state: state.to_owned(),
        };
        let after = Moment::after(phase, "move");
        let exit = Some(i32::from(!success));
        let end = Body::StepFinished {
            case: case.clone(),
            step: step.clone(),
            phase,
            exit,
            signal: None,
            success,
            timed_out: false,
            duration_us: 1,
        };
        let events = vec![
            probe(&Moment::Start, "pg.source", "one"),
            probe(&Moment::Start, "pg.target", "none"),
            end,
            Body::Claim { case, step, phase, ok, note: String::new() },
            probe(&after, "pg.source", source_after),
            probe(&after, "pg.target", "one"),
        ];
        CaseRecord { events, ..CaseRecord::default() }
    }

    fn red(case: &CaseRecord, left: &str) -> (Vec<String>, Outcome) {
        let state = |rows: u64, definition: &str| {
            let tables = [("t".to_owned(), TableDigest { rows, ..TableDigest::default() })].into();
            let catalog = [("column t.a".to_owned(), definition.to_owned())].into();
            Arc::new(DatabaseState { tables, catalog, ..DatabaseState::default() })
        };
        let states = [("none", state(0, "text")), ("one", state(1, "text")), ("other", state(1, "integer"))];
        let states: States = states.into_iter().map(|(name, state)| (name.to_owned(), state)).collect();
        let cutover = Cutover {
            scenario: String::new(),
            step: "move".to_owned(),
            rehearsal_sha256: String::new(),
            policy: String::new(),
            policy_sha256: String::new(),
            reads_rows: true,
            left: [("pg.target".to_owned(), left.to_owned())].into(),
        };
        let checks = judged(&cutover, &["pg.source".to_owned()], case, &states);
        let red = checks.iter().filter(|check| check.verdict != Verdict::Pass);
        (red.map(|check| check.check.clone()).collect(), word(&checks))
    }

    #[test]
    fn each_check_turns_red_by_what_it_asks_and_by_nothing_else() {
        assert_eq!(red(&case(true, Some(true), "one"), "none"), (vec![], Outcome::Pass));
        let red = |case: &CaseRecord, left: &str| {
            let (red, word) = red(case, left);
            (red.join(" "), word)
        };
        for (case, left, check, word) in [
            (case(false, Some(false), "one"), "none", ENDED, Outcome::Stuck),
            (case(true, Some(false), "one"), "none", CLAIM, Outcome::Lied),
            (case(true, None, "one"), "none", CLAIM, Outcome::Lied),
            (case(true, Some(true), "one"), "other", SCHEMA, Outcome::Lied),
            (case(true, Some(true), "none"), "none", SOURCES, Outcome::SourceTouched),
        ] {
            assert_eq!(red(&case, left), (check.to_owned(), word));
        }
        assert_eq!(
            red(&CaseRecord::default(), "one"),
            (format!("{ENDED} {SCHEMA}"), Outcome::Stuck),
            "nothing was seen"
        );
    }
}
