//! A table and its indexes, each read once from end to end.
//!
//! SQLite's `integrity_check` looks every row up in every index: where keys come at random, each look is another page.
//! Here the index is read in its own order instead, and its entries (columns and rowid) must be those of the table as a
//! multiset, each after the one before it, so that a look-up finds it. What `quick_check` sees to, the pages, is not seen
//! to here. Indexes with another order than that of bytes (as in UTF-16), over expressions or over some rows, and tables
//! without a rowid are left to SQLite (docs/decisions/015-indexes-in-order.md).

use super::sqlite::quoted;
use super::sqlite_scan::{Found, Order, Part, Scan, joined};
use crate::model::TableDigest;
use rusqlite::Connection;

/// How a table is read: each part by itself, on any connection to the same file.
pub(crate) struct Plan {
    table: String,
    /// Of which columns the digest was asked for, where these are not all.
    asked: Option<usize>,
    /// The rows first, then each index; or what SQLite is asked.
    pub(crate) parts: Vec<Part>,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    /// Of all columns by name, as in a `DatabaseState`.
    pub(crate) all: TableDigest,
    /// Of the columns that were asked for.
    pub(crate) asked: TableDigest,
}

/// An index whose entries can be held against the rows.
struct Index {
    name: String,
    columns: Vec<String>,
    order: Order,
}

impl Plan {
    /// Of a table of `main`; `asked`: some of its columns, or nothing for all.
    pub(crate) fn of(connection: &Connection, table: &str, asked: Option<&[String]>) -> rusqlite::Result<Plan> {
        let columns = columns(connection, table)?;
        let indexes = indexes(connection, table)?;
        let rowid = rowid(connection, table, &columns)?;
        let place = |name: &String| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
        let places = |names: &[String]| names.iter().filter_map(place).collect::<Vec<_>>();
        let all = joined(0..columns.len());
        let mut rows = Scan { name: table.to_owned(), sql: String::new(), choices: vec![all], order: None };
        let asked = asked.map(|names| joined(places(names))).filter(|asked| *asked != rows.choices[0]);
        let asked = asked.map(|asked| rows.add(asked));
        let mut list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let mut parts = Vec::new();
        match (indexes, rowid) {
            (Some(indexes), Some(rowid)) => {
                list.push(rowid.to_owned());
                for index in indexes {
                    let with_rowid = places(&index.columns).into_iter().chain([columns.len()]);
                    rows.add(joined(with_rowid));
                    parts.push(Part::Scan(index.scan(table, rowid)));
                }
            }
            _ => parts.push(Part::Ask(format!("integrity_check({})", quoted(table)))),
        }
        let list = list.join(", ");
        rows.sql = format!("select {list} from main.{} not indexed", quoted(table));
        parts.insert(0, Part::Scan(rows));
        Ok(Plan { table: table.to_owned(), asked, parts })
    }

    /// `found`: of each part, in their order.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn judge(&self, found: &[Found]) -> Result<Content, String> {
        if let Some(complaint) = found.iter().find_map(|found| found.complaint.clone()) {
            return Err(complaint);
        }
        let rows = &found[0].digests;
        let of_indexes = &rows[1 + usize::from(self.asked.is_some())..];
        for ((part, index), expected) in self.parts[1..].iter().zip(&found[1..]).zip(of_indexes) {
            if let (Part::Scan(scan), [digest]) = (part, index.digests.as_slice())
                && digest != expected
            {
                let (table, name) = (&self.table, &scan.name);
                return Err(format!("index {name} holds {digest}, and its table {table} {expected} of those columns"));
            }
        }
        Ok(Content { all: rows[0], asked: rows[self.asked.unwrap_or_default()] })
    }
}

impl Index {
    fn scan(self, table: &str, rowid: &str) -> Scan {
        let list: Vec<String> = self.columns.iter().map(|column| quoted(column)).collect();
        let sql = format!(
            "select {}, {rowid} from main.{} indexed by {}",
            list.join(", "),
            quoted(table),
            quoted(&self.name)
        );
        let choices = vec![joined(0..=self.columns.len())];
        Scan { name: self.name, sql, choices, order: Some(self.order) }
    }
}

