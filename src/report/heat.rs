//! The fault matrix as a heat map: tables of a few kinds each, so that none is wider than a screen or a sheet of paper.

use super::markup::{anchor, badge, escape, table};
use super::matrix::{Cell, Matrix, MatrixRow};
use super::words::count;
use std::collections::BTreeSet;

/// How many columns of kinds fit.
const MAX_KINDS: usize = 9;

/// Nothing where nothing was planned. `told`: the cases that the page tells of, to which one can be led.
pub(super) fn heat(matrix: &Matrix, told: &BTreeSet<&str>) -> String {
    let tables: String = groups(&matrix.kinds).into_iter().map(|kinds| of_kinds(matrix, kinds, told)).collect();
    match tables.is_empty() {
        true => tables,
        false => format!("<h2 id=\"faults\">Faults</h2>\n<div class=\"matrix\">\n{tables}</div>\n"),
    }
}

/// Kinds side by side as long as they fit; those of a family (`net.`) stay together where they can.
fn groups(kinds: &[String]) -> Vec<&[String]> {
    let family = |kind: &String| kind.split('.').next().unwrap_or_default().to_owned();
    let (mut groups, mut start) = (Vec::new(), 0);
    while start < kinds.len() {
        let full = (start + MAX_KINDS).min(kinds.len());
        let splits = |end: &usize| kinds.get(*end).is_some_and(|next| family(next) == family(&kinds[end - 1]));
        let end = (start + 1..=full).rev().find(|end| !splits(end)).unwrap_or(full);
        groups.push(&kinds[start..end]);
        start = end;
    }
    groups
}

/// The steps that were injured with one of these kinds.
fn of_kinds(matrix: &Matrix, kinds: &[String], told: &BTreeSet<&str>) -> String {
    let is_injured = |row: &&MatrixRow| kinds.iter().any(|kind| row.cells.contains_key(kind));
    let rows = matrix.rows.iter().filter(is_injured).map(|row| {
        let link = format!("<a href=\"#{}\">{}</a>", anchor(&row.scenario), escape(&row.scenario));
        let cells =
            kinds.iter().map(|kind| row.cells.get(kind).map_or(String::new(), |c| cell(&row.scenario, c, told)));
        [link, escape(&row.during)].into_iter().chain(cells).collect()
    });
    let heads: Vec<&str> = ["scenario", "step"].into_iter().chain(kinds.iter().map(String::as_str)).collect();
    table("Cases survived, by step and fault", &heads, rows)
}

fn cell(scenario: &str, cell: &Cell, told: &BTreeSet<&str>) -> String {
    let badge = badge(cell.verdict(), &format!("{}/{}", count(cell.passed), count(cell.planned)));
    match cell.red.as_ref().map(|case| format!("{scenario}/{case}")) {
        Some(case) if told.contains(case.as_str()) => format!("<a href=\"#{}\">{badge}</a>", anchor(&case)),
        _ => badge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_stay_together_and_no_group_is_too_wide() {
        let kinds = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let all = kinds(&["a.1", "a.2", "a.3", "b.1", "b.2", "b.3", "c.1", "c.2", "c.3", "c.4", "d.1"]);
        let sizes = |kinds: &[String]| groups(kinds).iter().map(|group| group.len()).collect::<Vec<usize>>();
        assert_eq!(sizes(&all), [6, 5]);
        let long: Vec<String> = (0..20).map(|nth| format!("net.{nth}")).collect();
        assert_eq!(sizes(&long), [9, 9, 2]);
        assert_eq!(sizes(&[]), [0usize; 0]);
    }
}
