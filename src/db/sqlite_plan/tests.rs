//! Tables and indexes, sound and not, read by us and by SQLite.

use super::*;
use crate::db::sqlite::{first_complaint, open_immutable, sqlite_query_digest, stored_tables};
use crate::db::sqlite_file::Pages;
use crate::db::sqlite_scan::Ways;
use rstest::rstest;

const TABLE: &str = "create table t (id text primary key, a integer, b real, c text); create index i on t (c, b desc);
    insert into t values ('x', 1, 3.0, 'one'), ('b', 2, 0.5, 'One'), ('m', null, null, null), ('n', 7, 2, null),
                         ('k', 9223372036854775807, 1e300, ''), ('c', -1, 0.5, 'one'), ('d', 0, 4, x'6f6e65');";

/// A file, and the folder that holds it.
struct Sample {
    connection: Connection,
    folder: tempfile::TempDir,
}

impl Sample {
    fn of(sql: &str) -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("a.db")).unwrap();
        connection.execute_batch(&format!("pragma synchronous = off; {sql}")).unwrap();
        Sample { connection, folder }
    }

    fn plan(&self, table: &str, asked: Option<&[String]>, indexes: Indexes) -> Plan {
        Plan::of(&self.connection, table, asked, indexes).unwrap()
    }

    /// Read by SQLite, or by us.
    fn read(&self, plan: &Plan, by_us: bool) -> Result<Content, String> {
        let path = self.folder.path().join("a.db");
        let pages = Pages::open(&path).unwrap().filter(|_| by_us);
        let ways = Ways { connect: &|| open_immutable(&path), pages: pages.as_ref() };
        let found = plan.parts.iter().map(|part| part.read(&ways).unwrap()).collect::<Vec<_>>();
        plan.judge(&found)
    }

    /// What our reading finds, by SQLite and by us, and SQLite's own check.
    fn complaints(&self, table: &str) -> [Option<String>; 3] {
        let plan = self.plan(table, None, Indexes::Compared);
        let own = first_complaint(&self.connection, "integrity_check(1)").unwrap();
        [self.read(&plan, false).err(), self.read(&plan, true).err(), own]
    }
}

/// Runs `sql` while SQLite does not know the index; afterwards its definition is `index`.
fn behind_its_back(sql: &str, index: &str) -> Sample {
    let sample = Sample::of(TABLE);
    let connection = &sample.connection;
    if index.contains("unique") {
        connection.execute_batch(&format!("drop index i; {}", index.replace("unique ", ""))).unwrap();
    }
    let root: i64 =
        connection.query_row("select rootpage from sqlite_schema where name = 'i'", [], |row| row.get(0)).unwrap();
    let forget =
        "pragma writable_schema = 1; delete from sqlite_schema where name = 'i'; pragma writable_schema = reset";
    connection.execute_batch(forget).unwrap();
    connection.execute_batch(&format!("{sql}; pragma writable_schema = 1")).unwrap();
    let know = "insert into sqlite_schema values ('index', 'i', 't', ?1, ?2)";
    connection.execute(know, (root, index)).unwrap();
    connection.execute_batch("pragma writable_schema = reset").unwrap();
    sample
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
    let [by_sqlite, by_us, own] = behind_its_back(sql, index).complaints("t");
    for ours in [by_sqlite, by_us] {
        assert!(ours.as_ref().is_some_and(|found| found.contains(expected)), "{ours:?}");
    }
    assert!(own.is_some(), "SQLite does not see it");
}

#[test]
fn an_index_of_other_columns_is_seen() {
    let [by_sqlite, by_us, own] = behind_its_back("select 1", "create index i on t (c)").complaints("t");
    assert_eq!(by_us.unwrap(), "i: an entry has 3 values");
    assert!(by_sqlite.is_some() && own.is_some());
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
    let sample = Sample::of(&format!("{TABLE}{sql}"));
    for table in stored_tables(&sample.connection).unwrap() {
        assert_eq!(sample.complaints(&table), [None, None, None], "{table}");
    }
}

