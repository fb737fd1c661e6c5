//! One case along its time, as SVG: a lane for the harness, the tool, the sources, the targets and those who write; what
//! struck is shaded across all of them. Legible without any style sheet.

use super::markup::escape;
use super::words::{cut, duration};
use crate::model::{Body, CaseRecord, Met, Phase, ScenarioRecord, States, WriteWindow, write_windows, writer};
use std::fmt::Write as _;

const WIDTH: u64 = 1200;
const NAMES: u64 = 80;
const LANE: u64 = 22;
const LANES: [&str; 5] = ["harness", "tool", "source", "target", "workload"];
const MAX_MARKS: usize = 200;

/// Something in a lane, from one time to another, since the start of the run.
struct Mark {
    lane: usize,
    from_us: u64,
    to_us: u64,
    text: String,
    colour: &'static str,
}

const GREEN: &str = "#2da44e";
const RED: &str = "#cf222e";
const GREY: &str = "#8b949e";
const BLUE: &str = "#0969da";

/// Nothing where nothing took any time.
pub(super) fn lanes(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> String {
    let (Some(first), Some(last)) = (case.times_us.first(), case.times_us.last()) else { return String::new() };
    if first >= last {
        return String::new();
    }
    let at = |us: u64| {
        let share = u128::from(us.clamp(*first, *last) - first) * u128::from(WIDTH - NAMES) / u128::from(last - first);
        NAMES + u64::try_from(share).unwrap_or(0)
    };
    let height = LANE * (LANES.len() as u64 + 1);
    let what = format!("{} over {}: {}", case.case, duration(last - first), LANES.join(", "));
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n",
        escape(&what)
    );
    for (from, to, fault) in struck(case) {
        let (x, width) = (at(from), (at(to) - at(from)).max(3));
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"0\" width=\"{width}\" height=\"{}\" fill=\"{RED}\" fill-opacity=\"0.18\">\
             <title>{}</title></rect>",
            height - LANE,
            escape(&fault)
        );
    }
    for (name, nth) in LANES.iter().zip(0..) {
        let (text, line) = (nth * LANE + 15, (nth + 1) * LANE);
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{text}\" fill=\"currentColor\">{name}</text>\
             <line x1=\"0\" y1=\"{line}\" x2=\"{WIDTH}\" y2=\"{line}\" stroke=\"{GREY}\" stroke-width=\"0.5\"/>"
        );
    }
    let all = marks(scenario, case).into_iter().take(MAX_MARKS).chain(workload(scenario, case, states));
    all.for_each(|mark| draw(&mut svg, &mark, &at));
    for fifth in 0..=5 {
        let us = first + (last - first) * fifth / 5;
        let anchor = if fifth == 5 { "end" } else { "start" };
        let (x, y) = (at(us), height - 6);
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" fill=\"currentColor\" text-anchor=\"{anchor}\">{}</text>",
            duration(us - first)
        );
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, mark: &Mark, at: &dyn Fn(u64) -> u64) {
    let (x, y) = (at(mark.from_us), mark.lane as u64 * LANE);
    let width = (at(mark.to_us) - x).max(2);
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\" fill-opacity=\"0.45\" \
         stroke=\"{colour}\"><title>{}</title></rect>",
        y + 3,
        LANE - 6,
        escape(&mark.text),
        colour = mark.colour
    );
    // A name where there is room for it.
    let room = usize::try_from(width / 7).unwrap_or(0);
    if room >= 3 {
        let text = escape(&cut(&mark.text, room));
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" fill=\"currentColor\">{text}</text>", x + 3, y + 15);
    }
}

/// From when to when a fault was there; without an end, to the end of its step.
fn struck(case: &CaseRecord) -> Vec<(u64, u64, String)> {
    let mut struck: Vec<(u64, u64, String)> = Vec::new();
    let mut open: Option<(u64, String)> = None;
    for (event, us) in case.timed() {
        match event {
            Body::FaultFired { address, what, .. } => open = Some((us, format!("{address}: {what}"))),
            Body::FaultCleared { .. } | Body::StepFinished { .. } if open.is_some() => {
                struck.extend(open.take().map(|(from, fault)| (from, us, fault)));
            }
            _ => {}
        }
    }
    struck
}

/// Those who write: in a case of theirs what they met; in an uninjured one for how long nobody may.
fn workload(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> Vec<Mark> {
    if case.address.is_none() {
        let windows = write_windows(scenario, states);
        return windows.iter().filter_map(|window| closed(case, window)).collect();
    }
    let came = case.timed().find(|(event, _)| matches!(event, Body::WriterCame { .. }));
    let met = came.zip(writer(scenario, case, states)).map(|((_, us), writer)| {
        let (text, colour) = match writer.met {
            Met::KeptOut => ("kept out", RED),
            Met::Refused => ("let in; the step refused", GREY),
            Met::Missed => ("let in; not in the target", GREY),
            Met::Carried => ("let in; it arrived", GREEN),
        };
        Mark { lane: 4, from_us: us, to_us: us, text: format!("a writer: {text}"), colour }
    });
    met.into_iter().collect()
}

fn closed(case: &CaseRecord, window: &WriteWindow) -> Option<Mark> {
    let of_step = |is_it: &dyn Fn(&Body) -> bool| case.timed().find(|(event, _)| is_it(event)).map(|(_, us)| us);
    let begun =
        of_step(&|event| matches!(event, Body::StepStarted { step, phase: Phase::Plan, .. } if *step == window.step))?;
    let to_us =
        of_step(&|event| matches!(event, Body::StepFinished { step, phase: Phase::Plan, .. } if *step == window.step))?;
    let from_us = (begun + window.from_us?).min(to_us);
    let text = format!("nobody may write for {}", duration(window.wait_us()));
    Some(Mark { lane: 4, from_us, to_us, text, colour: RED })
}

fn marks(scenario: &ScenarioRecord, case: &CaseRecord) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut step: Option<(u64, &str)> = None;
    let mut idle_since = case.times_us.first().copied().unwrap_or(0);
    let mark = |lane, from_us, to_us, text: String, colour| Mark { lane, from_us, to_us, text, colour };
    for (event, us) in case.timed() {
        match event {
            Body::StepStarted { step: name, .. } => {
                marks.push(mark(0, idle_since, us, "looks".to_owned(), GREY));
                step = Some((us, name));
            }
            Body::StepFinished { step: name, phase, success, .. } => {
                let from = step.take().filter(|(_, begun)| begun == name).map_or(us, |(from, _)| from);
                let colour = if *success { GREEN } else { RED };
                marks.push(mark(1, from, us, format!("{name} ({phase})"), colour));
                idle_since = us;
            }
            Body::Probe { endpoint, moment, .. } => {
                let lane = if scenario.sources.contains(endpoint) { 2 } else { 3 };
                marks.push(mark(lane, us, us, format!("{endpoint} {moment}"), BLUE));
            }
            Body::SourceWritten { endpoint, what, .. } => {
                marks.push(mark(2, us, us, format!("written to {endpoint}: {what}"), RED));
            }
            Body::CaseFinished { .. } => marks.push(mark(0, idle_since, us, "looks, judges".to_owned(), GREY)),
            _ => {}
        }
    }
    marks
}
