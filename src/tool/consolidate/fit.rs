//! Whether the profile fits the files as they are and the schemas as they will be; what fits becomes moves.

use super::Profile;
use super::profile::{OnConflict, Orphans, Transform};
use super::shape::{Shape, Table};
use crate::db::sqlite::quoted;
use crate::db::sqlite_affinity::Affinity;
use std::collections::{BTreeMap, BTreeSet};

/// One table on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) source: String,
    pub(super) table: String,
    pub(super) target: String,
    pub(super) into: String,
    /// Columns of the target, each with an expression over the source.
    pub(super) columns: Vec<(String, String)>,
    /// `select *` on both sides is the same.
    pub(super) is_whole: bool,
    pub(super) condition: Option<String>,
    pub(super) because: Option<String>,
    pub(super) on_conflict: OnConflict,
    pub(super) orphans: Orphans,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Fit {
    /// In the order of sources, and of `tables` in each.
    pub(super) moves: Vec<Move>,
    /// What must be decided before anything is written, with file and table.
    pub(super) problems: Vec<String>,
    /// What stays behind on purpose.
    pub(super) notes: Vec<String>,
}

/// Compares the profile with the shapes of all sources and targets, each by its name.
pub(super) fn fit(profile: &Profile, sources: &BTreeMap<String, Shape>, targets: &BTreeMap<String, Shape>) -> Fit {
    let mut fit = Fit::default();
    for (name, source) in &profile.source {
        let Some(shape) = sources.get(name) else { continue };
        let file = &source.file;
        let known = |table: &String| source.tables.contains(table) || source.leave_out.contains_key(table);
        for table in shape.tables.keys().chain(&shape.virtual_tables).filter(|table| !known(table)) {
            let help = format!("put it into `tables` of [source.{name}], or into `leave_out` with a reason");
            fit.problems.push(format!("{file}: table {table} is not in the profile: {help}"));
        }
        let stay = source.leave_out.iter().map(|(table, why)| format!("{file}: table {table} stays behind: {why}"));
        fit.notes.extend(stay);
        let code =
            shape.code.iter().map(|code| format!("{file}: {code} stays behind: the target's schema has its own"));
        fit.notes.extend(code);
        for table in &source.tables {
            let transform = profile.transform(name, table);
            let into = transform.into.clone().unwrap_or_else(|| table.clone());
            let target = targets.get(&source.into).and_then(|shape| shape.tables.get(&into));
            match (shape.tables.get(table), target) {
                (None, _) => fit.problems.push(format!("{file}: table {table} is missing")),
                (_, None) => fit.problems.push(format!(
                    "{file}: table {table} goes to {into}, which the schema of {} does not have",
                    source.into
                )),
                (Some(from), Some(to)) => {
                    let columns = columns(&transform, from, to);
                    let place = format!("{file}: table {table}");
                    fit.problems.extend(columns.problems.iter().map(|problem| format!("{place}: {problem}")));
                    fit.notes.extend(columns.notes.iter().map(|note| format!("{place}: {note}")));
                    fit.moves.push(made(name, table, &source.into, into, transform, columns, from, to));
                }
            }
        }
    }
    let uneven = uneven(&fit.moves);
    fit.problems.extend(uneven);
    fit
}

#[allow(clippy::too_many_arguments)] // the parts of one value
fn made(
    source: &str,
    table: &str,
    target: &str,
    into: String,
    transform: Transform,
    columns: Columns,
    from: &Table,
    to: &Table,
) -> Move {
    let names = |table: &Table| table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let is_computed = from.columns.iter().chain(&to.columns).any(|column| column.generated);
    let as_it_is = columns.pairs.iter().all(|(name, expression)| quoted(name) == *expression);
    Move {
        source: source.to_owned(),
        table: table.to_owned(),
        target: target.to_owned(),
        into,
        is_whole: as_it_is && !is_computed && names(from) == names(to) && transform.condition.is_none(),
        columns: columns.pairs,
        condition: transform.condition,
        because: transform.because,
        on_conflict: transform.on_conflict,
        orphans: transform.orphans,
    }
}

