//! `report.html`: what a release manager reads, and below it what an engineer needs.
//!
//! One file, no script, nothing from the network; real tables and SVG with presentation attributes, so that it is legible
//! also where style sheets are forbidden. Absent on purpose: approvals, which `release.html` adds, and the digest of the
//! bundle, which names this file.

use super::case::{folder, log, next_command, place, word};
use super::checklist::{criteria, demands, green};
use super::diagnosis::diagnosis;
use super::heat::heat;
use super::lanes::lanes;
use super::markup::{FACTS, STYLE, anchor, badge, escape, table};
use super::matrix::Matrix;
use super::origin::origin;
use super::phases::phases;
use super::tally::{CheckTally, ParityTally};
use super::timeline::timeline;
use super::words::{count, duration, minute, plural};
use super::writers::writers;
use super::{Report, Tally, red, way_back};
use crate::model::{CaseRecord, RunRecord, ScenarioRecord, States, Verdict};
use std::collections::{BTreeMap, BTreeSet};

const MAX_BLOCKING: usize = 6;
const MAX_RED_CASES: usize = 100;
const MAX_CHANGES: usize = 60;
const MAX_LANES: usize = 60;
const MAX_LOG_LINES: usize = 40;

/// Writes `report.html`.
pub struct Html;

impl Report for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn file(&self) -> &'static str {
        "report.html"
    }

    fn render(&self, record: &RunRecord, states: &States) -> Vec<u8> {
        let tally = Tally::of(record, states);
        let (matrix, red) = (Matrix::of(record), red::of_run(record));
        let told: BTreeSet<&str> = red.iter().take(MAX_RED_CASES).map(|(_, case)| case.case.as_str()).collect();
        let title = format!("{} \u{2014} rehearsal {}", tally.verdict.headline(), record.run);
        let body = [
            head(record, &tally),
            blocking(record, &told),
            facts(record, &tally, &matrix),
            demands(record),
            changes(record),
            heat(&matrix, &told),
            way_back::page(record),
            checks(record),
            scenarios(record),
            criteria(record),
            red_cases(&red, states),
            phases(record),
            writers(record, states),
            format!("<h2 id=\"time\">Time</h2>\n{}{}", timeline(record), golden_lanes(record, states)),
            all_cases(record),
            by_hand(record),
        ];
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            escape(&title),
            body.concat()
        )
        .into_bytes()
    }
}

fn head(record: &RunRecord, tally: &Tally) -> String {
    let notes: String = record.notes.iter().map(|note| format!("<p>Note: {}</p>\n", escape(note))).collect();
    let cut_off = match record.verdict {
        None => "<p>The run did not finish: what was not reached is unknown.</p>\n",
        Some(_) => "",
    };
    format!(
        "<div class=\"head\"><h1>{}</h1><div>Rehearsal <b>{}</b><br><span class=\"dim\">began {}, took {}, tier {}, \
         version {}</span></div></div>\n{}{cut_off}{notes}",
        badge(tally.verdict, tally.verdict.headline()),
        escape(&record.run),
        escape(&minute(&record.started)),
        duration(record.duration_us),
        escape(&record.tier),
        escape(&record.version),
        origin(record),
    )
}

/// Why it is not green, as links.
fn blocking(record: &RunRecord, told: &BTreeSet<&str>) -> String {
    let not_green: Vec<&ScenarioRecord> =
        record.scenarios.iter().filter(|scenario| scenario.verdict != Some(Verdict::Pass)).collect();
    if not_green.is_empty() {
        return String::new();
    }
    let line = |scenario: &&ScenarioRecord| {
        let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
        let cases: Vec<&CaseRecord> = red::of_scenario(scenario).filter(|case| case.verdict() == verdict).collect();
        let why = match (scenario.why.lines().next(), cases.first()) {
            (Some(why), _) => escape(why),
            (None, None) => "it did not finish".to_owned(),
            (None, Some(first)) => first_of(first, cases.len(), scenario.cases.len(), told),
        };
        let name = escape(&scenario.scenario);
        format!(
            "<li>{} <a href=\"#{}\">{name}</a>: {why}</li>\n",
            badge(verdict, &verdict.to_string()),
            anchor(&scenario.scenario)
        )
    };
    let lines: String = not_green.iter().take(MAX_BLOCKING).map(line).collect();
    let rest = match not_green.len().saturating_sub(MAX_BLOCKING) as u64 {
        0 => String::new(),
        more => format!("<li>and {} more</li>\n", count(more)),
    };
    format!("<h2 id=\"blocking\">What stands against it</h2>\n<ul>\n{lines}{rest}</ul>\n")
}

/// How many, and what the first of them is, with a link where the page tells of it.
fn first_of(first: &CaseRecord, red: usize, all: usize, told: &BTreeSet<&str>) -> String {
    let (number, all, meaning) = (count(red as u64), plural(all as u64, "case"), escape(word(first).1));
    let place = escape(&place(first));
    let place = match told.contains(first.case.as_str()) {
        true => format!("<a href=\"#{}\">{place}</a>", anchor(&first.case)),
        false => place,
    };
    format!("{number} of {all}; {place}: {meaning}")
}

