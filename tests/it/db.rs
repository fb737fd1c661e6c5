//! Addresses, identities and states of databases, against a real server.

use crate::postgres_server::Server;
use proptest::prelude::*;
use rehearsal::db::{Dsn, Volatile, copy_text, postgres, postgres_state, query_digest, sqlite};
use rehearsal::model::DatabaseState;
use rstest::rstest;
use sqlx::postgres::PgConnection;
use std::collections::BTreeSet;

#[rstest]
#[case("postgres://ada:p%40ss@db.example:6000/one", "ada@db.example:6000/one")]
#[case("postgresql://ada@[::1]:6000/one", "ada@::1:6000/one")]
#[case("postgres://ada@/one?host=/run/pg&port=6001", "ada@/run/pg:6001/one")]
#[case("postgres://ada@%2Frun%2Fpg:6001/on%65", "ada@/run/pg:6001/one")]
#[case("postgres://db:6000/x?user=ada&dbname=one&password=secret", "ada@db:6000/one")]
#[case("postgres://ada@db:6000", "ada@db:6000/ada")]
#[case("postgres://ada:a:b@c@db:6000/one?sslmode=disable", "ada@db:6000/one")]
fn an_address_is_what_the_driver_will_connect_to(#[case] url: &str, #[case] expected: &str) {
    assert_eq!(Dsn::parse(url).unwrap().to_string(), expected);
}

