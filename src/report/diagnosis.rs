//! A case that is not green, explained: meaning, place, expected and found, first bad event, the command that repeats it.

use super::case::{first_bad_event, next_command, word};
use super::explanation::Explanation;
use super::words::{count, plain, plural, wrap};
use crate::model::{Body, CaseRecord, CheckResult, Finding, ScenarioRecord, States, Verdict};

/// The width of everything that is printed.
pub(super) const WIDTH: usize = 100;
/// Where the text begins after its heading.
const MARGIN: usize = 12;
const MAX_SHOWN_FINDINGS: usize = 3;

/// Lines of at most 100 characters but for the command, which is never broken; the last line is the command.
///
/// `logs` is a line that says where the output of the steps is, or empty.
pub(super) fn diagnosis(scenario: &ScenarioRecord, case: &CaseRecord, states: &States, logs: &str) -> String {
    let mut text = line("", word(case).1);
    if let Some(label) = struck(case) {
        text += &line("at", &label);
    }
    match &case.error {
        // What the checks could not see follows from it.
        Some(error) => text += &lines("error", error),
        None => text.extend(case.red().map(check)),
    }
    if let Some(event) = first_bad_event(case) {
        text += &line("first bad", &event);
    }
    if case.error.is_none() && case.verdict() == Verdict::Fail {
        text += &Explanation::of(scenario, case, states).text();
    }
    text + logs + &command(&next_command(scenario, case))
}

/// The statement at the point; of a point that only has a number, the one that was struck there.
fn struck(case: &CaseRecord) -> Option<String> {
    let fired = || {
        case.events.iter().find_map(|event| match event {
            Body::FaultFired { what, .. } => Some(what.clone()),
            _ => None,
        })
    };
    case.label.clone().or_else(fired)
}

/// The next command, whole on its line: it is there to be copied.
pub(super) fn command(command: &str) -> String {
    format!("  {:<10}{command}\n", "next")
}

/// A heading and its text, wrapped.
pub(super) fn line(heading: &str, text: &str) -> String {
    wrap(&head(heading), &plain(text), MARGIN, WIDTH)
}

/// As [`line`], but the line ends of `text` stay: it may hold something to paste.
pub(super) fn lines(heading: &str, text: &str) -> String {
    let headings = std::iter::once(heading).chain(std::iter::repeat(""));
    text.lines().zip(headings).map(|(text, heading)| line(heading, text)).collect()
}

fn head(heading: &str) -> String {
    if heading.len() < MARGIN - 2 { format!("  {heading:<10}") } else { format!("  {heading}\n{:MARGIN$}", "") }
}

fn check(check: &CheckResult) -> String {
    let answer = match check.verdict {
        Verdict::Fail => "fails",
        _ => "could not be answered",
    };
    let findings = match check.findings_total {
        0 => String::new(),
        number => format!(", {}", plural(number, "finding")),
    };
    let mut text = line("check", &format!("{} {answer}{findings}", check.check));
    let shown = check.findings.len().min(MAX_SHOWN_FINDINGS);
    text.extend(check.findings[..shown].iter().map(finding));
    match check.findings_total.saturating_sub(shown as u64) {
        0 => text,
        more => text + &line("", &format!("and {} more", count(more))),
    }
}

fn finding(finding: &Finding) -> String {
    let Finding { place, difference } = finding;
    let under =
        |heading: &str, text: &str| wrap(&format!("{:MARGIN$}  {heading:<9}", ""), &plain(text), MARGIN + 11, WIDTH);
    let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
    line("", &format!("{place}{}", difference.object))
        + &under("expected", &difference.expected)
        + &under("found", &difference.found)
}
