//! The point of no return: for each step, whether one can go back from there, what is lost, and how long it takes.

use super::markup;
use super::words::{count, cut, duration, plain, wrap};
use crate::model::{Lost, Return, RunRecord, ScenarioRecord, WayBack};

const WIDTH: usize = 100;
const MAX_STEP: usize = 20;
const MARGIN: usize = 36;

/// Small tables, each under the name of the first scenario that it is of, and how many more; nothing where no step needs a
/// way back, or none was run.
pub(super) fn tables<'a>(scenarios: impl Iterator<Item = &'a ScenarioRecord>) -> String {
    let mut tables: Vec<(String, Vec<&str>)> = Vec::new();
    for scenario in scenarios {
        let lines = lines(scenario);
        match tables.iter_mut().find(|(known, _)| *known == lines) {
            Some((_, names)) => names.push(&scenario.scenario),
            None => tables.push((lines, vec![&scenario.scenario])),
        }
    }
    let shown = tables.iter().filter(|(lines, _)| !lines.is_empty());
    shown.map(|(lines, names)| format!("\nway back  {}\n{lines}", plain(&first_of(names)))).collect()
}

fn lines(scenario: &ScenarioRecord) -> String {
    let ways = scenario.ways_back();
    match ways.iter().all(|way| way.by.is_none() && way.kind == Return::Lossless) {
        true => String::new(),
        false => ways.iter().map(line).collect(),
    }
}

/// The first of several scenarios, and how many more.
fn first_of(names: &[&str]) -> String {
    match names.len() as u64 - 1 {
        0 => names[0].to_owned(),
        rest => format!("{} and {} more", names[0], count(rest)),
    }
}

fn line(way: &WayBack) -> String {
    let head = format!("  after {:<MAX_STEP$}  ", cut(&plain(&way.after), MAX_STEP));
    wrap(&head, &format!("{}: {}", way.kind, plain(&why(way))), MARGIN, WIDTH)
}

/// The same for the page, over all scenarios that are no canaries: where one cannot go back first, and what is the same for
/// several scenarios once. Nothing where there is no way back.
pub(super) fn page(record: &RunRecord) -> String {
    let mut rows: Vec<(WayBack, Vec<&str>)> = Vec::new();
    for scenario in record.scenarios.iter().filter(|scenario| scenario.expect.is_none()) {
        for way in scenario.ways_back().into_iter().filter(|way| way.by.is_some()) {
            match rows.iter_mut().find(|(known, _)| *known == way) {
                Some((_, scenarios)) => scenarios.push(&scenario.scenario),
                None => rows.push((way, vec![&scenario.scenario])),
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by_key(|(way, _)| weight(way.kind));
    let row = |(way, scenarios): &(WayBack, Vec<&str>)| {
        vec![
            markup::escape(&first_of(scenarios)),
            markup::escape(&way.after),
            format!("<b>{}</b>", way.kind),
            markup::escape(&why(way)),
        ]
    };
    let heads = ["scenario", "after", "going back is", "why"];
    let table = markup::table("What going back costs after each step", &heads, rows.iter().map(row));
    format!("<h2 id=\"back\">The way back</h2>\n{table}")
}

/// What has to be read first.
fn weight(kind: Return) -> u8 {
    match kind {
        Return::Impossible => 0,
        Return::Lossy => 1,
        Return::Unknown => 2,
        Return::Lossless => 3,
    }
}

/// Why it is so, in words.
pub(super) fn why(way: &WayBack) -> String {
    let by = way.by.as_deref().unwrap_or_default();
    let took = way.duration_us.map_or(String::new(), |us| format!(" in {}", duration(us)));
    match (way.kind, &way.by) {
        (Return::Lossless, None) => "nothing was changed".to_owned(),
        (Return::Lossless, Some(_)) => format!("`{by}` restores everything{took}"),
        (Return::Lossy, _) => format!("`{by}` takes rows that no source holds{took}: {}", lost(&way.lost)),
        (Return::Impossible, None) => "no later step goes back".to_owned(),
        (Return::Impossible, Some(_)) => format!("`{by}` does not restore what was there"),
        (Return::Unknown, _) => format!("nobody went back from there; `{by}` was tried later (--tier full tries it)"),
    }
}

fn lost(lost: &[Lost]) -> String {
    let rows = |lost: &Lost| lost.rows.map_or("an unknown number".to_owned(), count);
    lost.iter().map(|one| format!("{} {}: {}", one.endpoint, one.table, rows(one))).collect::<Vec<_>>().join(", ")
}
