//! For how long nobody may write: what writers to a source met while a step was at work, and what a real step has seen.

use super::markup::{escape, table};
use super::words::{count, duration};
use crate::model::{
    Body, Met, Moment, RECORD_TIER, RunRecord, ScenarioRecord, States, Verdict, WriteWindow, write_windows,
};

/// A table over the scenarios that are no canaries; of the record of a real migration, a sentence. Nothing where nobody
/// wrote.
pub(super) fn writers(record: &RunRecord, states: &States) -> String {
    if record.tier == RECORD_TIER {
        return stood_still(record);
    }
    let plain = record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
    let rows: Vec<Vec<String>> = plain.flat_map(|scenario| of_scenario(scenario, states)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads =
        ["scenario", "during", "kept out", "let in, and the step refused", "missing", "arrived", "nobody may write"];
    let caption = "One writer per case, in the step's way or the step in theirs; times are those of an uninjured step";
    format!("<h2 id=\"writers\">For how long nobody may write</h2>\n{}", table(caption, &heads, rows))
}

fn of_scenario(scenario: &ScenarioRecord, states: &States) -> Vec<Vec<String>> {
    let row = |window: &WriteWindow| {
        let number = |met| count(window.met.get(&met).copied().unwrap_or(0));
        let kept_out = number(Met::KeptOut) + &window.locked_us.map(locked).unwrap_or_default();
        let others = [Met::Refused, Met::Missed, Met::Carried].map(number);
        let names = [&scenario.scenario, &window.step].map(|text| escape(text));
        names.into_iter().chain([kept_out]).chain(others).chain([wait(window)]).collect()
    };
    write_windows(scenario, states).iter().map(row).collect()
}

fn locked((first, last): (u64, u64)) -> String {
    format!(", by locks from {} to {}", duration(first), duration(last))
}

/// The window, in words.
pub(super) fn wait(window: &WriteWindow) -> String {
    match window.from_us {
        None => "0 ms: every write arrived".to_owned(),
        Some(from_us) => format!("<b>{}</b>, from {} on", duration(window.wait_us()), duration(from_us)),
    }
}

/// What the digests before and after a real step say of its sources.
fn stood_still(record: &RunRecord) -> String {
    let Some((scenario, case)) = record.cases().next() else { return String::new() };
    let at = |is_it: &dyn Fn(&Body) -> bool| case.timed().find(|(event, _)| is_it(event)).map(|(_, us)| us);
    let is_of_source = |endpoint: &String| scenario.sources.contains(endpoint);
    let before =
        at(&|event| matches!(event, Body::Probe { moment: Moment::Start, endpoint, .. } if is_of_source(endpoint)));
    let ended = at(&|event| matches!(event, Body::StepFinished { .. }));
    let (Some(before), Some(ended)) = (before, ended) else { return String::new() };
    let reads_rows = record.cutover.as_ref().is_some_and(|cutover| cutover.reads_rows);
    let unchanged = case.checks.iter().find(|check| check.check == "sources-unchanged").map(|check| check.verdict);
    let said = match (reads_rows, unchanged) {
        (false, _) => "Nobody knows whether somebody wrote to a source meanwhile: no row was read.".to_owned(),
        (true, Some(Verdict::Pass)) => {
            format!(
                "No source was written to for <b>{}</b>, from before the step until it had ended.",
                duration(ended.saturating_sub(before))
            )
        }
        (true, _) => "Somebody wrote to a source meanwhile.".to_owned(),
    };
    format!("<h2 id=\"writers\">For how long nobody wrote</h2>\n<p>{said}</p>\n")
}
