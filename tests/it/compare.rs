//! Two databases compared: what differs is named exactly, and what cannot be told is never equal.

mod command;
mod engines;
mod rows;

use crate::postgres_server::Server;
use rehearsal::compare::{Answer, Comparison, Options, Place, TableComparison, compare};
use rehearsal::db::{Dsn, postgres};
use rehearsal::engine::proxy::{Proxy, ProxyRules};
use sqlx::Connection as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SCHEMA: &str = r#"
create schema app;
create type app.mood as enum ('good', 'bad');
create table app.users (id bigserial primary key, name text, mood app.mood default 'good', score float8);
insert into app.users (name, score) select 'user ' || n, n / 3.0 from generate_series(1, 300) n;
create table app.orders (a int, b text, amount numeric, at timestamptz, primary key (a, b));
insert into app.orders select n, 'long enough to be hashed ' || n, n / 7.0, '2024-01-01' from generate_series(1, 300) n;
create table app.loose (a int, b text);
insert into app.loose select n % 50, 'x' from generate_series(1, 300) n;
create table app.parts (k int, v text) partition by range (k);
create table app.parts_low partition of app.parts for values from (0) to (100);
insert into app.parts select n, 'v' from generate_series(1, 50) n;
create table app.grown (id int primary key, twice int generated always as (id * 2) stored, tags text[]);
insert into app.grown (id, tags) select n, array['a', null] from generate_series(1, 10) n;
create table public.nothing ();
insert into public.nothing default values;
"#;

/// Two databases with this content, and the server, which lives as long as somebody holds it.
async fn twins(sql: &str) -> (Arc<Server>, Dsn, Dsn) {
    let server = Server::shared();
    let (one, other) = (server.create_database().await, server.create_database().await);
    for dsn in [&one, &other] {
        execute(dsn, sql).await;
    }
    (server, one, other)
}

async fn execute(dsn: &Dsn, sql: &str) {
    let mut connection = postgres::connect(&dsn.options()).await.unwrap();
    postgres::execute(&mut connection, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap();
}

fn options() -> Options {
    Options { samples: 5, ..Options::default() }
}

async fn compared(source: &Dsn, target: &Dsn, options: &Options) -> Comparison {
    let (source, target) = (Place::Postgres(source.clone()), Place::Postgres(target.clone()));
    compare(&source, &target, options).await.unwrap()
}

fn table<'c>(comparison: &'c Comparison, name: &str) -> &'c TableComparison {
    comparison.tables.iter().find(|table| table.source_table == name).unwrap_or_else(|| panic!("{comparison}"))
}

#[tokio::test]
async fn what_was_planted_is_named_and_nothing_else() {
    let planted = [
        ("update app.users set name = 'eve' where id = 7", "app.users", "1 changed (id=7 in name)"),
        ("update app.users set name = '', score = null where id = 7", "app.users", "1 changed (id=7 in name, score)"),
        ("update app.users set score = score + 1e-13 where id = 1", "app.users", "1 changed (id=1 in score)"),
        (
            "update app.users set mood = 'bad' where id in (9, 10, 11)",
            "app.users",
            "(id=9 in mood; id=10 in mood; id=11 in mood)",
        ),
        ("delete from app.users where id < 8", "app.users", "7 missing (id=1; id=2; id=3; id=4; id=5; ...)"),
        ("insert into app.users values (1000), (-5)", "app.users", "2 extra (id=-5; id=1000)"),
        ("update app.users set id = 900 where id = 9", "app.users", "1 missing (id=9), 1 extra (id=900)"),
        (
            "update app.orders set amount = amount * 1.0 where a = 3",
            "app.orders",
            "a=3, b=long enough to be hashed 3 in amount",
        ),
        ("update app.orders set at = at + interval '1 microsecond' where a = 3", "app.orders", "in at)"),
        (
            "update app.orders set b = b || ' ' where a = 4",
            "app.orders",
            "1 missing (a=4, b=long enough to be hashed 4), 1 extra",
        ),
        ("insert into app.loose values (7, 'x'), (7, 'x')", "app.loose", "2 extra (a=7, b=x; ...)"),
        ("delete from app.loose where a = 7", "app.loose", "6 missing (a=7, b=x; ...)"),
        (
            "update app.loose set b = null where a = 7",
            "app.loose",
            "6 missing (a=7, b=x; ...), 6 extra (a=7, b=NULL; ...)",
        ),
        ("update app.parts set v = 'w' where k = 3", "app.parts", "1 missing (k=3, v=v), 1 extra (k=3, v=w)"),
        ("update app.grown set tags = array['a', ''] where id = 3", "app.grown", "1 changed (id=3 in tags)"),
        ("insert into public.nothing default values", "public.nothing", "1 extra"),
    ];
    let server = Server::shared();
    let template = server.create_database().await;
    execute(&template, SCHEMA).await;
    let source = clone_of(&template).await;
    for (sql, name, expected) in planted {
        let target = clone_of(&template).await;
        execute(&target, sql).await;
        let comparison = compared(&source, &target, &options()).await;
        assert_eq!(comparison.answer, Answer::Different, "{sql}");
        let found = table(&comparison, name);
        assert!(found.rows.to_string().contains(expected), "{sql}: {}", found.rows);
        assert_eq!(comparison.count(Answer::Different), 1, "{sql}: {comparison}");
        assert_eq!(comparison.count(Answer::Unknown), 0, "{sql}: {comparison}");
    }
}

