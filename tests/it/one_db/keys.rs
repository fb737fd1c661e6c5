//! Keys and indexes that leave while a table is filled: those that return are what they were, and the others stay.

use super::odd::{ONE_PROFILE, expect_by, one_table};
use super::stage::Stage;
use rstest::rstest;
use std::collections::BTreeMap;

/// Of every table, however small.
fn keys_after() -> String {
    ONE_PROFILE.replace("[per_source]", "keys_after_mb = 0\n[per_source]")
}

/// One of each kind that returns from its definition, then what stays: with a comment, an option or a choice of its own,
/// or needed by others.
const KEYS: &str = r#"
    create table one (id int primary key, a int not null, b text, r int4range, unique (a, b) deferrable,
        exclude using gist (r with &&));
    create index "odd ""index" on one (lower(b) collate "C" desc nulls last) include (a) with (fillfactor = 70) where a > 1;
    create unique index whole on one (id, a);
    create index told on one (a); comment on index told is 'why';
    create index counted on one ((a + id)); alter index counted alter column 1 set statistics 7;
    create index grouped on one (b); alter table one cluster on grouped;
    create unique index replicated on one (a, id); alter table one replica identity using index replicated;
    alter table one add constraint packed unique (id, b) with (fillfactor = 50);
    alter table one add constraint referred unique (a);
"#;

#[test]
fn keys_after_rows_are_the_keys_that_were_there() {
    let rows = "insert into one select n, n, 'b' || n, int4range(n, n + 1) from generate_series(1, 50) n";
    let children = "create table odd.child (a int references odd.one (a))";
    let stage = one_table(&format!("{KEYS}; {rows}"), &format!("set search_path = odd; {KEYS}; {children}"));
    apart(&stage);
    let (before, made) = (stage.dump("one"), index_numbers(&stage));

    expect_by(&stage, &keys_after(), 0, &["run"]);
    let now = index_numbers(&stage);
    assert_eq!(now.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    let anew: Vec<&str> =
        now.iter().filter(|(name, number)| made[*name] != **number).map(|(name, _)| &**name).collect();
    assert_eq!(anew, ["odd \"index", "one_a_b_key", "one_pkey", "one_r_excl", "whole"]);
    expect_by(&stage, &keys_after(), 0, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    assert_eq!(stage.dump("one"), before);
}

/// An index in a tablespace of its own; such a one lies in the server's folder since Postgres 15.
fn apart(stage: &Stage) {
    stage.sql(
        "one",
        "do $$ begin execute format('alter database %I set allow_in_place_tablespaces = on', current_database()); end $$",
    );
    stage.sql("one", "create tablespace keys_apart location ''");
    stage.sql("one", "create index apart on odd.one (b) tablespace keys_apart");
}

#[rstest]
#[case::a_trigger(
    "create function odd.f() returns trigger language plpgsql as 'begin return new; end'; \
    create trigger t before insert on odd.one for each row execute function odd.f()"
)]
#[case::a_foreign_key_that_waits(
    "create table odd.p (id int primary key); insert into odd.p values (1); \
    alter table odd.one add foreign key (id) references odd.p initially deferred"
)]
#[case::an_heir("create table odd.heir () inherits (odd.one)")]
#[case::a_view_that_groups_by_the_key("create view odd.v as select id, v from odd.one group by id")]
#[case::event_triggers(
    "create function odd.e() returns event_trigger language plpgsql as 'begin end'; \
    create event trigger e on ddl_command_end execute function odd.e()"
)]
#[case::an_owner_who_may_not_make_it_again("create role owner_only; alter table odd.one owner to owner_only")]
fn where_keys_cannot_leave_they_stay(#[case] obstacle: &str) {
    let table = "(id int primary key, v text)";
    let stage = one_table(
        &format!("create table one {table}; insert into one values (1, 'x')"),
        &format!("create table odd.one {table}; {obstacle}"),
    );
    let made = index_numbers(&stage);
    expect_by(&stage, &keys_after(), 0, &["run"]);
    assert_eq!(index_numbers(&stage), made);
}

#[test]
fn a_table_that_is_not_large_keeps_its_keys_in_place() {
    let table = "one (id int primary key)";
    let stage =
        one_table(&format!("create table {table}; insert into one values (1)"), &format!("create table odd.{table}"));
    let made = index_numbers(&stage);
    expect_by(&stage, ONE_PROFILE, 0, &["run"]);
    assert_eq!(index_numbers(&stage), made);
}

#[test]
fn two_rows_for_one_key_are_refused_when_the_key_comes_last_too() {
    let stage = one_table(
        "create table one (id int primary key, v text); insert into one values (1, 'x'), (2, 'x')",
        "create table odd.one (id int primary key, v text unique)",
    );
    let before = stage.dump("one");
    let seen = expect_by(&stage, &keys_after(), 1, &["run"]);
    assert!(seen.stderr.contains("odd.one keys back: "), "{seen:#?}");
    assert!(seen.stderr.contains("could not create unique index \"one_v_key\""), "{seen:#?}");
    assert_eq!(stage.dump("one"), before);
}

/// Of each index of table `odd.one`, by name: another number is another index.
fn index_numbers(stage: &Stage) -> BTreeMap<String, String> {
    let sql = "select c.relname || '=' || c.oid from pg_index i join pg_class c on c.oid = i.indexrelid \
        where i.indrelid = 'odd.one'::regclass";
    let rows = stage.sql("one", sql);
    rows.lines().filter_map(|row| row.split_once('=')).map(|(name, number)| (name.into(), number.into())).collect()
}
