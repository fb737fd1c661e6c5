//! `catalog-equal`: once the data is there, the definitions of every target are those of the start, and sound.
//!
//! Columns, constraints, indexes, triggers, grants, settings and all else that a catalog says. What a migration changes
//! on purpose is declared by `[catalog] may_change`. Never excused: an index that is not valid, a constraint that is
//! not validated, a trigger that was switched off, a sequence that would give a number that is taken. The columns of
//! a copied table have the types of its source.

use crate::check::{Check, Judgement, finding, findings_at};
use crate::model::{Body, DatabaseState, Finding, History, Moment, Phase, SequenceUse, TableCopy, compare, matches};

/// See the module.
pub(super) struct CatalogEqual;

impl Check for CatalogEqual {
    fn name(&self) -> &'static str {
        "catalog-equal"
    }

    fn about(&self) -> &'static str {
        "Once the data is there, the definitions of every target are those of the start, and sound."
    }

    /// Golden runs only: injured ones are held to the golden state.
    fn judge(&self, history: &History) -> Option<Judgement> {
        let apply = history.plan.last_apply().filter(|_| history.is_golden())?;
        let moment = Moment::after(Phase::Plan, &apply.name);
        let mut findings = Vec::new();
        for endpoint in history.plan.target_endpoints() {
            let Some(found) = at_endpoint(history, &moment, &endpoint) else {
                return Some(Judgement::unknown(format!("the catalog of {endpoint} {moment}")));
            };
            findings.extend(found);
        }
        Some(Judgement::from_findings(findings))
    }
}

fn at_endpoint(history: &History, moment: &Moment, endpoint: &str) -> Option<Vec<Finding>> {
    let before = history.state(&Moment::Start, endpoint)?;
    let after = history.state(moment, endpoint)?;
    let mut changes = compare("", &before.catalog, &after.catalog);
    changes.retain(|change| {
        let unsound = after.catalog.get(&change.object).is_some_and(|text| is_unsound(&change.object, text));
        unsound || !history.scenario.may_change.iter().any(|pattern| matches(pattern, &change.object))
    });
    let mut findings = findings_at(moment, endpoint, changes);
    for copy in history.copies().iter().filter(|copy| copy.target == endpoint) {
        let source = history.state(&Moment::Start, &copy.source)?;
        findings.extend(other_types(history, moment, copy, source, after));
    }
    let taken = |used: &SequenceUse| after.tables.get(&used.table) != before.tables.get(&used.table) && is_behind(used);
    findings.extend(sequences(history, moment, endpoint).iter().filter(|used| taken(used)).map(|used| {
        let SequenceUse { sequence, table, column, next, furthest, .. } = used;
        let furthest = furthest.clone().unwrap_or_default();
        let (expected, found) = (format!("a next value past {furthest} in {table}.{column}"), next.as_str());
        finding(format!("{endpoint} {moment}"), format!("sequence {sequence}"), expected, found)
    }));
    Some(findings)
}

fn is_unsound(object: &str, definition: &str) -> bool {
    let says = |word: &str| definition.contains(word);
    match object.split(' ').next() {
        Some("index") => says("(invalid)") || says("(not ready)"),
        Some("constraint") => says("(not validated)"),
        Some("trigger") => definition.ends_with("enabled D"),
        _ => false,
    }
}

/// Equal rows today say nothing of the value of tomorrow that one type holds and the other does not.
fn other_types(
    history: &History,
    moment: &Moment,
    copy: &TableCopy,
    source: &DatabaseState,
    target: &DatabaseState,
) -> Vec<Finding> {
    let types = |state: &DatabaseState, table: &str| -> Vec<(String, String)> {
        let head = format!("column {table}.");
        let columns = state.catalog.iter().filter_map(|(name, text)| Some((name.strip_prefix(&head)?, text)));
        // A type of the table's own schema goes by its bare name.
        let schema = table.split_once('.').map_or("", |(schema, _)| schema);
        let bare = |text: &str| text.replace(&format!("\"{schema}\"."), "").replace(&format!("{schema}."), "");
        columns.map(|(column, text)| (column.to_owned(), bare(type_of(text)))).collect()
    };
    let found = types(target, &copy.target_table);
    let mut findings = Vec::new();
    for (column, expected) in types(source, &copy.source_table) {
        let object = format!("column {}.{column}", copy.target_table);
        let excused = || history.scenario.may_change.iter().any(|pattern| matches(pattern, &object));
        let other = found.iter().find(|(name, text)| *name == column && *text != expected);
        if let Some((_, found)) = other.filter(|_| !excused()) {
            let expected = format!("{expected}, as in {}", copy.source);
            findings.push(finding(format!("{} {moment}", copy.target), object, expected, found));
        }
    }
    findings
}

/// The type at the head of a column's definition.
fn type_of(definition: &str) -> &str {
    let ends = [" not null", " collate ", " default", " generated", " identity ", " acl "];
    let end = ends.iter().filter_map(|word| definition.find(word)).min();
    &definition[..end.unwrap_or(definition.len())]
}

fn sequences<'a>(history: &'a History, moment: &Moment, endpoint: &str) -> &'a [SequenceUse] {
    let looked = history.case.events.iter().find_map(|event| match event {
        Body::Sequences { moment: at, endpoint: of, uses, .. } if at == moment && of == endpoint => Some(uses),
        _ => None,
    });
    looked.map_or(&[], Vec::as_slice)
}

fn is_behind(used: &SequenceUse) -> bool {
    let number = |text: &str| text.parse::<i128>().ok();
    let (next, furthest) = (number(&used.next), used.furthest.as_deref().and_then(number));
    let Some((next, furthest)) = next.zip(furthest) else { return false };
    if used.ascending { next <= furthest } else { next >= furthest }
}