async fn clone_of(template: &Dsn) -> Dsn {
    let server = Server::shared();
    let clone = server.unused_dsn();
    let sql = format!("create database {} template {} strategy file_copy", clone.database(), template.database());
    // The backend of a closed connection may live a moment longer.
    let gone = format!(
        "do $$ begin while exists (select from pg_stat_activity where datname = '{}') loop \
         perform pg_stat_clear_snapshot(); perform pg_sleep(0.001); end loop; end $$",
        template.database()
    );
    execute(&server.dsn("postgres"), &gone).await;
    execute(&server.dsn("postgres"), &sql).await;
    clone
}

#[tokio::test]
async fn neither_the_order_of_rows_nor_of_columns_counts_and_the_form_is_said() {
    let (_server, source, target) = twins(SCHEMA).await;
    execute(
        &target,
        "create table app.users2 (score float8, mood app.mood, name text, id bigint primary key); \
        insert into app.users2 select score, mood, name, id from app.users order by id desc; \
        drop table app.users; alter table app.users2 rename to users",
    )
    .await;
    execute(&target, "vacuum full app.orders").await;
    let comparison = compared(&source, &target, &options()).await;
    assert_eq!(comparison.answer, Answer::Equal, "{comparison}");
    let form = |name| {
        let table = table(&comparison, name);
        (table.form.unwrap().to_string(), table.key.join(","))
    };
    assert_eq!(form("app.users"), ("text".to_owned(), "id".to_owned()), "an enum has an oid of its own");
    assert_eq!(form("app.orders"), ("binary".to_owned(), "a,b".to_owned()));
    assert_eq!(form("app.loose"), ("binary".to_owned(), String::new()));
    assert!(
        !comparison.tables.iter().any(|table| table.source_table.contains("parts_low")),
        "partitions are one table"
    );
}

#[tokio::test]
async fn more_differences_than_a_sketch_holds_are_counted_exactly() {
    let sql = "create table t (id uuid primary key, v int); \
        insert into t select md5(n::text)::uuid, n from generate_series(1, 60000) n";
    let (_server, source, target) = twins(sql).await;
    execute(
        &target,
        "update t set v = -v where v > 5000; delete from t where v between 1 and 3; \
        insert into t select md5('x' || n)::uuid, n from generate_series(1, 7) n",
    )
    .await;
    let comparison = compared(&source, &target, &options()).await;
    let rows = &table(&comparison, "public.t").rows;
    assert_eq!((rows.missing, rows.extra, rows.changed), (3, 7, 55_000));
    let names = [rows.missing_keys.len(), rows.extra_keys.len(), rows.changed_keys.len()];
    assert!(names[2] == 5 && rows.changed_keys.iter().all(|row| row.columns == ["v"]), "{rows}");
}

#[tokio::test]
async fn tables_and_columns_of_one_side_only_are_differences() {
    let (_server, source, target) = twins("create table a (x int, y int); create table b (x int)").await;
    execute(&target, "alter table a drop y; alter table a add z int; drop table b; create table c (x int)").await;
    let comparison = compared(&source, &target, &options()).await;
    let text = comparison.to_string();
    for part in [
        "column y is missing in the target; column z is only in the target",
        "public.b: the table is missing in the target",
        "public.c: the table is only in the target",
    ] {
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" : ", ": ");
        assert!(joined.contains(part), "{part}: {text}");
    }
    assert_eq!(comparison.answer.exit_code(), 1);
}

