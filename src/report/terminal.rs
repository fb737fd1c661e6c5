//! What a person sees at the end of a run: the verdict, a line per scenario, what is red and how to repeat it.

use super::case::{folder, place, run_again, word};
use super::diagnosis::{WIDTH, command, diagnosis, line, lines};
use super::tally::{CheckTally, KindTally, ParityTally, Tally};
use super::words::{count, cut, duration, plain, plural};
use super::{red, way_back};
use crate::model::{CaseRecord, RunRecord, ScenarioRecord, States, Verdict};
use owo_colors::{OwoColorize, Style};

/// Kinds that have a word of their own in the headline, and come first in it.
const COMMON_KINDS: [(&str, &str); 2] = [("proc.kill", "crash"), ("net.reset", "reset")];
const MAX_RED_CASES: usize = 10;
const MAX_NAME: usize = 44;

/// The summary of a run whose bundle is at `bundle`: ASCII, at most 100 columns but for commands, colours on request.
///
/// Every diagnostic ends with the command to run next.
pub fn summary(record: &RunRecord, states: &States, bundle: &str, colour: bool) -> String {
    let tally = Tally::of(record, states);
    let paint = Paint { colour };
    let word = tally.verdict.headline();
    let mut text = paint.verdict(tally.verdict, word) + &headline(word, &tally) + "\n";
    if record.verdict.is_none() {
        text += "the run did not finish: what was not reached is unknown\n";
    }
    text += "\n";
    text.extend(scenario_lines(&record.scenarios, &paint));
    text.extend(record.notes.iter().map(|note| lines("note", note)));
    // The quick tier goes back from one place only, and says it in `report.json`.
    if record.tier != "quick" {
        text += &way_back::tables(record.scenarios.iter().filter(|scenario| scenario.expect.is_none()));
    }
    text += &red_cases(record, states, bundle, &paint);
    text += &red_scenarios(record, &paint);
    text + "\n" + &ending(record, tally.verdict, bundle, &paint)
}

/// The parts that were really asked, in lines of at most 100 columns, the first one after `word`.
fn headline(word: &str, tally: &Tally) -> String {
    let mut kinds: Vec<(&String, &KindTally)> = tally.kinds.iter().collect();
    kinds.sort_by_key(|(kind, _)| COMMON_KINDS.iter().position(|common| common.0 == *kind).unwrap_or(usize::MAX));
    let mut parts: Vec<String> = kinds.into_iter().map(|(kind, tally)| kind_part(kind, tally)).collect();
    parts.extend(tally.parity.map(|parity| parity_part(&parity)));
    parts.extend(tally.rollback.map(|rollback| rollback_part(&rollback)));
    if tally.mutations.1 > 0 {
        parts.push(format!("checks killed {}/{}", count(tally.mutations.0), count(tally.mutations.1)));
    }
    if tally.canaries.1 > 0 {
        parts.push(format!("canaries {}/{}", count(tally.canaries.0), count(tally.canaries.1)));
    }
    if parts.is_empty() {
        parts.push("nothing was asked".to_owned());
    }
    let (mut text, mut column) = (String::new(), word.len());
    for part in parts {
        if column + 2 + part.len() > WIDTH {
            text += &format!("\n{:1$}", "", word.len());
            column = word.len();
        }
        text += &format!("  {part}");
        column += 2 + part.len();
    }
    text
}

fn kind_part(kind: &str, tally: &KindTally) -> String {
    let name = COMMON_KINDS.iter().find(|common| common.0 == kind).map_or(kind, |common| common.1);
    let mut asides = Vec::new();
    if tally.visited < tally.classes {
        asides.push(format!("sampled {} of {}", count(tally.visited), count(tally.classes)));
    } else if tally.classes < tally.points {
        // Every class is not every point.
        asides.push(format!("for {}", plural(tally.points, "point")));
    }
    if tally.absorbed > 0 {
        asides.push(format!("{} absorbed", count(tally.absorbed)));
    }
    let asides = if asides.is_empty() { String::new() } else { format!(" ({})", asides.join(", ")) };
    format!("{} {}/{}{asides}", plain(name), count(tally.passed), count(tally.cases))
}

fn parity_part(parity: &ParityTally) -> String {
    let over = match parity.tables {
        0 => String::new(),
        tables => format!(" in {} / {}", plural(tables, "table"), plural(parity.rows, "row")),
    };
    match parity.check {
        CheckTally { failed: 0, unknown: 0, .. } => format!("parity 0 differences{over}"),
        CheckTally { failed: 0, unknown, .. } => format!("parity unknown in {}", plural(unknown, "case")),
        CheckTally { findings, .. } => format!("parity {}{over}", plural(findings, "difference")),
    }
}