fn facts(record: &RunRecord, tally: &Tally, matrix: &Matrix) -> String {
    let passed = record.scenarios.iter().filter(|scenario| scenario.verdict == Some(Verdict::Pass)).count();
    let (survived, planned) = matrix.total();
    let share = |green: u64, all: u64| format!("{}/{}", count(green), count(all));
    let (parity, over) = tally.parity.as_ref().map_or(("not asked".to_owned(), String::new()), parity);
    let planted = match tally.mutations {
        (_, 0) => "no change was planted".to_owned(),
        (seen, all) => format!("{} planted changes were seen", share(seen, all)),
    };
    let canaries = match tally.canaries {
        (_, 0) => None,
        (green, all) => Some(format!("{} canaries as planned", share(green, all))),
    };
    let asides: Vec<String> = canaries.into_iter().chain(green(record)).collect();
    let facts = [
        (share(passed as u64, record.scenarios.len() as u64), "scenarios green", asides.join(", ")),
        match planned {
            0 => ("none".to_owned(), "faults were injected", "what is green here was not injured".to_owned()),
            _ => (share(survived, planned), "faults survived", sampled(tally)),
        },
        (parity, "differing rows and objects", over),
        (rollback(tally.rollback.as_ref()), "rollback", planted),
    ];
    let fact = |(number, what, aside): &(String, &str, String)| {
        format!("<div class=\"fact\"><b>{number}</b>{what}<br><span class=\"dim\">{aside}</span></div>\n")
    };
    format!("{FACTS}\n{}</div>\n", facts.iter().map(fact).collect::<String>())
}

fn sampled(tally: &Tally) -> String {
    let sum = |number: fn(&super::KindTally) -> u64| tally.kinds.values().map(number).fold(0, u64::saturating_add);
    let (visited, classes) = (sum(|kind| kind.visited), sum(|kind| kind.classes));
    match visited < classes {
        true => format!("sampled: {} of {} classes of points", count(visited), count(classes)),
        false => format!("all {} classes of points", count(classes)),
    }
}

fn parity(parity: &ParityTally) -> (String, String) {
    let over = format!("in {}, {}", plural(parity.tables, "table"), plural(parity.rows, "row"));
    match parity.check {
        CheckTally { failed: 0, unknown: 0, .. } => ("0".to_owned(), over),
        CheckTally { failed: 0, unknown, .. } => (format!("? in {}", plural(unknown, "case")), over),
        CheckTally { findings, .. } => (count(findings), over),
    }
}

fn rollback(tally: Option<&CheckTally>) -> String {
    match tally {
        None => "not asked".to_owned(),
        Some(CheckTally { failed: 0, unknown: 0, .. }) => "exact".to_owned(),
        Some(CheckTally { failed: 0, .. }) => "unknown".to_owned(),
        Some(CheckTally { .. }) => "inexact".to_owned(),
    }
}

/// In what it differs from the last green run, where there is one to compare with.
fn changes(record: &RunRecord) -> String {
    let Some(baseline) = &record.baseline else { return String::new() };
    let changes = baseline.changes(record);
    let name = escape(&baseline.run);
    if changes.is_empty() {
        return format!("<h2 id=\"changes\">Since {name}</h2>\n<p>Nothing is different but times.</p>\n");
    }
    let rows = changes
        .iter()
        .take(MAX_CHANGES)
        .map(|change| [change.whose(), &change.what, &change.then, &change.now].map(escape).to_vec());
    let rest = match changes.len().saturating_sub(MAX_CHANGES) as u64 {
        0 => String::new(),
        more => format!("<p>and {} more</p>\n", count(more)),
    };
    let heads = ["of", "what", "in the last green run", "in this one"];
    let table = table("What is different from the last green run", &heads, rows);
    format!("<h2 id=\"changes\">Since {name}</h2>\n{table}{rest}")
}

/// Every question that was asked, over all cases of scenarios that must be green.
fn checks(record: &RunRecord) -> String {
    let mut tally: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let plain = record.cases().filter(|(scenario, _)| scenario.expect.is_none());
    for check in plain.flat_map(|(_, case)| &case.checks) {
        tally.entry(&check.check).or_default()[check.verdict as usize] += 1;
    }
    let rows = tally.into_iter().map(|(name, [passed, unknown, failed])| {
        let verdict = if failed > 0 {
            Verdict::Fail
        } else if unknown > 0 {
            Verdict::Unknown
        } else {
            Verdict::Pass
        };
        let numbers = [passed + unknown + failed, passed, unknown, failed].map(count);
        [badge(verdict, &verdict.to_string()), escape(name)].into_iter().chain(numbers).collect()
    });
    let heads = ["", "check", "asked", "pass", "unknown", "fail"];
    format!("<h2 id=\"checks\">Checks</h2>\n{}", table("What was asked of every case", &heads, rows))
}

