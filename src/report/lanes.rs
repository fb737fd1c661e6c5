//! One case along its time, as SVG: a lane for the harness, the tool, the sources, the targets and those who write; what
//! struck is shaded across all of them. Legible without any style sheet.

use super::marks::{Lane, Mark, Tone, marks, struck, workload};
use super::markup::escape;
use super::words::{cut, duration};
use crate::model::{CaseRecord, ScenarioRecord, States};
use std::fmt::Write as _;

const WIDTH: u64 = 1200;
const NAMES: u64 = 80;
const LANE: u64 = 22;
const MAX_MARKS: usize = 200;

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
    let height = LANE * (Lane::ALL.len() as u64 + 1);
    let what = format!("{} over {}: {}", case.case, duration(last - first), Lane::ALL.map(Lane::name).join(", "));
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
    for (lane, nth) in Lane::ALL.into_iter().zip(0..) {
        let (text, line) = (nth * LANE + 15, (nth + 1) * LANE);
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{text}\" fill=\"currentColor\">{}</text>\
             <line x1=\"0\" y1=\"{line}\" x2=\"{WIDTH}\" y2=\"{line}\" stroke=\"{GREY}\" stroke-width=\"0.5\"/>",
            lane.name()
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
    let nth = Lane::ALL.iter().position(|lane| *lane == mark.lane).unwrap_or(0);
    let (x, y) = (at(mark.from_us), nth as u64 * LANE);
    let width = (at(mark.to_us) - x).max(2);
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\" fill-opacity=\"0.45\" \
         stroke=\"{colour}\"><title>{}</title></rect>",
        y + 3,
        LANE - 6,
        escape(&mark.text),
        colour = colour(mark.tone)
    );
    // A name where there is room for it.
    let room = usize::try_from(width / 7).unwrap_or(0);
    if room >= 3 {
        let text = escape(&cut(&mark.text, room));
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" fill=\"currentColor\">{text}</text>", x + 3, y + 15);
    }
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => GREEN,
        Tone::Bad => RED,
        Tone::Look => BLUE,
        Tone::Plain => GREY,
    }
}
