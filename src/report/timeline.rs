//! The run along its time, as SVG: a lane per scenario, a bar per case. Legible without any style sheet.

use super::markup::escape;
use super::words::{cut, duration};
use crate::model::{RunRecord, ScenarioRecord, Verdict};
use std::fmt::Write as _;

const WIDTH: u64 = 1200;
const NAMES: u64 = 260;
const LANE: u64 = 22;
const MAX_LANES: usize = 120;

/// Nothing where nothing took any time.
pub(super) fn timeline(record: &RunRecord) -> String {
    let shown = &record.scenarios[..record.scenarios.len().min(MAX_LANES)];
    if record.duration_us == 0 || shown.is_empty() {
        return String::new();
    }
    let height = LANE * (shown.len() as u64 + 2);
    let what = format!("Cases over {}, one lane for each scenario", duration(record.duration_us));
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n",
        escape(&what)
    );
    for (scenario, nth) in shown.iter().zip(0..) {
        lane(&mut svg, record, scenario, nth * LANE);
    }
    let y = height - LANE;
    for tenth in 0..=10 {
        let (x, at) = (place(record, record.duration_us * tenth / 10), duration(record.duration_us * tenth / 10));
        let anchor = if tenth == 10 { "end" } else { "start" };
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{y}\" stroke=\"#8b949e\" stroke-width=\"0.5\"/>\
             <text x=\"{x}\" y=\"{}\" fill=\"currentColor\" text-anchor=\"{anchor}\">{at}</text>",
            y + 15
        );
    }
    svg + "</svg>\n"
}

fn lane(svg: &mut String, record: &RunRecord, scenario: &ScenarioRecord, y: u64) {
    let name = escape(&cut(&scenario.scenario, 40));
    let _ = writeln!(svg, "<text x=\"0\" y=\"{}\" fill=\"currentColor\">{name}</text>", y + 15);
    for case in scenario.cases.values() {
        let (x, end) = (place(record, case.started_us), place(record, case.started_us + case.duration_us));
        let (colour, dash) = match (case.verdict(), &scenario.expect) {
            (Verdict::Pass, _) => ("#2da44e", ""),
            (_, Some(_)) => ("#8b949e", ""),
            (Verdict::Unknown, None) => ("#bf8700", " stroke-dasharray=\"2\""),
            (Verdict::Fail, None) => ("#cf222e", ""),
        };
        let red = if case.verdict() == Verdict::Fail && scenario.expect.is_none() { 2 } else { 5 };
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{colour}\" fill-opacity=\"0.55\" \
             stroke=\"{colour}\"{dash}/>",
            y + red,
            (end - x).max(2),
            LANE - 2 * red
        );
    }
}

fn place(record: &RunRecord, us: u64) -> u64 {
    let share = u128::from(us.min(record.duration_us)) * u128::from(WIDTH - NAMES) / u128::from(record.duration_us);
    NAMES + u64::try_from(share).unwrap_or(0)
}
