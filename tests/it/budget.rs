//! What a run says of cases that did not begin, because the time was over.

use rehearsal::check::scenario_verdict;
use rehearsal::model::{
    Body, CheckResult, Coverage, Event, ExpectRecord, Outcome, RunRecord, ScenarioRecord, ScenarioStart, Unvisited,
    Verdict,
};
use rstest::rstest;

/// A scenario of which ten cases were to be visited: `words` are those that began, `unvisited` the number of the rest.
fn scenario(words: &[&str], unvisited: u64, expect: Option<&str>) -> ScenarioRecord {
    let mut bodies = vec![started(expect), planned()];
    bodies.extend(case("x/golden-1", None, "PASS"));
    for (number, word) in words.iter().enumerate() {
        let address = format!("proc.kill@pg.target:commit.{}", number + 1);
        bodies.extend(case(&format!("x/{number:04}-abcdef"), Some(&address), word));
    }
    let (scenario, kind, during) = ("x".to_owned(), "proc.kill".to_owned(), "run".to_owned());
    bodies.push(Body::BudgetOver(Unvisited { scenario, kind, during, unvisited }));
    let event = |(seq, body)| Event { seq, prev: String::new(), t: String::new(), mono_us: seq, body };
    let events: Vec<Event> = (1..).zip(bodies).map(event).collect();
    RunRecord::from_events(&events).scenarios.remove(0)
}

fn started(expect: Option<&str>) -> Body {
    Body::ScenarioStarted(ScenarioStart {
        scenario: "x".into(),
        expect: expect.map(|check| ExpectRecord { red: vec![check.to_owned()], outcome: None }),
        ..ScenarioStart::default()
    })
}

fn planned() -> Body {
    let coverage = Coverage { points: 40, classes: 20, visited: 10, lost: 0 };
    Body::ScenarioPlanned { scenario: "x".into(), kind: "proc.kill".into(), during: "run".into(), coverage }
}

fn case(name: &str, address: Option<&str>, word: &str) -> [Body; 2] {
    let outcome = Outcome::parse(word).unwrap();
    let verdict = outcome.verdict();
    let check = CheckResult { check: "parity".into(), verdict, findings: Vec::new(), findings_total: 0 };
    let address = address.map(|address| address.parse().unwrap());
    let (case, scenario) = (name.to_owned(), "x".to_owned());
    [
        Body::CaseStarted { case: case.clone(), scenario, address, label: None, token: None },
        Body::CaseFinished { case, outcome, checks: vec![check], error: None },
    ]
}

#[rstest]
#[case::some_began(&["PASS"; 4], 6, None, Verdict::Pass, "sampled: the budget was over before 6 planned cases began")]
#[case::none_began(&[], 10, None, Verdict::Unknown, "the budget was over before any case of proc.kill during `run` began")]
#[case::one_is_red(&["PASS", "LIED"], 8, None, Verdict::Fail, "sampled")]
#[case::canary_that_turned_red(&["LIED"], 9, Some("parity"), Verdict::Pass, "turned red as planned")]
#[case::canary_that_had_no_time(&["PASS"], 9, Some("parity"), Verdict::Unknown, "the budget was over")]
fn a_budget_makes_a_run_smaller_and_never_greener(
    #[case] words: &[&str],
    #[case] unvisited: u64,
    #[case] expect: Option<&str>,
    #[case] expected: Verdict,
    #[case] reason: &str,
) {
    let record = scenario(words, unvisited, expect);
    let (verdict, why) = scenario_verdict(&record);
    assert_eq!(verdict, expected, "{why}");
    assert!(why.contains(reason), "{why}");
    assert_eq!(record.faults[0].2.visited, words.len() as u64, "what is counted as visited was visited");
}
