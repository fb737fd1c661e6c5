//! Statements that change one row of a table, made from what the catalog says of it. Pure.

use crate::fault::Write;
use serde::Deserialize;

/// A table, as `writable.sql` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    /// `schema.table`.
    pub(super) name: String,
    /// The same, as SQL takes it.
    from: String,
    columns: Vec<Column>,
}

#[derive(Debug, Deserialize)]
struct Column {
    /// As SQL takes it.
    name: String,
    kind: String,
    is_key: bool,
    is_referring: bool,
    is_computed: bool,
    /// An identity, or the next value of a sequence.
    numbers_itself: bool,
}

impl Table {
    /// Statements that would do it, the most promising first; the first one that changes a row is enough.
    pub(super) fn statements(&self, write: Write) -> Vec<String> {
        match write {
            Write::Insert => self.insert().into_iter().collect(),
            Write::Update => self.columns.iter().filter_map(|column| self.update(column)).collect(),
            Write::Delete => vec![format!("delete from {} where ctid = ({})", self.from, self.first("true"))],
        }
    }

    /// A copy of the first row, under a key of its own.
    fn insert(&self) -> Option<String> {
        let given: Vec<&Column> = self.columns.iter().filter(|column| !column.is_default()).collect();
        let values: Vec<String> = given.iter().map(|column| self.copied(column)).collect::<Option<_>>()?;
        let names: Vec<&str> = given.iter().map(|column| column.name.as_str()).collect();
        let (from, names, values) = (&self.from, names.join(", "), values.join(", "));
        Some(format!("insert into {from} ({names}) select {values} from {from} where ctid = ({})", self.first("true")))
    }

    fn copied(&self, column: &Column) -> Option<String> {
        let name = &column.name;
        match (column.is_key, column.is_referring) {
            (false, _) => Some(name.clone()),
            (true, true) => None, // a key that others gave out
            (true, false) => {
                let highest = format!("(select max({name}) from {})", self.from);
                match column.kind.as_str() {
                    "uuid" => Some(format!("md5({name}::text || 'rehearse')::uuid")),
                    "text" | "character varying" => Some(format!("{name} || '-rehearse'")),
                    "smallint" | "integer" | "bigint" | "numeric" | "date" => Some(format!("{highest} + 1")),
                    kind if kind.starts_with("timestamp") => Some(format!("{highest} + interval '1 second'")),
                    _ => None,
                }
            }
        }
    }

    /// The first row in which that makes a difference.
    fn update(&self, column: &Column) -> Option<String> {
        let name = &column.name;
        if column.is_key || column.is_referring || column.is_computed || column.numbers_itself {
            return None;
        }
        let other = match column.kind.as_str() {
            "text" | "character varying" => format!("coalesce({name}, '') || '~'"),
            "smallint" | "integer" | "bigint" | "numeric" | "double precision" | "real" => {
                format!("coalesce({name}, 0) + 1")
            }
            "boolean" => format!("{name} is not true"),
            "date" => format!("{name} + 1"),
            kind if kind.starts_with("timestamp") => format!("{name} + interval '1 second'"),
            _ => return None,
        };
        let (from, first) = (&self.from, self.first(&format!("({other}) is distinct from {name}")));
        Some(format!("update {from} set {name} = {other} where ctid = ({first})"))
    }

    /// The row with the lowest key: what is deleted should not be what a sequence has just given out.
    fn first(&self, condition: &str) -> String {
        let keys: Vec<&str> = self.columns.iter().filter(|column| column.is_key).map(|c| c.name.as_str()).collect();
        let from = &self.from;
        let order = if keys.is_empty() { format!("{from}::text") } else { keys.join(", ") };
        format!("select ctid from {from} where {condition} order by {order} limit 1")
    }
}

impl Column {
    fn is_default(&self) -> bool {
        self.is_computed || self.numbers_itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Columns are `name kind flags`: k key, r referring, c computed, n numbers itself.
    fn table(columns: &[&str]) -> Table {
        let column = |text: &&str| {
            let words: Vec<&str> = text.split(' ').collect();
            let has = |flag| words.get(2).is_some_and(|flags| flags.contains(flag));
            Column {
                name: words[0].to_owned(),
                kind: words[1].to_owned(),
                is_key: has('k'),
                is_referring: has('r'),
                is_computed: has('c'),
                numbers_itself: has('n'),
            }
        };
        Table { name: "public.t".into(), from: "public.t".into(), columns: columns.iter().map(column).collect() }
    }

    const FIRST: &str = "(select ctid from public.t where true order by id limit 1)";

    #[rstest]
    #[case::text_key(&["id text k", "x json"], "(id, x) select id || '-rehearse', x")]
    #[case::number(&["id bigint k", "x json"], "(id, x) select (select max(id) from public.t) + 1, x")]
    #[case::given_by_the_table(&["id bigint kn", "x json", "y integer c"], "(x) select x")]
    fn an_insert_copies_a_row_under_a_new_key(#[case] columns: &[&str], #[case] expected: &str) {
        let sql = format!("insert into public.t {expected} from public.t where ctid = {FIRST}");
        assert_eq!(table(columns).statements(Write::Insert), [sql]);
    }

    #[rstest]
    #[case::key_of_another_table(&["id bigint kr"])]
    #[case::key_of_a_kind_that_has_no_next(&["id inet k"])]
    fn a_table_without_a_new_key_gets_no_row(#[case] columns: &[&str]) {
        assert_eq!(table(columns).statements(Write::Insert), [""; 0]);
    }

    #[test]
    fn an_update_changes_no_key() {
        let table = table(&["id integer k", "parent integer r", "sum integer c", "x boolean", "y inet"]);
        let condition = "(x is not true) is distinct from x";
        let first = format!("(select ctid from public.t where {condition} order by id limit 1)");
        assert_eq!(
            table.statements(Write::Update),
            [format!("update public.t set x = x is not true where ctid = {first}")]
        );
    }

    #[test]
    fn a_table_without_a_key_has_a_first_row_too() {
        let sql =
            "delete from public.t where ctid = (select ctid from public.t where true order by public.t::text limit 1)";
        assert_eq!(table(&["x json"]).statements(Write::Delete), [sql]);
    }
}
