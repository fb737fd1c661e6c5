//! Answers to single questions: first rows, rows by key, sequences in use; against a real server and a SQLite file.

use crate::postgres_server::Server;
use rehearsal::db::{first_row, postgres, rows_by_key, sequence_uses, sqlite};
use rehearsal::model::SequenceUse;
use rstest::rstest;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;

async fn connection(schema: &str) -> (std::sync::Arc<Server>, PgConnection) {
    let server = Server::shared();
    let dsn = server.create_database().await;
    let mut connection = postgres::connect(&dsn.options()).await.unwrap();
    postgres::execute(&mut connection, schema).await.unwrap();
    (server, connection)
}

#[rstest]
#[case::a_number("select count(*) from pg_class where false", Some("0"))]
#[case::a_boolean("select true", Some("t"))]
#[case::several_columns("select 1, 'a b', 2.50", Some("1\ta b\t2.50"))]
#[case::the_first_of_several("select * from (values (2), (1)) v (n) order by n", Some("1"))]
#[case::null("select null::date", Some("\\N"))]
#[case::a_time_in_utc("select timestamptz '2026-01-02 03:04:05+02'", Some("2026-01-02 01:04:05+00"))]
#[case::no_row("select 1 where false", None)]
#[tokio::test]
async fn a_query_is_answered_by_the_text_of_its_first_row(#[case] query: &str, #[case] expected: Option<&str>) {
    let (_server, mut connection) = connection("").await;
    assert_eq!(first_row(&mut connection, query).await.unwrap().as_deref(), expected);
}

#[tokio::test]
async fn a_question_cannot_write_and_a_refused_one_leaves_the_connection_usable() {
    let (_server, mut connection) = connection("create table t (n int)").await;
    let error = first_row(&mut connection, "insert into t values (1) returning n").await.unwrap_err().to_string();
    assert!(error.contains("read-only transaction"), "{error}");
    let error = first_row(&mut connection, "select x from t").await.unwrap_err().to_string();
    assert!(error.contains("42703"), "{error}");
    assert_eq!(first_row(&mut connection, "select count(*) from t").await.unwrap().as_deref(), Some("0"));
}

#[tokio::test]
async fn rows_are_told_apart_by_their_key() {
    let (_server, mut connection) = connection("create table t (a int, b text, c text)").await;
    let insert = "insert into t values (1, 'x', 'one'), (1, 'y', 'two'), (2, 'x', null), (2, 'x', 'three')";
    postgres::execute(&mut connection, insert).await.unwrap();
    let key = ["a".to_owned(), "b".to_owned()];
    let before = rows_by_key(&mut connection, "select * from t", &key).await.unwrap();
    assert_eq!(before.keys().collect::<Vec<_>>(), ["1, x", "1, y", "2, x"]);

    postgres::execute(&mut connection, "update t set c = 'four' where c = 'three'").await.unwrap();
    let after = rows_by_key(&mut connection, "select * from t -- a comment", &key).await.unwrap();
    let differing: Vec<&String> = before.keys().filter(|key| before[*key] != after[*key]).collect();
    assert_eq!(differing, ["2, x"]);
    let error = rows_by_key(&mut connection, "select a from t", &key).await.unwrap_err().to_string();
    assert!(error.contains("q.b"), "{error}");
}

#[tokio::test]
async fn every_sequence_that_feeds_a_column_is_found() {
    let schema = "
        create schema app;
        create table app.\"Odd one\" (\"The Id\" bigint generated always as identity, word text);
        insert into app.\"Odd one\" (word) values ('a'), ('b');
        create table serials (id serial, n numeric default 7);
        create sequence shared increment by -2 start with -1 maxvalue -1;
        create table one (id int default nextval('shared'));
        create table two (id smallint default nextval('public.shared'));
        insert into one values (-9);
        create sequence unused;
        create table words (id text default 'w' || nextval('unused'));
        alter sequence unused owned by words.id;";
    let (_server, mut connection) = connection(schema).await;
    let used = |table: &str, column: &str, sequence: &str, next: &str, furthest: Option<&str>, ascending| SequenceUse {
        sequence: sequence.into(),
        table: table.into(),
        column: column.into(),
        next: next.into(),
        furthest: furthest.map(str::to_owned),
        ascending,
    };
    let expected = [
        used("app.Odd one", "The Id", "app.Odd one_The Id_seq", "3", Some("2"), true),
        used("public.serials", "id", "public.serials_id_seq", "1", None, true),
        used("public.one", "id", "public.shared", "-1", Some("-9"), false),
        used("public.two", "id", "public.shared", "-1", None, false),
    ];
    assert_eq!(sequence_uses(&mut connection).await.unwrap(), expected);
}

#[test]
fn a_sqlite_file_answers_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.sqlite");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("create table t (a, b); insert into t values (1, 'x'), (2, null), (2, 'z')").unwrap();
    let first = |query| sqlite::first_row(&path, query);
    assert_eq!(first("select count(*), b from t").unwrap().as_deref(), Some("3\tx"));
    assert_eq!(first("select b from t where a = 2 order by b").unwrap().as_deref(), Some("null"));
    assert_eq!(first("select 1 where false").unwrap(), None);
    assert!(first("select c from t").unwrap_err().to_string().contains("no such column"));
    assert!(first("delete from t returning a").is_err(), "it is opened to read");

    let rows = |query, key: &str| sqlite::rows_by_key(&path, query, &[key.to_owned()]);
    let found = rows("select a, b from t", "a").unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["1", "2"]);
    let other: BTreeMap<String, String> = rows("select a, coalesce(b, 'y') as b from t", "a").unwrap();
    assert_eq!((found["1"] == other["1"], found["2"] == other["2"]), (true, false));
    assert!(rows("select a from t", "b").is_err());
}