#[tokio::test]
async fn a_lost_key_does_not_blind_the_comparison() {
    let (_server, source, target) =
        twins("create table t (id int primary key, v text); insert into t values (1, 'a'), (2, 'b')").await;
    execute(&target, "alter table t drop constraint t_pkey; insert into t values (1, 'a'), (1, 'a'), (2, 'c')").await;
    let comparison = compared(&source, &target, &options()).await;
    assert_eq!(table(&comparison, "public.t").rows.to_string(), "3 extra (id=1; id=2; ...)");
}

#[tokio::test]
async fn renamed_tables_filters_and_ignored_columns() {
    let (_server, source, target) = twins("create schema app; create table app.users (id int primary key, seen int); \
        create table app.notes (id serial primary key); create table public.other (x int); insert into app.users values (1, 1)").await;
    execute(
        &target,
        "alter schema app rename to general; alter table general.users rename to people; \
        update general.people set seen = 2; drop table public.other; \
        alter index general.users_pkey rename to people_pkey",
    )
    .await;
    let mut options = Options {
        schemas: vec!["app".to_owned()],
        renamed_schemas: BTreeMap::from([("app".to_owned(), "general".to_owned())]),
        renamed_tables: BTreeMap::from([("app.users".to_owned(), "general.people".to_owned())]),
        ..options()
    };
    let comparison = compared(&source, &target, &options).await;
    assert_eq!((comparison.count(Answer::Equal), comparison.count(Answer::Different)), (1, 1), "{comparison}");
    assert_eq!(table(&comparison, "app.users").target_table, "general.people");
    options.ignored.insert("app.users".to_owned(), BTreeSet::from(["seen".to_owned()]));
    assert_eq!(compared(&source, &target, &options).await.answer, Answer::Equal);
    options.catalog = true;
    let catalog = compared(&source, &target, &options).await.catalog.unwrap();
    let objects: Vec<&str> = catalog.iter().map(|difference| difference.object.as_str()).collect();
    assert!(
        objects.iter().all(|object| object.contains("users_pkey") || object.contains("people_pkey")),
        "{catalog:?}"
    );
}

#[tokio::test]
async fn definitions_are_compared_on_demand() {
    let planted = [
        ("alter table app.users alter score type numeric", "column app.users.score"),
        ("alter table app.users alter name set not null", "column app.users.name"),
        ("alter table app.users alter mood drop default", "column app.users.mood"),
        ("alter table app.users drop constraint users_pkey", "constraint app.users.users_pkey"),
        ("select nextval('app.users_id_seq')", "sequence app.users_id_seq"),
        ("grant select on app.users to public", "relation app.users"),
        ("alter table app.users owner to pg_monitor", "relation app.users"),
        ("create extension if not exists plpgsql; drop extension plpgsql cascade", "extension plpgsql"),
        ("create index on app.users (name)", "index app.users."),
    ];
    let server = Server::shared();
    let template = server.create_database().await;
    execute(&template, SCHEMA).await;
    let source = clone_of(&template).await;
    let options = Options { catalog: true, ..options() };
    let same = compared(&source, &clone_of(&template).await, &options).await;
    assert_eq!((same.answer, same.catalog.unwrap().len()), (Answer::Equal, 0));
    for (sql, object) in planted {
        let target = clone_of(&template).await;
        execute(&target, sql).await;
        let comparison = compared(&source, &target, &options).await;
        let catalog = comparison.catalog.unwrap();
        assert!(catalog.iter().any(|difference| difference.object.starts_with(object)), "{sql}: {catalog:?}");
        assert_eq!(comparison.answer, Answer::Different, "{sql}");
    }
}

#[tokio::test]
async fn over_a_network_it_is_the_same_as_over_a_socket() {
    let (_server, source, target) = twins(SCHEMA).await;
    let socket = std::path::Path::new(&target.host()).join(".s.PGSQL.5432");
    let proxy = Proxy::start("pg.target", socket, ProxyRules::default()).await.unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port(), target.database());
    let through = Dsn::parse(&url).unwrap();
    let comparison = compared(&source, &through, &options()).await;
    assert_eq!(comparison.answer, Answer::Equal, "{comparison}");
    execute(&target, "update app.orders set amount = 0 where a = 3; delete from app.loose where a = 7").await;
    let direct = compared(&source, &target, &options()).await;
    let comparison = compared(&source, &through, &options()).await;
    assert_eq!(comparison.count(Answer::Different), 2, "{comparison}");
    for (one, other) in direct.tables.iter().zip(&comparison.tables) {
        assert_eq!((&one.rows, one.target_digest), (&other.rows, other.target_digest));
    }
}