#[derive(Default)]
struct Columns {
    pairs: Vec<(String, String)>,
    problems: Vec<String>,
    notes: Vec<String>,
}

fn columns(transform: &Transform, from: &Table, to: &Table) -> Columns {
    let mut found = Columns::default();
    let renamed = |column: &str| transform.rename.get(column).map_or(column, String::as_str).to_owned();
    for column in from.columns.iter().filter(|column| !transform.drop.contains_key(&column.name)) {
        let name = renamed(&column.name);
        let is_used = transform.set.values().any(|expression| words(expression).contains(column.name.as_str()));
        match to.column(&name) {
            _ if transform.set.contains_key(&name) => {}
            Some(target) if target.generated => {}
            Some(target) => {
                let (is, was) = (Affinity::of(&target.type_name), Affinity::of(&column.type_name));
                if !is.takes(was) {
                    found.problems.push(format!(
                        "column {} is `{}` and would become `{}`, which changes values: declare it in `set`",
                        column.name, column.type_name, target.type_name
                    ));
                }
                found.pairs.push((target.name.clone(), quoted(&column.name)));
            }
            None if column.generated || is_used => {}
            None => found.problems.push(format!(
                "column {} would be lost: rename it, use it in `set`, or put it into `drop` with a reason",
                column.name
            )),
        }
    }
    found.pairs.extend(transform.set.iter().map(|(name, expression)| (name.clone(), format!("({expression})"))));
    unfounded(transform, from, to, &mut found);
    if !transform.keep.is_empty() {
        let is_own = |(name, expression): &&(String, String)| quoted(name) == *expression;
        let own: BTreeSet<&String> = found.pairs.iter().filter(is_own).map(|(name, _)| name).collect();
        let named: BTreeSet<&String> = transform.keep.iter().collect();
        let differ: Vec<&str> = own.symmetric_difference(&named).map(|name| name.as_str()).collect();
        if !differ.is_empty() {
            let text =
                format!("`keep` names the columns that arrive as they are; it is wrong about {}", differ.join(", "));
            found.problems.push(text);
        }
    }
    // As a state has them: then one digest is both, that of the move and that of the table.
    found.pairs.sort();
    found.notes.extend(transform.drop.iter().map(|(column, why)| format!("column {column} stays behind: {why}")));
    found
}

/// Names in the profile that neither side has, and columns of the target that nothing fills.
fn unfounded(transform: &Transform, from: &Table, to: &Table, found: &mut Columns) {
    let of_source = transform.drop.keys().chain(transform.rename.keys());
    for name in of_source.filter(|name| from.column(name).is_none()) {
        found.problems.push(format!("the profile speaks of column {name}, which it does not have"));
    }
    for name in transform.set.keys().filter(|name| to.column(name).is_none_or(|column| column.generated)) {
        found.problems.push(format!("`set` fills column {name}, which the target does not have or computes itself"));
    }
    let filled: BTreeSet<&str> = found.pairs.iter().map(|(name, _)| name.as_str()).collect();
    let empty: Vec<_> =
        to.columns.iter().filter(|column| !column.generated && !filled.contains(column.name.as_str())).collect();
    for column in empty {
        let in_key = to.keys.iter().flatten().any(|name| *name == column.name);
        if (column.required || in_key) && !column.has_default {
            found.problems.push(format!("column {} of the target must hold something: fill it by `set`", column.name));
        } else {
            found.notes.push(format!("column {} of the target gets its default", column.name));
        }
    }
}

/// Tables that become one must fill the same columns of it, or nothing could be compared.
fn uneven(moves: &[Move]) -> Vec<String> {
    let mut first: BTreeMap<(&str, &str), &Move> = BTreeMap::new();
    let mut problems = Vec::new();
    for one in moves {
        let names = |one: &Move| one.columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let known = first.entry((&one.target, &one.into)).or_insert(one);
        if names(known) != names(one) {
            problems.push(format!(
                "{}.{} and {}.{} both go to {}, and do not fill the same columns of it",
                known.source, known.table, one.source, one.table, one.into
            ));
        }
    }
    problems
}

/// The words of an expression; a column of that name is used in it.
fn words(expression: &str) -> BTreeSet<&str> {
    expression.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}
