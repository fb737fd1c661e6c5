//! The point of no return: for each step, whether one can go back from there, what is lost, and how long it takes.

use super::words::{count, cut, duration, plain, wrap};
use crate::model::{Lost, Return, ScenarioRecord, WayBack};

const WIDTH: usize = 100;
const MAX_STEP: usize = 20;
const MARGIN: usize = 36;

/// A small table under the name of the scenario; nothing where no step needs a way back, or none was run.
pub(super) fn table(scenario: &ScenarioRecord) -> String {
    let ways = scenario.ways_back();
    if ways.iter().all(|way| way.by.is_none() && way.kind == Return::Lossless) {
        return String::new();
    }
    let lines = ways.iter().map(line).collect::<String>();
    format!("\nway back  {}\n{lines}", plain(&scenario.scenario))
}

fn line(way: &WayBack) -> String {
    let head = format!("  after {:<MAX_STEP$}  ", cut(&plain(&way.after), MAX_STEP));
    wrap(&head, &format!("{}: {}", way.kind, plain(&why(way))), MARGIN, WIDTH)
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