#[rstest]
#[case("mysql://u:secret@h/d", "begins with postgres://")]
#[case("postgres://u:sec%zzret@h/d", "the password of a database URL is not valid percent-encoding")]
#[case("postgres://u:secret@h:port/d", "the port of a database URL is not a number")]
#[case("postgres://u:secret@h:1,i:2/d", "several hosts")]
#[case("postgres://u:secret@h:99999/d", "the port of a database URL is not a number up to 65535")]
#[case("postgres://u:12/secret@h/d", "must be percent-encoded")]
#[case("postgres://u:12#secret@h/d", "must be percent-encoded")]
#[case("postgres://u:12?secret@h/d", "must be percent-encoded")]
#[case("postgres://u:secret@h/d?secret=1", "unknown parameter")]
#[case("postgres://u:secret@h/d?sslmode=secret", "unknown value of sslmode")]
fn a_wrong_address_is_refused_without_its_text(#[case] url: &str, #[case] expected: &str) {
    let error = Dsn::parse(url).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn no_form_of_an_address_shows_its_password() {
    let dsn = Dsn::parse("postgres://ada:hunter2@db/one?options=-c%20search_path%3Dx").unwrap();
    assert!(!format!("{dsn} {dsn:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_failed_connection_names_the_place_and_the_cause() {
    let server = Server::shared();
    server.create_database().await;
    let error = postgres::connect(&server.dsn("nowhere").options()).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere: there is no such database"), "{error}");
    let dsn = Dsn::parse("postgres://ada:hunter2@127.0.0.1:1/one").unwrap();
    let error = postgres::connect(&dsn.options()).await.unwrap_err().to_string();
    assert!(error.contains("cannot connect to 127.0.0.1:1/one: nobody listens there"), "{error}");
}

#[tokio::test]
async fn one_database_under_two_spellings_is_the_same_and_its_neighbour_is_not() {
    let server = Server::shared();
    let (one, other) = (server.create_database().await, server.create_database().await);
    let mut identities = Vec::new();
    for dsn in [&one, &one, &other] {
        identities.push(postgres::identity(&mut connected(dsn).await).await.unwrap());
    }
    assert!(identities[0].is_same(&identities[1]));
    assert!(!identities[0].is_same(&identities[2]));
    let blind = postgres::Identity { system_identifier: None, ..identities[0].clone() };
    assert!(blind.is_same(&identities[0]), "a role with fewer rights still finds it out");
    let restarted = postgres::Identity { started: "1".to_owned(), ..identities[0].clone() };
    assert!(!restarted.is_same(&identities[0]), "a copied data directory is another server");
    let standby = postgres::Identity { standby: true, ..restarted };
    assert!(standby.is_same(&identities[0]), "a standby holds the same rows");
}

pub(crate) const SCHEMA: &str = r#"
create schema app;
create type app.mood as enum ('good', 'bad');
create domain app.positive as integer check (value > 0);
create table app.users (
    id bigserial primary key, name text, mood app.mood default 'good', age app.positive, "Odd ""name" char(5), unique (name)
);
insert into app.users (name, "Odd ""name") values ('ada', 'x'), (E'tab\there', null), ('', 'y '), (null, '\');
insert into app.users (name) select 'user ' || n from generate_series(1, 100) n;
create table app.notes (id int references app.users (id), body jsonb) partition by range (id);
create table app.notes_low partition of app.notes for values from (0) to (10);
insert into app.notes values (1, '{"a": 1}'), (2, null), (2, null);
create table public.unnamed (v double precision);
insert into public.unnamed values ('-0'), ('NaN'), (0.1);
create table public.nothing ();
insert into public.nothing default values;
create index users_name on app.users (lower(name));
create view app.names as select name from app.users;
create materialized view app.counted as select count(*) from app.users;
create function app.touch() returns trigger language plpgsql as 'begin return new; end';
create trigger touch before update on app.users for each row execute function app.touch();
create policy mine on app.users using (name = current_user);
create sequence public.loose increment 5;
"#;

/// Statements, each with an object in which the state is another one afterwards.
pub(crate) const PLANTED: [(&str, &str); 42] = [
    ("update app.users set name = 'eve' where id = 1", "table app.users"),
    ("delete from app.notes where id = 1", "table app.notes_low"),
    ("insert into app.notes values (2, null)", "table app.notes_low"),
    ("update app.users set name = null where name = ''", "table app.users"),
    ("update public.unnamed set v = '0' where v = '-0'", "table public.unnamed"),
    ("insert into public.nothing default values", "table public.nothing"),
    ("select nextval('app.users_id_seq')", "sequence app.users_id_seq"),
    ("select nextval('public.loose')", "sequence public.loose"),
    ("select setval('public.loose', 1, true)", "sequence public.loose"),
    ("alter sequence public.loose increment 6", "sequence public.loose"),
    ("refresh materialized view app.counted with no data", "table app.counted"),
    ("drop index app.users_name", "index app.users.users_name"),
    ("update pg_index set indisvalid = false where indexrelid = 'app.users_name'::regclass", "index app.users."),
    ("alter table app.users alter mood set default 'bad'", "column app.users.mood"),
    ("alter table app.users alter mood drop default", "column app.users.mood"),
    ("alter table public.unnamed alter v set not null", "column public.unnamed.v"),
    ("alter table app.users alter \"Odd \"\"name\" type char(6)", "column app.users.Odd \"name"),
    ("alter table app.users drop constraint users_name_key", "constraint app.users.users_name_key"),
    ("alter table app.users add check (id > 0) not valid", "constraint app.users.users_id_check"),
    ("alter table app.notes drop constraint notes_id_fkey", "constraint app.notes.notes_id_fkey"),
    ("alter domain app.positive drop constraint positive_check", "constraint domain app.positive positive_check"),
    ("alter type app.mood add value 'so so'", "type app.mood"),
    ("drop trigger touch on app.users", "trigger app.users.touch"),
    ("alter table app.users disable trigger touch", "trigger app.users.touch"),
    ("alter table app.users disable trigger all", "trigger app.users.notes_id_fkey (internal"),
    ("create or replace function app.touch() returns trigger language plpgsql as 'begin return old; end'", "function"),
    ("create or replace view app.names as select name || '!' as name from app.users", "relation app.names"),
    ("grant select on app.users to public", "relation app.users"),
    ("grant select (name) on app.users to public", "column app.users.name"),
    ("grant usage on schema app to public", "schema app"),
    ("alter table app.users owner to pg_monitor", "relation app.users"),
    ("alter table app.users set unlogged", "relation app.users"),
    ("alter table app.users set (fillfactor = 50)", "relation app.users"),
    ("alter table app.users enable row level security", "relation app.users"),
    ("drop policy mine on app.users", "policy app.users.mine"),
    ("alter table app.notes detach partition app.notes_low", "inheritance app.notes_low"),
    ("create table public.surplus (x int)", "table public.surplus"),
    ("create schema empty", "schema empty"),
    ("create extension if not exists plpgsql schema pg_catalog; drop extension plpgsql cascade", "extension plpgsql"),
    ("create statistics app.s on id, name from app.users", "statistics app.s"),
    ("alter default privileges in schema app grant select on tables to public", "default privileges"),
    ("create publication everything for table app.users", "publication everything"),
];

#[tokio::test]
async fn every_planted_difference_turns_the_state_different() {
    let server = Server::shared();
    let template = server.create_database().await;
    execute(&mut connected(&template).await, SCHEMA).await;
    let expected = state(&mut connected(&template).await).await;
    let mut unseen = Vec::new();
    for (sql, object) in PLANTED {
        // `set unlogged` is refused for a table that a logged one refers to.
        let before = if sql.contains("unlogged") { "drop table app.notes;" } else { "" };
        let mut connection = connected(&clone_of(&server, &template).await).await;
        execute(&mut connection, before).await;
        execute(&mut connection, &format!("set allow_system_table_mods = on; {sql}")).await;
        let differences = state(&mut connection).await.differences(&expected);
        if !differences.iter().any(|found| found.object.contains(object)) {
            unseen.push(format!("{sql}: {differences:?}"));
        }
    }
    assert_eq!(unseen, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_difference_leaves_the_state_equal() {
    let harmless = [
        "select 1",
        "vacuum full app.users",
        "analyze",
        "reindex table app.users",
        "create table copy as select * from app.notes order by body; truncate app.notes; \
         insert into app.notes select * from copy order by body desc; drop table copy",
        "update app.users set name = name",
        "alter table public.unnamed add w int; alter table public.unnamed drop w",
        "begin; insert into public.unnamed values (7); rollback",
        "select setval('public.loose', 6, false)",
    ];
    let server = Server::shared();
    let template = server.create_database().await;
    execute(&mut connected(&template).await, SCHEMA).await;
    execute(&mut connected(&template).await, "select setval('public.loose', 1)").await;
    let mut connection = connected(&template).await;
    let expected = state(&mut connection).await;
    assert_eq!(expected.tables["app.users"].rows, 104);
    assert_eq!(expected.sequences["public.loose"], "6");
    drop(connection);
    for sql in harmless {
        let mut connection = connected(&clone_of(&server, &template).await).await;
        execute(&mut connection, sql).await;
        assert_eq!(state(&mut connection).await.differences(&expected), [], "{sql}");
    }
}

#[tokio::test]
async fn the_order_of_columns_does_not_count_and_session_settings_neither() {
    let server = Server::shared();
    let mut states = Vec::new();
    for columns in ["b text, a timestamptz, c float8, d bytea", "d bytea, c float8, a timestamptz, b text"] {
        let mut connection = connected(&server.create_database().await).await;
        let sql = format!(
            "create table t ({columns}); insert into t (a, b, c, d) values ('2024-05-06', 'x', 1e-300, '\\x00')"
        );
        execute(&mut connection, &sql).await;
        states.push(state(&mut connection).await);
        execute(&mut connection, "set timezone = 'Asia/Tokyo'; set bytea_output = escape; set extra_float_digits = 0")
            .await;
        states.push(state(&mut connection).await);
    }
    for other in &states[1..] {
        assert_eq!(other.differences(&states[0]), []);
    }
}

#[tokio::test]
async fn volatile_columns_are_left_out_and_no_others() {
    let server = Server::shared();
    let mut connection = connected(&server.create_database().await).await;
    execute(&mut connection, "create table runs (id int, at timestamptz); insert into runs values (1, now())").await;
    let volatile = Volatile::from([("public.runs".to_owned(), BTreeSet::from(["at".to_owned()]))]);
    let before = postgres_state(&mut connection, &volatile).await.unwrap();
    execute(&mut connection, "update runs set at = 'infinity'").await;
    assert_eq!(postgres_state(&mut connection, &volatile).await.unwrap(), before);
    execute(&mut connection, "update runs set id = 2").await;
    assert_ne!(postgres_state(&mut connection, &volatile).await.unwrap(), before);
}

#[tokio::test]
async fn a_table_that_may_not_be_read_in_full_is_an_error_and_never_a_shorter_table() {
    let server = Server::shared();
    let dsn = server.create_database().await;
    let setup = [
        ("create table closed (a int)", "permission denied for table closed"),
        (
            "create table filtered (a int); alter table filtered enable row level security; \
          grant select on filtered to public; drop table closed",
            "row-level security policy for table \"filtered\"",
        ),
    ];
    for (sql, expected) in setup {
        execute(&mut connected(&dsn).await, sql).await;
        let mut connection = connected(&dsn).await;
        execute(&mut connection, "set session authorization pg_read_all_stats").await;
        let error = postgres_state(&mut connection, &Volatile::new()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_declared_map_compares_what_two_queries_return() {
    let server = Server::shared();
    let mut connection = connected(&server.create_database().await).await;
    execute(&mut connection, "create table a (id int, email text); insert into a values (1, 'A@X'), (2, E'b\\t')")
        .await;
    execute(&mut connection, "create table b as select id, lower(email) as email from a order by id desc").await;
    let source = query_digest(&mut connection, "select id, lower(email) from a -- declared;").await.unwrap();
    let target = query_digest(&mut connection, "select id, email from b;").await.unwrap();
    assert_eq!((source, source.rows), (target, 2));
    let error = query_digest(&mut connection, "select nothing from b").await.unwrap_err().to_string();
    assert!(error.contains("column \"nothing\" does not exist (SQLSTATE 42703)"), "{error}");
    assert_eq!(query_digest(&mut connection, "select id, email from b").await.unwrap(), target, "still usable");
}

proptest! {
    #[test]
    fn any_text_survives_the_escaping_of_copy(texts in proptest::collection::vec(proptest::option::of(any::<String>()), 1..6)) {
        let mut line = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            if number > 0 {
                line.push(b'\t');
            }
            copy_text::push_field(&mut line, text.as_deref());
        }
        prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        let line = String::from_utf8(line).unwrap();
        let read: Vec<Option<String>> =
            copy_text::fields(&line).into_iter().map(|field| field.map(|text| text.into_owned())).collect();
        prop_assert_eq!(read, texts);
    }
}

const SQLITE_SCHEMA: &str = r#"
create table users (id integer primary key autoincrement, name, "odd ""name" real, size generated always as (length(name)));
insert into users (name, "odd ""name") values (1, 1), ('1', null), (1.0, -0.0), (x'31', 2), (null, 0.1), ('a' || char(0) || 'b', 3);
create table pairs (a int, b int, primary key (a, b)) without rowid;
insert into pairs values (1, 2), (2, 1);
create table visits (user int references users (id));
insert into visits values (1), (1);
create index visits_user on visits (user);
create view names as select name from users;
create trigger gone after delete on users begin delete from visits where user = old.id; end;
pragma user_version = 3;
"#;

fn sqlite_file(folder: &tempfile::TempDir, name: &str, sql: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(SQLITE_SCHEMA).unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    path
}

fn sqlite_state(path: &std::path::Path) -> DatabaseState {
    sqlite::sqlite_state(path, &Volatile::new()).unwrap()
}

#[rstest]
#[case("update users set name = '1' where id = 1", "table users")]
#[case("update users set name = 1 where id = 3", "table users")]
#[case("update users set name = '1' where id = 4", "table users")]
#[case("update users set \"odd \"\"name\" = null where id = 6", "table users")]
#[case("update pairs set a = 3, b = 0 where a = 1", "table pairs")]
#[case("insert into visits values (1)", "table visits")]
#[case("delete from visits where rowid = 1", "table visits")]
#[case("update sqlite_sequence set seq = 99", "sequence users")]
#[case("drop index visits_user", "index visits.visits_user")]
#[case("drop trigger gone", "trigger users.gone")]
#[case("drop view names", "view names")]
#[case("create table surplus (x)", "table surplus")]
#[case("pragma user_version = 4", "setting user_version")]
#[case("pragma application_id = 4", "setting application_id")]
fn a_difference_planted_in_a_file_is_seen(#[case] sql: &str, #[case] object: &str) {
    let folder = tempfile::tempdir().unwrap();
    let differences =
        sqlite_state(&sqlite_file(&folder, "b", sql)).differences(&sqlite_state(&sqlite_file(&folder, "a", "")));
    assert!(differences.iter().any(|found| found.object == object), "{differences:?}");
}

#[rstest]
#[case("vacuum")]
#[case("pragma journal_mode = wal")]
#[case("reindex; analyze")]
#[case("delete from pairs; insert into pairs values (2, 1), (1, 2)")]
#[case("begin; delete from visits; rollback")]
fn what_is_no_difference_leaves_the_state_of_a_file_equal(#[case] sql: &str) {
    let folder = tempfile::tempdir().unwrap();
    let expected = sqlite_state(&sqlite_file(&folder, "a", ""));
    let found = sqlite_state(&sqlite_file(&folder, "b?#% é", sql));
    let differences: Vec<_> = found.differences(&expected);
    assert!(differences.iter().all(|found| found.object.contains("sqlite_stat")), "{differences:?}");
}

#[test]
fn reading_a_file_with_side_files_sees_them_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = sqlite_file(&folder, "live", "pragma journal_mode = wal");
    let writer = rusqlite::Connection::open(&path).unwrap();
    writer.execute_batch("insert into visits values (1)").unwrap();
    let contents = || -> std::collections::BTreeMap<_, _> {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = contents();
    assert!(before.len() > 1, "there is a -wal");
    assert_eq!(sqlite_state(&path).tables["visits"].rows, 3);
    assert_eq!(sqlite::integrity(&path).unwrap(), Vec::<String>::new());
    assert_eq!(contents(), before);
    let live = sqlite::connection_state(&sqlite::open_read_only(&path).unwrap(), &Volatile::new()).unwrap();
    assert_eq!(live, sqlite_state(&path));
}

#[test]
fn a_half_done_transaction_of_a_dead_writer_is_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = sqlite_file(&folder, "killed", "pragma journal_mode = delete");
    let expected = sqlite_state(&path);
    let writer = rusqlite::Connection::open(&path).unwrap();
    let spill = "pragma cache_size = 1; begin; update users set name = 'x'; create table big (b); \
                 insert into big select randomblob(9000) from pairs, visits, users";
    writer.execute_batch(spill).unwrap();
    let dead = folder.path().join("dead");
    std::fs::copy(&path, &dead).unwrap();
    std::fs::copy(folder.path().join("killed-journal"), folder.path().join("dead-journal")).unwrap();
    assert_eq!(sqlite_state(&dead).differences(&expected), []);
    assert!(folder.path().join("dead-journal").exists(), "the evidence is left as it was");
}

#[test]
fn damage_is_found_and_a_missing_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let orphan = sqlite_file(&folder, "orphan", "pragma foreign_keys = off; insert into visits values (77)");
    assert_eq!(sqlite::integrity(&orphan).unwrap(), ["1 rows of visits refer to missing rows of users"]);
    let text = folder.path().join("text");
    std::fs::write(&text, "this is no database, however long one looks at it").unwrap();
    assert_eq!(sqlite::integrity(&text).unwrap(), ["file is not a database"]);
    let error = sqlite::integrity(&folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("there is no file"), "{error}");
    assert!(!folder.path().join("none").exists());
}

#[test]
fn wherever_a_file_is_cut_off_it_is_whole_or_damaged_and_never_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let whole = sqlite_file(
        &folder,
        "whole",
        "create table t (a); create index i on t (a); insert into t select value || hex(zeroblob(300)) from json_each('[1,2,3,4,5,6,7,8,9]')",
    );
    let (bytes, cut) = (std::fs::read(&whole).unwrap(), folder.path().join("cut"));
    for length in (0..bytes.len()).step_by(512) {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let state = sqlite::found_state(&cut, &Volatile::new()).unwrap();
        assert!(length == 0 || state.catalog.contains_key(DatabaseState::DAMAGE), "{length}: {state:?}");
    }
}

#[test]
fn volatile_columns_of_a_file_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let volatile = Volatile::from([("visits".to_owned(), BTreeSet::from(["user".to_owned()]))]);
    let state = |sql: &str, name: &str| sqlite::sqlite_state(&sqlite_file(&folder, name, sql), &volatile).unwrap();
    assert_eq!(state("update visits set user = 2", "a"), state("", "b"));
    assert_ne!(state("delete from visits", "c"), state("", "d"));
}

async fn connected(dsn: &Dsn) -> PgConnection {
    postgres::connect(&dsn.options()).await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    postgres::execute(connection, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn state(connection: &mut PgConnection) -> DatabaseState {
    postgres_state(connection, &Volatile::new()).await.unwrap()
}

async fn clone_of(server: &Server, template: &Dsn) -> Dsn {
    let clone = server.unused_dsn();
    let mut connection = connected(&server.dsn("postgres")).await;
    let (name, template) = (clone.database(), template.database());
    // The backends of closed connections may live a moment longer.
    let gone = format!(
        "do $$ begin while exists (select from pg_stat_activity where datname = '{template}') loop \
         perform pg_stat_clear_snapshot(); perform pg_sleep(0.001); end loop; end $$"
    );
    execute(&mut connection, &gone).await;
    execute(&mut connection, &format!("create database {name} template {template} strategy file_copy")).await;
    clone
}
