//! What is not green, as lines that GitHub puts beside the files of a pull request.

use super::case::{first_bad_event, next_command, place, run_again, word};
use super::red;
use crate::model::{RunRecord, ScenarioRecord, Verdict};

/// GitHub shows ten of a kind for each step of a job, and drops the rest without a word.
const SHOWN: usize = 10;

/// A line per red case, and per red scenario without one: `::error`, or `::warning` where it is unknown; the worst first.
/// After ten of a kind the last one says how many there are. `file` is the path of a scenario in the repository.
pub fn annotations(record: &RunRecord, file: impl Fn(&str) -> String) -> Vec<String> {
    let cases = red::of_run(record).into_iter().map(|(scenario, case)| {
        let label = case.label.as_ref().map_or(String::new(), |label| format!("\nat {label}"));
        let bad = first_bad_event(case).or_else(|| Some(case.red().next()?.findings.first()?.to_string()));
        let why = bad.unwrap_or_else(|| word(case).1.to_owned());
        let text = format!("{why}{label}\nnext: {}", next_command(scenario, case));
        (case.verdict(), line(case.verdict(), scenario, &format!("{} {}", word(case).0, place(case)), &text, &file))
    });
    let is_alone = |scenario: &&ScenarioRecord| red::of_scenario(scenario).next().is_none();
    let scenarios = record.scenarios.iter().filter(is_alone).filter_map(|scenario| {
        let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
        let text = format!("{}\nnext: {}", scenario.why, run_again(scenario));
        (verdict != Verdict::Pass).then(|| (verdict, line(verdict, scenario, &verdict.to_string(), &text, &file)))
    });
    let all: Vec<(Verdict, String)> = cases.chain(scenarios).collect();
    [Verdict::Fail, Verdict::Unknown].into_iter().flat_map(|verdict| bounded(verdict, &all)).collect()
}

/// A line that belongs to no file: a rule that says no.
pub fn annotation(title: &str, text: &str) -> String {
    format!("::error title={}::{}", property(title), data(text))
}

fn bounded(verdict: Verdict, all: &[(Verdict, String)]) -> Vec<String> {
    let own: Vec<&String> = all.iter().filter(|(of, _)| *of == verdict).map(|(_, line)| line).collect();
    if own.len() <= SHOWN {
        return own.into_iter().cloned().collect();
    }
    let rest = own.len() - (SHOWN - 1);
    let more = format!("::{} title=and {rest} more::see summary.md in the evidence", level(verdict));
    own.into_iter().take(SHOWN - 1).cloned().chain([more]).collect()
}

fn line(
    verdict: Verdict,
    scenario: &ScenarioRecord,
    title: &str,
    text: &str,
    file: &impl Fn(&str) -> String,
) -> String {
    let (file, title) = (property(&file(&scenario.scenario)), property(&format!("{}: {title}", scenario.scenario)));
    format!("::{} file={file},title={title}::{}", level(verdict), data(text))
}

fn level(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Fail { "error" } else { "warning" }
}

/// As GitHub reads it: a text may come from a tool, and must not begin a command of its own.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
