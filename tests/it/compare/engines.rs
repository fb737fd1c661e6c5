//! SQLite with SQLite, and SQLite with Postgres.

use super::{execute, options, table};
use crate::postgres_server::Server;
use rehearsal::compare::{Answer, Comparison, Place, compare};
use rehearsal::db::Dsn;
use rstest::rstest;
use tempfile::TempDir;

const FILE: &str = "create table users (id integer primary key, name text, paid real, raw blob); \
    insert into users values (1, 'ada', 1.5, x'00ff'), (2, '', 2, null), (3, null, -0.5, x''); \
    create table pairs (a, b, primary key (a, b)) without rowid; insert into pairs values (1, 'x'), ('1', 'x'); \
    create table loose (v); insert into loose values (1), (1), ('1'), (1.0);";

fn file(folder: &TempDir, name: &str, sql: &str) -> Place {
    let path = folder.path().join(name);
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    Place::parse(&format!("sqlite:{}", path.display())).unwrap()
}

#[rstest]
#[case("update users set name = 'eve' where id = 1", "users", "1 changed (id=1 in name)")]
#[case("update users set name = null where id = 2", "users", "1 changed (id=2 in name)")]
#[case("update users set raw = '' where id = 3", "users", "1 changed (id=3 in raw)")]
#[case(
    "delete from users where id = 2; insert into users (id) values (90)",
    "users",
    "1 missing (id=2), 1 extra (id=90)"
)]
#[case("delete from pairs where typeof(a) = 'text'", "pairs", "1 missing (a=1, b=x)")]
#[case("insert into loose values (1)", "loose", "1 extra (v=1)")]
#[case("update loose set v = 1 where typeof(v) = 'real'", "loose", "1 missing (v=1), 1 extra (v=1)")]
#[tokio::test]
async fn a_difference_between_two_files_is_named(#[case] sql: &str, #[case] name: &str, #[case] expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (file(&folder, "a", FILE), file(&folder, "b", &format!("{FILE} {sql}")));
    let comparison = compare(&source, &target, &options()).await.unwrap();
    assert_eq!(table(&comparison, name).rows.to_string(), expected);
    assert_eq!(comparison.count(Answer::Different), 1, "{comparison}");
}

#[tokio::test]
async fn equal_files_are_equal_whatever_their_pages_look_like() {
    let folder = tempfile::tempdir().unwrap();
    let shuffled = format!(
        "{FILE} pragma page_size = 8192; create table t as select * from loose order by v desc; \
        delete from loose; insert into loose select * from t; drop table t; vacuum"
    );
    let comparison = compare(&file(&folder, "a", FILE), &file(&folder, "b", &shuffled), &options()).await.unwrap();
    assert_eq!(comparison.answer, Answer::Equal, "{comparison}");
    assert_eq!(table(&comparison, "users").form.unwrap().to_string(), "sqlite");
}

const POSTGRES: &str = "create table users (id int primary key, name text, active bool, paid numeric(10, 2), raw bytea, \
        at timestamptz, token uuid, profile jsonb, mood public.mood, weight float4); \
    insert into users values (1, 'ada', true, 10.50, '\\x00ff', '2024-05-06 07:08:09.5+00', \
        '11111111-2222-3333-4444-555555555555', '{\"a\": 1, \"bb\": [1.50, null]}', 'good', 0.1), \
        (2, '', false, 0, '\\x', '-infinity', null, 'null', null, 'NaN'), (12345678, null, null, null, null, null, null, null, null, null)";
const SQLITE: &str = "create table users (id integer primary key, name text, active integer, paid real, raw blob, \
        at text, token text, profile text, mood text, weight real); \
    insert into users values (1, 'ada', 1, 10.5, x'00ff', '2024-05-06T07:08:09.500Z', \
        '11111111-2222-3333-4444-555555555555', '{\"bb\":[1.5,null],\"a\":1}', 'good', 0.1), \
        (2, '', 0, 0, x'', '-infinity', null, 'null', null, 'NaN'), (12345678, null, null, null, null, null, null, null, null, null);";

async fn across(sql: &str) -> Comparison {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::shared());
    let dsn = postgres(&server).await;
    let (source, target) = (file(&folder, "a", &format!("{SQLITE} {sql}")), Place::Postgres(dsn));
    let there = compare(&source, &target, &options()).await.unwrap();
    let back = compare(&target, &source, &options()).await.unwrap();
    assert_eq!(there.answer, back.answer);
    there
}

async fn postgres(server: &Server) -> Dsn {
    let dsn = server.create_database().await;
    execute(&dsn, "create type public.mood as enum ('good', 'bad')").await;
    execute(&dsn, POSTGRES).await;
    dsn
}

#[tokio::test]
async fn two_engines_that_mean_the_same_are_equal() {
    let comparison = across("").await;
    assert_eq!(comparison.answer, Answer::Equal, "{comparison}");
    assert_eq!(table(&comparison, "users").form.unwrap().to_string(), "canonical");
}

#[rstest]
#[case("update users set name = 'ada ' where id = 1", "1 changed (id=1 in name)")]
#[case("update users set active = 0 where id = 1", "1 changed (id=1 in active)")]
#[case("update users set paid = 10.51 where id = 1", "1 changed (id=1 in paid)")]
#[case("update users set at = '2024-05-06T07:08:09.500001Z' where id = 1", "1 changed (id=1 in at)")]
#[case("update users set profile = '{\"a\": 1, \"bb\": [1.5]}' where id = 1", "1 changed (id=1 in profile)")]
#[case("update users set weight = 0.2, mood = 'bad' where id = 1", "1 changed (id=1 in mood, weight)")]
#[case("update users set name = '' where id = 12345678", "1 changed (id=12345678 in name)")]
#[case("delete from users where id = 2", "1 extra (id=2)")]
#[tokio::test]
async fn a_difference_between_two_engines_is_named(#[case] sql: &str, #[case] expected: &str) {
    assert_eq!(table(&across(sql).await, "users").rows.to_string(), expected);
}

#[tokio::test]
async fn a_type_without_a_counterpart_is_named_and_not_told() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::shared());
    let dsn = server.create_database().await;
    execute(&dsn, "create table t (id int primary key, tags text[], price money)").await;
    let source = file(&folder, "a", "create table t (id integer primary key, tags text, price real)");
    let comparison = compare(&source, &Place::Postgres(dsn), &options()).await.unwrap();
    assert_eq!(comparison.answer.exit_code(), 2);
    let notes = table(&comparison, "t").notes.join(" ");
    assert!(notes.contains("column tags has type text[]") && notes.contains("column price has type money"), "{notes}");
}
