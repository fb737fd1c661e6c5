//! `summary.md`: the run for the page of a CI job and for a pull request; at most 900 KiB.

use super::case::{next_command, place, word};
use super::markup::sign;
use super::matrix::Matrix;
use super::words::{count, duration, plain};
use super::{Report, Tally, red};
use crate::model::{CaseRecord, Change, Ruled, RunRecord, ScenarioRecord, States, Verdict, checklist};

const MAX_BYTES: usize = 900 * 1024;
const MAX_RED_CASES: usize = 50;
const MAX_CHANGES: usize = 30;

/// Writes `summary.md`.
pub struct Markdown;

impl Report for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn file(&self) -> &'static str {
        "summary.md"
    }

    fn render(&self, record: &RunRecord, states: &States) -> Vec<u8> {
        let tally = Tally::of(record, states);
        let head = format!(
            "# {} {}\n\nRehearsal `{}`, tier {}, took {}.\n\n",
            sign(tally.verdict),
            tally.verdict.headline(),
            record.run,
            record.tier,
            duration(record.duration_us)
        );
        let notes: String = record.notes.iter().map(|note| format!("> {}\n\n", cell(note))).collect();
        bounded(
            head + &notes
                + &scenarios(record)
                + &changes(record)
                + &faults(record)
                + &demands(record)
                + &red_cases(record),
        )
        .into_bytes()
    }
}

fn scenarios(record: &RunRecord) -> String {
    let row = |scenario: &ScenarioRecord| {
        let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
        let time = scenario.verdict.map_or("not finished".to_owned(), |_| duration(scenario.duration_us));
        let (name, why) = (cell(&scenario.scenario), cell(scenario.why.lines().next().unwrap_or_default()));
        format!("| {} {verdict} | {name} | {} | {time} | {why} |\n", sign(verdict), scenario.cases.len())
    };
    let rows: String = record.scenarios.iter().map(row).collect();
    format!("| | scenario | cases | time | why |\n|---|---|---|---|---|\n{rows}\n")
}

/// In what it differs from the last green run, where there is one to compare with.
fn changes(record: &RunRecord) -> String {
    let Some(baseline) = &record.baseline else { return String::new() };
    let changes = baseline.changes(record);
    let head = format!("## Since {}\n\n", cell(&baseline.run));
    if changes.is_empty() {
        return head + "Nothing is different but times.\n\n";
    }
    let row = |change: &Change| {
        format!(
            "| {} | {} | {} | {} |\n",
            cell(change.whose()),
            cell(&change.what),
            cell(&change.then),
            cell(&change.now)
        )
    };
    let rows: String = changes.iter().take(MAX_CHANGES).map(row).collect();
    let rest = match changes.len().saturating_sub(MAX_CHANGES) as u64 {
        0 => String::new(),
        more => format!("and {} more\n\n", count(more)),
    };
    format!("{head}| of | what | in the last green run | in this one |\n|---|---|---|---|\n{rows}\n{rest}")
}

/// What the runbooks demand and was not shown to be so.
fn demands(record: &RunRecord) -> String {
    let rules = checklist(record);
    let asked = || rules.iter().filter(|ruled| !ruled.is_answered_elsewhere());
    if asked().next().is_none() {
        return String::new();
    }
    let open: Vec<&Ruled> = asked().filter(|ruled| ruled.verdict() != Verdict::Pass).collect();
    let line = |ruled: &&Ruled| {
        let verdict = ruled.verdict();
        format!("- {} {verdict} {}: {}\n", sign(verdict), cell(&ruled.rule.id), cell(&ruled.rule.quote))
    };
    let (green, all) = (count((asked().count() - open.len()) as u64), count(asked().count() as u64));
    format!("## Criteria\n\n{green}/{all} green\n\n{}\n", open.iter().map(line).collect::<String>())
}

fn faults(record: &RunRecord) -> String {
    let matrix = Matrix::of(record);
    if matrix.kinds.is_empty() {
        return String::new();
    }
    let heads: String = matrix.kinds.iter().map(|kind| format!(" {} |", cell(kind))).collect();
    let rule = "---|".repeat(matrix.kinds.len() + 2);
    let rows = matrix.rows.iter().map(|row| {
        let cells = matrix.kinds.iter().map(|kind| match row.cells.get(kind) {
            Some(cell) => format!(" {} {}/{} |", sign(cell.verdict()), count(cell.passed), count(cell.planned)),
            None => " |".to_owned(),
        });
        format!("| {} | {} |{}\n", cell(&row.scenario), cell(&row.during), cells.collect::<String>())
    });
    format!("## Faults survived\n\n| scenario | step |{heads}\n|{rule}\n{}\n", rows.collect::<String>())
}

fn red_cases(record: &RunRecord) -> String {
    let red = red::of_run(record);
    if red.is_empty() {
        return String::new();
    }
    let line = |(scenario, case): &(&ScenarioRecord, &CaseRecord)| {
        let place = place(case);
        let (word, meaning) = word(case);
        let command = next_command(scenario, case);
        format!("- **{word}** {} `{place}`: {meaning}\n\n  ```sh\n  {command}\n  ```\n", cell(&scenario.scenario))
    };
    let lines: String = red.iter().take(MAX_RED_CASES).map(line).collect();
    let rest = match red.len().saturating_sub(MAX_RED_CASES) as u64 {
        0 => String::new(),
        more => format!("\nand {} more, in `report.json`\n", count(more)),
    };
    format!("## Not green\n\n{lines}{rest}")
}

/// Text of unknown origin inside of a table: one line, and nothing that Markdown or HTML would obey.
fn cell(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '!' | '#' | '~' => format!("\\{c}"),
        c => c.to_string(),
    };
    plain(text).chars().map(escape).collect()
}

fn bounded(text: String) -> String {
    const CUT: &str = "\n\ncut at 900 KiB, the rest is in `report.json`\n";
    if text.len() <= MAX_BYTES {
        return text;
    }
    let head = &text[..text.floor_char_boundary(MAX_BYTES - CUT.len())];
    let end = head.rfind('\n').unwrap_or(head.len());
    format!("{}{CUT}", &head[..end])
}
