//! `trace.json`: the run along its time, for viewers of traces such as Perfetto and `chrome://tracing`: a process for each
//! scenario, a thread for each case.
//!
//! Absent on purpose: what was looked at, which is most of the events and takes next to no time.

use super::Report;
use super::marks::{Lane, marks, struck, workload};
use crate::model::{CaseRecord, RunRecord, ScenarioRecord, States, canonical};
use serde_json::{Value, json};

/// Writes `trace.json`.
pub struct Trace;

impl Report for Trace {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn file(&self) -> &'static str {
        "trace.json"
    }

    fn render(&self, record: &RunRecord, states: &States) -> Vec<u8> {
        let events: Vec<Value> =
            record.scenarios.iter().zip(1..).flat_map(|(one, nth)| of_scenario(one, nth, states)).collect();
        let trace = json!({ "displayTimeUnit": "ms", "traceEvents": events });
        canonical::to_file(&trace).expect("a trace holds texts and integers only")
    }
}

/// Names first, then the cases in the order of their names.
fn of_scenario(scenario: &ScenarioRecord, pid: u64, states: &States) -> Vec<Value> {
    let mut events = vec![name("process_name", pid, 0, &scenario.scenario)];
    for (case, tid) in scenario.cases.values().zip(1..) {
        events.push(name("thread_name", pid, tid, &case.case));
        events.extend(of_case(scenario, case, states).into_iter().map(|event| placed(event, pid, tid)));
    }
    events
}

fn name(of: &str, pid: u64, tid: u64, name: &str) -> Value {
    json!({ "ph": "M", "name": of, "pid": pid, "tid": tid, "args": { "name": name } })
}

/// The case, and within it its steps, what struck, and those who write.
fn of_case(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Vec<Value> {
    let what = json!({ "address": case.address, "outcome": case.outcome, "verdict": case.verdict() });
    let whole = json!({ "ph": "X", "cat": "case", "name": case.case, "ts": case.started_us, "dur": case.duration_us,
        "args": what });
    let struck = struck(case)
        .into_iter()
        .map(|(from_us, _, fault)| json!({ "ph": "i", "s": "t", "cat": "fault", "name": fault, "ts": from_us }));
    let marks = marks(scenario, case).into_iter().chain(workload(scenario, case, states));
    let shown = marks.filter(|mark| matches!(mark.lane, Lane::Tool | Lane::Workload));
    let shown = shown.map(|mark| {
        json!({ "ph": "X", "cat": mark.lane.name(), "name": mark.text, "ts": mark.from_us,
            "dur": mark.to_us.saturating_sub(mark.from_us) })
    });
    [whole].into_iter().chain(shown).chain(struck).collect()
}

fn placed(mut event: Value, pid: u64, tid: u64) -> Value {
    event["pid"] = pid.into();
    event["tid"] = tid.into();
    event
}
