//! The same scenarios on several versions of Postgres: where their verdicts differ.

use crate::engine::Finished;
use crate::model::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// The verdict of each scenario on a version, by name.
pub(super) struct Column {
    version: u32,
    verdicts: BTreeMap<String, Verdict>,
}

impl Column {
    /// What a run on a version said.
    pub(super) fn of(version: u32, finished: &Finished) -> Column {
        let scenarios = finished.record.scenarios.iter();
        let verdict = |verdict: Option<Verdict>| verdict.unwrap_or(Verdict::Unknown);
        let verdicts = scenarios.map(|scenario| (scenario.scenario.clone(), verdict(scenario.verdict)));
        Column { version, verdicts: verdicts.collect() }
    }
}

/// One line for each scenario that is not judged alike everywhere, sorted by name; the last line says how many are.
pub(super) fn compared(columns: &[Column]) -> Vec<String> {
    let names: BTreeSet<&String> = columns.iter().flat_map(|column| column.verdicts.keys()).collect();
    let said = |name: &str| columns.iter().map(|column| column.verdicts.get(name).copied()).collect::<Vec<_>>();
    let differs = |name: &&&String| said(name).windows(2).any(|pair| pair[0] != pair[1]);
    let mut lines: Vec<String> = names.iter().filter(differs).map(|name| line(columns, name)).collect();
    let versions: Vec<String> = columns.iter().map(|column| column.version.to_string()).collect();
    let alike = names.len() - lines.len();
    lines.push(format!("Postgres {} judge {alike} of {} scenarios alike", versions.join(" and "), names.len()));
    lines
}

fn line(columns: &[Column], name: &str) -> String {
    let word = |column: &Column| column.verdicts.get(name).map_or("left out".to_owned(), Verdict::to_string);
    let words: Vec<String> = columns.iter().map(|column| format!("{} {}", column.version, word(column))).collect();
    format!("differs  {name}  {}", words.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(version: u32, verdicts: &[(&str, Verdict)]) -> Column {
        Column { version, verdicts: verdicts.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect() }
    }

    #[test]
    fn scenarios_that_are_not_judged_alike_are_named() {
        let old = column(15, &[("a", Verdict::Pass), ("b", Verdict::Pass), ("c", Verdict::Fail)]);
        let new = column(18, &[("a", Verdict::Pass), ("b", Verdict::Fail)]);
        let expected = [
            "differs  b  15 pass  18 fail",
            "differs  c  15 fail  18 left out",
            "Postgres 15 and 18 judge 1 of 3 scenarios alike",
        ];
        assert_eq!(compared(&[old, new]), expected);
    }
}