fn rollback_part(rollback: &CheckTally) -> String {
    match rollback {
        CheckTally { failed: 0, unknown: 0, .. } => "rollback exact".to_owned(),
        CheckTally { failed: 0, unknown, .. } => format!("rollback unknown in {}", plural(*unknown, "case")),
        CheckTally { failed, .. } => format!("rollback inexact in {}", plural(*failed, "case")),
    }
}

fn scenario_lines<'a>(scenarios: &'a [ScenarioRecord], paint: &'a Paint) -> impl Iterator<Item = String> + 'a {
    let name = |scenario: &ScenarioRecord| cut(&plain(&scenario.scenario), MAX_NAME);
    let width = scenarios.iter().map(|scenario| name(scenario).len()).max().unwrap_or(0);
    scenarios.iter().map(move |scenario| {
        let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
        let time = scenario.verdict.map_or("not finished".to_owned(), |_| duration(scenario.duration_us));
        let cases = plural(scenario.cases.len() as u64, "case");
        let rest = format!("  {:<width$}  {cases:>9}  {time:>8}{}", name(scenario), as_planned(scenario));
        paint.verdict(verdict, &format!("{:<7}", verdict.to_string())) + &cut(&rest, WIDTH - 7) + "\n"
    })
}

/// A canary is green because it turned red: exactly these checks, with this word.
fn as_planned(scenario: &ScenarioRecord) -> String {
    match (&scenario.expect, scenario.verdict) {
        (Some(expect), Some(Verdict::Pass)) => {
            let outcome = expect.outcome.map(|outcome| outcome.to_string());
            let planned: Vec<String> = expect.red.iter().map(|check| plain(check)).chain(outcome).collect();
            let head = if expect.red.is_empty() { "as planned" } else { "red" };
            format!("  {head}: {}", planned.join(", "))
        }
        _ => String::new(),
    }
}

/// Scenarios that are not green, and not only because of the cases that follow.
fn red_scenarios(record: &RunRecord, paint: &Paint) -> String {
    let not_green = record.scenarios.iter().filter(|scenario| scenario.verdict != Some(Verdict::Pass));
    not_green
        .filter(|scenario| !scenario.why.is_empty() || red::of_scenario(scenario).next().is_none())
        .map(|scenario| {
            let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
            let why = match (scenario.why.as_str(), &scenario.expect) {
                ("", Some(expect)) => format!("a canary: it had to turn red: {}", expect.red.join(", ")),
                ("", None) => "it did not finish, so nothing was proved".to_owned(),
                (why, _) => why.to_owned(),
            };
            let name = paint.verdict(verdict, &verdict.to_string().to_uppercase());
            format!("\n{name}  {}\n", plain(&scenario.scenario)) + &lines("", &why) + &command(&run_again(scenario))
        })
        .collect()
}

fn red_cases(record: &RunRecord, states: &States, bundle: &str, paint: &Paint) -> String {
    let red = red::of_run(record);
    let shown = red.len().min(MAX_RED_CASES);
    let mut text: String =
        red[..shown].iter().map(|(scenario, case)| red_case(scenario, case, states, bundle, paint)).collect();
    if shown < red.len() {
        text += &format!("\nand {} more, see {bundle}/report.json\n", count((red.len() - shown) as u64));
    }
    text
}

fn red_case(scenario: &ScenarioRecord, case: &CaseRecord, states: &States, bundle: &str, paint: &Paint) -> String {
    let place = place(case);
    let head = format!("  {}  {}", plain(&scenario.scenario), plain(&place));
    let logs = format!("  {:<10}{bundle}/{}\n", "logs", folder(case));
    format!("\n{}{head}\n", paint.verdict(case.verdict(), word(case).0)) + &diagnosis(scenario, case, states, &logs)
}

/// What stays on the screen when the rest has scrolled away.
fn ending(record: &RunRecord, verdict: Verdict, bundle: &str, paint: &Paint) -> String {
    let mut text = line("took", &duration(record.duration_us)) + &format!("  {:<10}{bundle}\n", "evidence");
    if !record.outcome_sha256.is_empty() {
        text += &line("outcome", &record.outcome_sha256);
    }
    text += &format!("  {:<10}cd {} && sha256sum -c --strict SHA256SUMS\n", "verify", shell_word(bundle));
    let word = paint.verdict(verdict, verdict.headline());
    text + &format!("  {:<10}{word}, exit code {}\n", "verdict", verdict.exit_code())
}

fn shell_word(path: &str) -> String {
    match path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte)) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

struct Paint {
    colour: bool,
}

impl Paint {
    /// The colour repeats what the word says.
    fn verdict(&self, verdict: Verdict, word: &str) -> String {
        let style = match verdict {
            _ if !self.colour => return word.to_owned(),
            Verdict::Pass => Style::new().green().bold(),
            Verdict::Unknown => Style::new().yellow().bold(),
            Verdict::Fail => Style::new().red().bold(),
        };
        word.style(style).to_string()
    }
}
