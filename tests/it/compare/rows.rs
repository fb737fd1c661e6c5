//! The rows in which a table differs from the one that it should equal.

use crate::postgres_server::Server;
use rehearsal::compare::{DifferingRows, Place, differing_rows};
use rehearsal::db::postgres;
use rehearsal::model::RowDifference;
use rstest::rstest;
use std::collections::{BTreeMap, BTreeSet};

const KEYED: &str = "(id int primary key, name text)";
const PLAIN: &str = "(id int, name text)";
const TWO: &str = "insert into t (id, name) values (1, 'ada'), (2, 'ben')";

#[rstest]
#[case::equal(KEYED, TWO, KEYED, TWO, (0, 0, 0), "")]
#[case::in_another_order(KEYED, TWO, KEYED, "insert into t (id, name) values (2, 'ben'), (1, 'ada')", (0, 0, 0), "")]
#[case::with_columns_in_another_order(KEYED, TWO, "(name text, id int primary key)", TWO, (0, 0, 0), "")]
#[case::missing(KEYED, TWO, KEYED, "insert into t values (2, 'ben')", (1, 0, 0), "1-")]
#[case::too_much(KEYED, TWO, KEYED, "insert into t (id, name) values (1, 'ada'), (2, 'ben'), (3, 'cy')", (0, 1, 0), "3+")]
#[case::changed(KEYED, TWO, KEYED, "insert into t values (1, 'ada'), (2, 'bea')", (0, 0, 1), "2 ben>bea")]
#[case::changed_to_null(KEYED, TWO, KEYED, "insert into t values (1, 'ada'), (2, null)", (0, 0, 1), "2 ben>NULL")]
#[case::all_at_once(KEYED, TWO, KEYED, "insert into t values (2, 'bea'), (3, 'cy')", (1, 1, 1), "1- 2 ben>bea 3+")]
#[case::without_a_key(PLAIN, TWO, PLAIN, "insert into t values (1, 'ada'), (2, 'bea')", (1, 1, 0), "2+ 2-")]
#[case::twice_without_a_key(PLAIN, TWO, PLAIN, "insert into t (id, name) values (1, 'ada'), (2, 'ben'), (2, 'ben')", (0, 1, 0), "2+")]
#[case::odd_text(KEYED, "insert into t values (1, E'a\\tb\\\\c\\nd')", KEYED, "insert into t values (1, E'a\\tb\\\\c\\nD')",
    (0, 0, 1), "1 a\tb\\c\nd>a\tb\\c\nD")]
#[tokio::test]
async fn rows_that_differ_are_counted_and_told(
    #[case] expected_shape: &str,
    #[case] expected_rows: &str,
    #[case] found_shape: &str,
    #[case] found_rows: &str,
    #[case] counts: (u64, u64, u64),
    #[case] told: &str,
) {
    let expected = [&format!("create table t {expected_shape}"), expected_rows];
    let found = [&format!("create table t {found_shape}"), found_rows];
    let differences = compared(&expected, &found, &[], 10).await;
    assert_eq!((differences.missing, differences.extra, differences.changed), counts);
    assert_eq!(differences.rows.iter().map(shown).collect::<Vec<_>>().join(" "), told);
}

#[tokio::test]
async fn a_column_that_is_left_out_does_not_count() {
    let table = format!("create table t {KEYED}");
    let found = "insert into t values (1, 'x'), (2, 'y')";
    let differences = compared(&[&table, TWO], &[&table, found], &["name"], 10).await;
    assert_eq!(differences, DifferingRows::default());
}

#[tokio::test]
async fn the_first_rows_by_key_are_told_and_all_are_counted() {
    let table = format!("create table t {KEYED}");
    let many = "insert into t select n, 'x' from generate_series(1000, 1, -1) n";
    let other = "insert into t select n, 'y' from generate_series(1, 1000) n";
    let differences = compared(&[&table, many], &[&table, other], &[], 2).await;
    assert_eq!((differences.changed, differences.rows.len()), (1000, 2));
    assert_eq!(differences.rows.iter().map(shown).collect::<Vec<_>>(), ["1 x>y", "2 x>y"]);
}

#[tokio::test]
async fn no_expected_table_is_an_empty_one() {
    let server = Server::shared();
    let found = database(&server, &[&format!("create table t {KEYED}"), TWO]).await;
    let differences = differing_rows(None, (&found, "public.t"), &BTreeSet::new(), 1).await.unwrap();
    assert_eq!((differences.missing, differences.extra, differences.rows.len()), (0, 2, 1));
    let wrong = differing_rows(None, (&found, "public.u"), &BTreeSet::new(), 1).await.unwrap_err();
    assert!(wrong.to_string().contains("there is no table public.u"), "{wrong}");
}

async fn compared(expected: &[&str], found: &[&str], left_out: &[&str], limit: usize) -> DifferingRows {
    let left_out = left_out.iter().map(|&column| column.to_owned()).collect();
    let server = Server::shared(); // it lives as long as somebody holds it
    let (expected, found) = (database(&server, expected).await, database(&server, found).await);
    differing_rows(Some((&expected, "public.t")), (&found, "public.t"), &left_out, limit).await.unwrap()
}

async fn database(server: &Server, statements: &[&str]) -> Place {
    let dsn = server.create_database().await;
    let mut connection = postgres::connect(&dsn.options()).await.unwrap();
    postgres::execute(&mut connection, &statements.join(";\n")).await.unwrap();
    Place::Postgres(dsn)
}

#[tokio::test]
async fn rows_of_files_are_told_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, rows: &str| {
        let path = folder.path().join(name);
        let sql = format!("create table t {KEYED}; insert into t (id, name) values {rows}");
        rusqlite::Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        Place::Sqlite(path)
    };
    let (expected, found) = (file("one", "(1, 'ada'), (2, 'ben')"), file("two", "(2, x'00'), (3, null)"));
    let rows = async |expected| differing_rows(expected, (&found, "t"), &BTreeSet::new(), 9).await.unwrap().rows;
    let told: Vec<String> = rows(Some((&expected, "t"))).await.iter().map(shown).collect();
    assert_eq!(told, ["1-", "2 ben>\\x00", "3+"]);
    assert_eq!(rows(None).await.iter().map(shown).collect::<Vec<_>>(), ["2+", "3+"]);
}

/// `1-` is missing, `1+` is too much, `1 a>b` has changed.
fn shown(row: &RowDifference) -> String {
    let id = row.key["id"].clone().unwrap();
    let name = |row: &BTreeMap<String, Option<String>>| row["name"].clone().unwrap_or("NULL".to_owned());
    match (&row.expected, &row.found) {
        (Some(expected), Some(found)) => format!("{id} {}>{}", name(expected), name(found)),
        (Some(_), None) => format!("{id}-"),
        (None, _) => format!("{id}+"),
    }
}