fn scenarios(record: &RunRecord) -> String {
    let rows = record.scenarios.iter().map(|scenario| {
        let verdict = scenario.verdict.unwrap_or(Verdict::Unknown);
        let canary = if scenario.expect.is_some() { " (a canary: it must turn red)" } else { "" };
        let digests = format!(
            "{}, seed {}<br><code>data {} tool {}</code>",
            escape(&scenario.dataset),
            scenario.seed,
            escape(scenario.dataset_sha256.get(..12).unwrap_or_default()),
            escape(scenario.tool_sha256.get(..12).unwrap_or_default())
        );
        vec![
            badge(verdict, &verdict.to_string()),
            format!("<span id=\"{}\">{}</span>", anchor(&scenario.scenario), escape(&scenario.scenario)),
            escape(&scenario.about) + canary + &why(scenario),
            digests,
            count(scenario.cases.len() as u64),
            scenario.verdict.map_or("not finished".to_owned(), |_| duration(scenario.duration_us)),
        ]
    });
    let heads = ["", "scenario", "what it shows", "data and tool", "cases", "time"];
    format!("<h2 id=\"scenarios\">Scenarios</h2>\n{}", table("Rehearsed scenarios", &heads, rows))
}

fn why(scenario: &ScenarioRecord) -> String {
    match scenario.why.is_empty() {
        true => String::new(),
        false => format!("<pre>{}</pre>", escape(&scenario.why)),
    }
}

fn red_cases(red: &[(&ScenarioRecord, &CaseRecord)], states: &States) -> String {
    if red.is_empty() {
        return String::new();
    }
    let cases: String =
        red.iter().take(MAX_RED_CASES).map(|(scenario, case)| red_case(scenario, case, states)).collect();
    let rest = match red.len().saturating_sub(MAX_RED_CASES) as u64 {
        0 => String::new(),
        more => format!("<p>and {} more, in report.json</p>\n", count(more)),
    };
    format!("<h2 id=\"red\">Cases that are not green</h2>\n{cases}{rest}")
}

fn red_case(scenario: &ScenarioRecord, case: &CaseRecord, states: &States) -> String {
    let place = place(case);
    let mut lines = log(case);
    let left_out = lines.len().saturating_sub(MAX_LOG_LINES);
    lines.drain(..left_out);
    format!(
        "<h3 id=\"{}\">{} {} <code>{}</code></h3>\n<pre>{}</pre>\n{}<p>Repeat it: <code>{}</code></p>\n\
         <details><summary>What happened</summary><pre>{}</pre><p>Logs: <code>{}</code></p></details>\n",
        anchor(&case.case),
        badge(case.verdict(), word(case).0),
        escape(&scenario.scenario),
        escape(&place),
        escape(diagnosis(scenario, case, states, "").trim_end()),
        lanes(scenario, case, states),
        escape(&next_command(scenario, case)),
        escape(&lines.join("\n")),
        escape(&folder(case)),
    )
}

/// The first uninterrupted run of each scenario that is no canary.
fn golden_lanes(record: &RunRecord, states: &States) -> String {
    let plain = record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
    let of = |scenario: &ScenarioRecord| {
        let svg = lanes(scenario, scenario.golden().next()?, states);
        let name = escape(&scenario.scenario);
        (!svg.is_empty()).then(|| format!("<details><summary>{name}, uninterrupted</summary>\n{svg}</details>\n"))
    };
    plain.filter_map(of).take(MAX_LANES).collect()
}

fn all_cases(record: &RunRecord) -> String {
    let of = |scenario: &ScenarioRecord| {
        let rows = scenario.cases.values().map(|case| {
            let place = place(case);
            vec![
                badge(case.verdict(), word(case).0),
                format!("<code>{}</code>", escape(&place)),
                case.outcome.map_or("not finished".to_owned(), |_| duration(case.duration_us)),
            ]
        });
        let name = escape(&scenario.scenario);
        let table = table(&scenario.scenario, &["", "where", "time"], rows);
        format!(
            "<details><summary>{name}: {}</summary>\n{table}</details>\n",
            plural(scenario.cases.len() as u64, "case")
        )
    };
    format!("<h2 id=\"cases\">All cases</h2>\n{}", record.scenarios.iter().map(of).collect::<String>())
}

fn by_hand(record: &RunRecord) -> String {
    format!(
        "<h2 id=\"verify\">Verify it</h2>\n<p>Without our code, in the directory of this file: \
         <code>sha256sum -c --strict SHA256SUMS</code>; more in <code>README.txt</code>. With it: \
         <code>rehearse verify .</code> derives this page again from <code>events.jsonl</code>, byte for byte.</p>\n\
         <p class=\"dim\">Outcome, on which two people with the same files and seed must agree: <code>{}</code>.</p>\n",
        escape(&record.outcome_sha256)
    )
}