#[test]
fn what_has_another_order_is_left_to_sqlite() {
    let asked = |sql: &str| {
        let plan = Sample::of(sql).plan("t", None, Indexes::Compared);
        plan.parts.iter().any(|part| matches!(part, Part::Ask(_)))
    };
    assert!(!asked(TABLE));
    for more in
        ["create index j on t (id collate nocase)", "create index j on t (lower(c))", "create index j on t (a) where a"]
    {
        assert!(asked(&format!("{TABLE}{more}")), "{more}");
    }
    assert!(asked(&format!("pragma encoding = 'UTF-16'; {TABLE}")));
    assert!(asked("create table t (x primary key) without rowid"));
    assert!(asked("create table t (x integer) strict"), "types are");
    assert!(asked("create table t (x integer, y as (x + 1))"), "what is not stored is");
}

#[test]
fn one_reading_gives_the_digest_of_all_columns_and_of_those_that_were_asked_for() {
    let sample = Sample::of(TABLE);
    let asked = ["c".to_owned(), "a".to_owned()];
    let plan = sample.plan("t", Some(&asked), Indexes::Compared);
    let digest = |list: &str| sqlite_query_digest(&sample.connection, &format!("select {list} from t")).unwrap();
    for by_us in [false, true] {
        let content = sample.read(&plan, by_us).unwrap();
        assert_eq!([content.all, content.asked], [digest("a, b, c, id"), digest("c, a")]);
    }
}

#[rstest]
#[case::short_records(
    "insert into t values ('z', 1, 2, 3); alter table t add column e; insert into t (id) values ('y')"
)]
#[case::a_default_that_came_later(
    "alter table t add column e text default 'x'; alter table t add column f real default 1"
)]
#[case::whole_doubles("update t set b = a; insert into t (id, b) values ('y', 7), ('z', -0.0)")]
// Older versions of SQLite store them so.
#[case::doubles_that_are_stored_as_integers(
    "create table u (b integer); create index j on u (b); insert into u values (7), (0), (1), (-300), (1e10); \
     pragma writable_schema = 1; update sqlite_schema set sql = 'create table u (b real)' where name = 'u'; \
     pragma writable_schema = reset"
)]
#[case::what_is_no_number("insert into t (id, b) values ('y', 9e999), ('z', -9e999), ('w', 'x')")]
#[case::a_rowid_by_name("create table u (n integer primary key, x); insert into u values (-5, 'a'), (9e15, 'b')")]
#[case::no_rowid_by_name("create table u (n integer primary key desc, x); insert into u values (5, 'a'), (7, null)")]
#[case::two_columns_in_the_key(
    "create table u (n integer, x integer, primary key (n, x)); insert into u values (5, 1)"
)]
#[case::text_that_is_not_utf8("insert into t (id, c) values (cast(x'ff00fe' as text), cast(x'c3' as text))")]
#[case::entries_of_many_pages(
    "insert into t (id, c) values (hex(randomblob(20000)), randomblob(300000)), ('', zeroblob(70000))"
)]
#[case::a_table_of_nothing("delete from t; create table u (x)")]
fn we_read_what_sqlite_reads(#[case] sql: &str) {
    let sample = Sample::of(&format!("{TABLE}{sql}"));
    for table in stored_tables(&sample.connection).unwrap() {
        for indexes in [Indexes::Compared, Indexes::Walked] {
            let plan = sample.plan(&table, None, indexes);
            assert!(plan.parts.iter().all(|part| !matches!(part, Part::Ask(_))), "SQLite is asked");
            assert_eq!(sample.read(&plan, true).unwrap(), sample.read(&plan, false).unwrap(), "{table}");
        }
    }
}

#[test]
fn a_null_where_none_may_be_is_seen_as_sqlite_sees_it() {
    let sample = Sample::of(
        "create table t (x, y not null); insert into t values (1, 2); create table u (x, y); \
                             insert into u values (1, null)",
    );
    let swap =
        "pragma writable_schema = 1; update sqlite_schema set rootpage = 5 - rootpage; pragma writable_schema = reset";
    sample.connection.execute_batch(swap).unwrap();
    let [_, by_us, own] = sample.complaints("t");
    assert_eq!(by_us.unwrap(), "t: row 1: value 1 is NULL, and must not be");
    assert_eq!(own.unwrap(), "NULL value in t.y");
}
