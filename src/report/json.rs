//! `report.json`: the whole run for machines, as canonical JSON.

use super::explanation::Explanation;
use super::{CheckTally, Report, Tally, case};
use crate::model::{
    CaseRecord, Half, Met, Ruled, RunRecord, ScenarioRecord, Severity, States, StepTimes, Verdict, WriteWindow,
    canonical, checklist, step_times, words, write_windows,
};
use serde_json::{Value, json};

/// Writes `report.json`.
pub struct Json;

impl Report for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn file(&self) -> &'static str {
        "report.json"
    }

    fn render(&self, record: &RunRecord, states: &States) -> Vec<u8> {
        canonical::to_file(&run(record, states)).expect("a record holds texts, integers and lists only")
    }
}

fn run(record: &RunRecord, states: &States) -> Value {
    let tally = Tally::of(record, states);
    json!({
        "format": 1,
        "run": record.run,
        "version": record.version,
        "tier": record.tier,
        "started": record.started,
        "duration_us": record.duration_us,
        "finished": record.verdict.is_some(),
        "verdict": tally.verdict,
        "headline": tally.verdict.headline(),
        "exit_code": tally.verdict.exit_code(),
        "outcome_sha256": record.outcome_sha256,
        "notes": record.notes,
        "summary": summary(&tally),
        "criteria": checklist(record).iter().map(criterion).collect::<Vec<_>>(),
        "scenarios": record.scenarios.iter().map(|one| scenario(one, states)).collect::<Vec<_>>(),
    })
}

/// What a runbook demands, and the answer; none where the gate or people give it.
fn criterion(ruled: &Ruled) -> Value {
    let half = |half: &Half| json!({ "expected": half.expected, "found": half.found, "verdict": half.verdict });
    let is_of_the_run = !ruled.is_answered_elsewhere();
    let answered_by = match ruled.rule.severity {
        _ if is_of_the_run => "run",
        Severity::Manual => "people",
        _ => "gate",
    };
    json!({
        "id": ruled.rule.id,
        "stage": ruled.rule.stage,
        "severity": ruled.rule.severity,
        "quote": words(&ruled.rule.quote),
        "claimed": ruled.claimed.as_ref().map(half),
        "observed": ruled.observed.as_ref().filter(|_| is_of_the_run).map(half),
        "verdict": is_of_the_run.then(|| ruled.verdict()),
        "answered_by": answered_by,
        "evidence": ruled.evidence,
    })
}

fn summary(tally: &Tally) -> Value {
    let kinds = tally.kinds.iter().map(|(kind, tally)| {
        let counts = json!({
            "passed": tally.passed,
            "absorbed": tally.absorbed,
            "cases": tally.cases,
            "visited": tally.visited,
            "classes": tally.classes,
            "points": tally.points,
        });
        (kind.clone(), counts)
    });
    let parity = tally.parity.map(|parity| {
        let mut counts = check_tally(&parity.check);
        counts["tables"] = json!(parity.tables);
        counts["rows"] = json!(parity.rows);
        counts
    });
    json!({
        "faults": Value::Object(kinds.collect()),
        "parity": parity,
        "rollback": tally.rollback.as_ref().map(check_tally),
        "canaries": { "passed": tally.canaries.0, "run": tally.canaries.1 },
    })
}

fn check_tally(tally: &CheckTally) -> Value {
    json!({
        "asked": tally.asked,
        "failed": tally.failed,
        "unknown": tally.unknown,
        "findings": tally.findings,
    })
}

fn scenario(scenario: &ScenarioRecord, states: &States) -> Value {
    let faults = scenario.faults.iter().map(|(kind, during, coverage)| {
        json!({
            "kind": kind,
            "during": during,
            "points": coverage.points,
            "classes": coverage.classes,
            "visited": coverage.visited,
        })
    });
    json!({
        "scenario": scenario.scenario,
        "about": scenario.about,
        "flow": scenario.flow,
        "dataset": scenario.dataset,
        "classification": scenario.classification,
        "seed": scenario.seed,
        "dataset_sha256": scenario.dataset_sha256,
        "tool_sha256": scenario.tool_sha256,
        "expect": scenario.expect,
        "verdict": scenario.verdict,
        "why": scenario.why,
        "duration_us": scenario.verdict.map(|_| scenario.duration_us),
        "faults": faults.collect::<Vec<_>>(),
        "ways_back": scenario.ways_back(),
        "write_windows": write_windows(scenario, states).iter().map(window).collect::<Vec<_>>(),
        "steps": step_times(scenario).iter().map(step).collect::<Vec<_>>(),
        "cases": scenario.cases.values().map(|one| of_case(scenario, one, states)).collect::<Vec<_>>(),
    })
}

/// How long a step took while nobody injured it.
fn step(times: &StepTimes) -> Value {
    json!({
        "step": times.step,
        "role": times.role,
        "runs": times.times_us.len(),
        "median_us": times.median_us(),
        "slowest_us": times.slowest_us(),
    })
}

/// For how long nobody may write to the sources during a step, and what became of those who tried.
fn window(window: &WriteWindow) -> Value {
    let met = |met: Met| window.met.get(&met).copied().unwrap_or(0);
    json!({
        "step": window.step,
        "from_us": window.from_us,
        "wait_us": window.wait_us(),
        "step_us": window.step_us,
        "locked_us": window.locked_us.map(|(first, last)| [first, last]),
        "kept_out": met(Met::KeptOut),
        "refused": met(Met::Refused),
        "missed": met(Met::Missed),
        "carried": met(Met::Carried),
    })
}

fn of_case(scenario: &ScenarioRecord, one: &CaseRecord, states: &States) -> Value {
    let (word, meaning) = case::word(one);
    let red = one.verdict() != Verdict::Pass;
    json!({
        "case": one.case,
        "address": one.address,
        "label": one.label,
        "token": one.token,
        "outcome": one.outcome,
        "word": word,
        "meaning": meaning,
        "verdict": one.verdict(),
        "checks": one.checks,
        "first_bad_event": red.then(|| case::first_bad_event(one)).flatten(),
        "explanation": (one.verdict() == Verdict::Fail).then(|| Explanation::of(scenario, one, states).json()),
        "error": one.error,
        "duration_us": case::took_us(one),
        "next_command": case::next_command(scenario, one),
    })
}