/// By name, as they stand in a `DatabaseState`.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "select name from pragma_table_xinfo(?1) where hidden <> 1 order by name";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// A name of the rowid that no column has; nothing where there is none.
fn rowid(connection: &Connection, table: &str, columns: &[String]) -> rusqlite::Result<Option<&'static str>> {
    let sql = "select not wr from pragma_table_list(?1) where schema = 'main'";
    let has_rowid = connection.query_row(sql, [table], |row| row.get::<_, bool>(0))?;
    let is_free = |name: &&str| !columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    Ok(["rowid", "_rowid_", "oid"].into_iter().find(is_free).filter(|_| has_rowid))
}

/// Nothing where one of them has to be left to SQLite.
fn indexes(connection: &Connection, table: &str) -> rusqlite::Result<Option<Vec<Index>>> {
    let encoding = connection.query_row("pragma encoding", [], |row| row.get::<_, String>(0))?;
    let sql = "select name, \"unique\", partial from pragma_index_list(?1) order by seq";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut indexes = Vec::new();
    for one in found {
        let (name, is_unique, is_partial): (String, bool, bool) = one?;
        let sql = "select x.name, x.\"desc\", x.coll = 'BINARY' and x.cid >= 0 and c.hidden = 0 from \
                   pragma_index_xinfo(?1) x left join pragma_table_xinfo(?2) c on c.cid = x.cid where x.key order by x.seqno";
        let mut statement = connection.prepare(sql)?;
        let parts = statement.query_map([&name, table], |row| {
            Ok((row.get::<_, Option<String>>(0)?, row.get::<_, bool>(1)?, row.get::<_, Option<bool>>(2)?))
        })?;
        let (mut columns, mut descending) = (Vec::new(), Vec::new());
        for part in parts {
            let (Some(column), is_descending, Some(true)) = part? else { return Ok(None) };
            columns.push(column);
            descending.push(is_descending);
        }
        if is_partial || encoding != "UTF-8" {
            return Ok(None);
        }
        indexes.push(Index { name, columns, order: Order { descending, is_unique } });
    }
    Ok(Some(indexes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::sqlite::first_complaint;
    use rstest::rstest;

    const TABLE: &str =
        "create table t (id text primary key, a integer, b real, c text); create index i on t (c, b desc);
        insert into t values ('x', 1, 3.0, 'one'), ('b', 2, 0.5, 'One'), ('m', null, null, null), ('n', 7, 2, null),
                             ('k', 9223372036854775807, 1e300, ''), ('c', -1, 0.5, 'one'), ('d', 0, 4, x'6f6e65');";

    /// What our reading and SQLite's own check find.
    fn complaints(connection: &Connection, table: &str) -> (Option<String>, Option<String>) {
        let plan = Plan::of(connection, table, None).unwrap();
        let found = plan.parts.iter().map(|part| part.read(connection).unwrap()).collect::<Vec<_>>();
        (plan.judge(&found).err(), first_complaint(connection, "integrity_check(1)").unwrap())
    }

    /// Runs `sql` while SQLite does not know the index; afterwards its definition is `index`.
    fn behind_its_back(sql: &str, index: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLE).unwrap();
        let root: i64 =
            connection.query_row("select rootpage from sqlite_schema where name = 'i'", [], |row| row.get(0)).unwrap();
        let forget =
            "pragma writable_schema = 1; delete from sqlite_schema where name = 'i'; pragma writable_schema = reset";
        connection.execute_batch(forget).unwrap();
        connection.execute_batch(&format!("{sql}; pragma writable_schema = 1")).unwrap();
        let know = "insert into sqlite_schema values ('index', 'i', 't', ?1, ?2)";
        connection.execute(know, (root, index)).unwrap();
        connection.execute_batch("pragma writable_schema = reset").unwrap();
        connection
    }

    const INDEX: &str = "create index i on t (c, b desc)";

    #[rstest]
    #[case::an_entry_is_missing("insert into t values ('new', 1, 1, 'new')", INDEX, "index i holds 7 rows")]
    #[case::an_entry_is_left_over("delete from t where id = 'b'", INDEX, "index i holds 7 rows")]
    #[case::a_value_is_another("update t set c = 'two' where id = 'x'", INDEX, "index i holds 7 rows")]
    #[case::a_class_is_another("update t set c = x'6f6e65' where id = 'x'", INDEX, "index i holds 7 rows")]
    #[case::a_row_is_another("update t set rowid = 100 where id = 'x'", INDEX, "index i holds 7 rows")]
    #[case::the_order_is_another("select 1", "create index i on t (c desc, b desc)", "is not after the one before it")]
    #[case::the_second_order_is_another("select 1", "create index i on t (c, b)", "is not after the one before it")]
    #[case::a_key_is_there_twice("select 1", "create unique index i on t (c)", "is not after the one before it")]
    fn an_index_that_is_not_its_table_is_seen(#[case] sql: &str, #[case] index: &str, #[case] expected: &str) {
        let (ours, theirs) = complaints(&behind_its_back(sql, index), "t");
        assert!(ours.as_ref().is_some_and(|found| found.contains(expected)), "{ours:?}");
        assert!(theirs.is_some(), "SQLite does not see it: {ours:?}");
    }

    #[rstest]
    #[case("")]
    #[case("create unique index j on t (a desc, c)")]
    #[case("create unique index j on t (c, id)")]
    #[case("create index j on t (id collate nocase)")]
    #[case("create index j on t (lower(c)); create index k on t (a) where a > 0")]
    #[case("create table u (x text, y integer, primary key (x desc, y)) without rowid; insert into u values ('a', 1)")]
    #[case("create table u (rowid text unique, oid text, _rowid_ text); insert into u values ('a', 'b', 'c')")]
    #[case("create table u (rowid text unique, x integer primary key); insert into u values ('a', 1), ('A', 2)")]
    #[case("create table u (x integer primary key, y as (x + 1), z as (x * 2) stored); create index j on u (y, z)")]
    #[case("create table u (x numeric unique); insert into u values (1), (0.5), (9007199254740993), (9.3e18), ('a')")]
    fn sound_indexes_are_sound(#[case] sql: &str) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("{TABLE}{sql}")).unwrap();
        for table in super::super::sqlite::stored_tables(&connection).unwrap() {
            assert_eq!(complaints(&connection, &table), (None, None), "{table}");
        }
    }

    #[test]
    fn what_has_another_order_is_left_to_sqlite() {
        let asked = |sql: &str| {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(sql).unwrap();
            let plan = Plan::of(&connection, "t", None).unwrap();
            plan.parts.iter().any(|part| matches!(part, Part::Ask(_)))
        };
        assert!(!asked(TABLE));
        for more in [
            "create index j on t (id collate nocase)",
            "create index j on t (lower(c))",
            "create index j on t (a) where a",
        ] {
            assert!(asked(&format!("{TABLE}{more}")), "{more}");
        }
        assert!(asked(&format!("pragma encoding = 'UTF-16'; {TABLE}")));
        assert!(asked("create table t (x primary key) without rowid"));
    }

    #[test]
    fn one_reading_gives_the_digest_of_all_columns_and_of_those_that_were_asked_for() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLE).unwrap();
        let asked = ["c".to_owned(), "a".to_owned()];
        let plan = Plan::of(&connection, "t", Some(&asked)).unwrap();
        let found = plan.parts.iter().map(|part| part.read(&connection).unwrap()).collect::<Vec<_>>();
        let content = plan.judge(&found).unwrap();
        let digest =
            |list: &str| super::super::sqlite::sqlite_query_digest(&connection, &format!("select {list} from t"));
        assert_eq!(content.all, digest("a, b, c, id").unwrap());
        assert_eq!(content.asked, digest("c, a").unwrap());
    }
}
