//! What the rows of a table must be in the target, as SQL over the sources: the same for copying and for comparing.

use super::fit::Move;
use super::profile::OnConflict;
use super::shape::Table;
use crate::db::sqlite::quoted;

/// The name under which a source is attached.
pub(super) fn alias(source: &str) -> String {
    quoted(&format!("from {source}"))
}

/// The rows that a move brings. `earlier`: the moves into the same table that come before it.
pub(super) fn rows(one: &Move, earlier: &[&Move], table: &Table) -> String {
    // The table itself is what is brought, whatever an index says of it.
    let mine = projected(one, " not indexed");
    if one.on_conflict != OnConflict::KeepFirst || earlier.is_empty() {
        return mine;
    }
    let conditions: Vec<String> = earlier.iter().flat_map(|other| taken(other, table)).collect();
    if conditions.is_empty() {
        return mine; // without a key that both fill no row can be taken
    }
    format!("select mine.* from ({mine}) mine where not ({})", conditions.join(" or "))
}

/// Up to five rows whose key an earlier move brings as well, by that key.
pub(super) fn conflicts(one: &Move, earlier: &[&Move], table: &Table) -> Vec<String> {
    let mine = projected(one, "");
    let each = table.keys.iter().flat_map(|key| earlier.iter().map(move |other| (key, other)));
    let ask = |(key, other): (&Vec<String>, &&Move)| {
        let shown: Vec<String> =
            key.iter().map(|column| format!("'{column} = ' || quote(mine.{})", quoted(column))).collect();
        format!("select {} from ({mine}) mine where {} limit 5", shown.join(" || ', ' || "), exists(key, other))
    };
    each.filter(|(key, _)| key.iter().all(|column| fills(one, column))).map(ask).collect()
}

/// By the key of the table, where the rows bring it: what finds conflicts then grows at its end, and each of its pages is
/// written once. With keys at random each row would be another page. Numbers that SQLite gives go by the order of the
/// source.
pub(super) fn order(one: &Move, table: &Table) -> String {
    let key = table.keys.first().filter(|key| key.iter().all(|column| fills(one, column)));
    let columns = key.map(|key| key.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", "));
    columns.map_or(String::new(), |columns| format!(" order by {columns}"))
}

/// All rows of the source, whatever becomes of them.
pub(super) fn read_count(one: &Move) -> String {
    format!("select count(*) from {}.{}", alias(&one.source), quoted(&one.table))
}

/// The columns of the target that are filled.
pub(super) fn column_list(one: &Move) -> String {
    one.columns.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn projected(one: &Move, way: &str) -> String {
    let columns: Vec<String> =
        one.columns.iter().map(|(name, expression)| format!("{expression} as {}", quoted(name))).collect();
    let condition =
        one.condition.as_ref().map_or(String::new(), |condition| format!(" where {}", qualified(one, condition)));
    format!("select {} from {}.{}{way}{condition}", columns.join(", "), alias(&one.source), quoted(&one.table))
}

/// A name without a schema is looked for in the target first: `from` and `join` mean the source. What stands in quotes
/// is text, and `is distinct from` names no table.
fn qualified(one: &Move, condition: &str) -> String {
    let parts = condition.split('\'').enumerate();
    let parts = parts.map(|(place, part)| if place % 2 == 0 { with_tables(one, part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("'")
}

fn with_tables(one: &Move, condition: &str) -> String {
    let mut text = String::new();
    let (mut is_next, mut before) = (false, "");
    for part in condition.split_inclusive(|c: char| c.is_whitespace()) {
        let word = part.trim();
        let is_name = is_next && word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '"');
        if is_name {
            text.push_str(&format!("{}.", alias(&one.source)));
        }
        text.push_str(part);
        let names_a_table = ["from", "join"].iter().any(|name| word.eq_ignore_ascii_case(name));
        is_next = names_a_table && !before.eq_ignore_ascii_case("distinct") || (is_next && word.is_empty());
        before = if word.is_empty() { before } else { word };
    }
    text
}

fn taken(other: &Move, table: &Table) -> Vec<String> {
    let filled = table.keys.iter().filter(|key| key.iter().all(|column| fills(other, column)));
    filled.map(|key| exists(key, other)).collect()
}

fn exists(key: &[String], other: &Move) -> String {
    let same: Vec<String> = key.iter().map(|c| format!("theirs.{0} = mine.{0}", quoted(c))).collect();
    format!("exists (select 1 from ({}) theirs where {})", projected(other, ""), same.join(" and "))
}

fn fills(one: &Move, column: &str) -> bool {
    one.columns.iter().any(|(name, _)| name == column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn moving(columns: &[&str]) -> Move {
        let columns = columns.iter().map(|name| ((*name).to_owned(), quoted(name))).collect();
        Move {
            source: "s".into(),
            table: "t".into(),
            target: String::new(),
            into: String::new(),
            columns,
            is_whole: false,
            condition: None,
            because: None,
            on_conflict: OnConflict::Error,
            orphans: super::super::profile::Orphans::Error,
        }
    }

    #[rstest]
    #[case("k,n id", " order by \"k\", \"n\"")]
    #[case("id k", "")]
    #[case("", "")]
    fn rows_come_in_the_order_of_the_first_key_if_they_bring_it(#[case] keys: &str, #[case] expected: &str) {
        let keys = keys.split_whitespace().map(|key| key.split(',').map(str::to_owned).collect()).collect();
        assert_eq!(order(&moving(&["n", "k"]), &Table { keys, ..Table::default() }), expected);
    }

    #[rstest]
    #[case("a in (select id from b)", "a in (select id from \"from s\".b)")]
    #[case("a > 1", "a > 1")]
    #[case(
        "exists (select 1 FROM \"b c\" join d on d.x = a)",
        "exists (select 1 FROM \"from s\".\"b c\" join \"from s\".d on d.x = a)"
    )]
    #[case("a in (select id from (select 1))", "a in (select id from (select 1))")]
    #[case("note <> 'it came from x'", "note <> 'it came from x'")]
    #[case("a is distinct from b", "a is distinct from b")]
    fn names_after_from_and_join_are_of_the_source(#[case] condition: &str, #[case] expected: &str) {
        assert_eq!(qualified(&moving(&[]), condition), expected);
    }
}
