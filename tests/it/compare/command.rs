//! `rehearse compare` as its users meet it: exit codes, and what it refuses to call equal.

use super::{execute, twins};
use crate::postgres_server::Server;
use rehearsal::compare::{Answer, Options, Place, compare};
use rehearsal::db::{Dsn, postgres};
use rehearsal::process::{self, Signal, Spawn};
use rstest::rstest;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

struct Said {
    code: Option<i32>,
    text: String,
}

fn rehearse(args: &[&str], env: &[(&str, &str)]) -> Said {
    let argv: Vec<OsString> =
        [env!("CARGO_BIN_EXE_rehearse"), "compare"].iter().chain(args).map(OsString::from).collect();
    let env: BTreeMap<OsString, OsString> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let output = process::run(&argv, Path::new("/"), &env, None, "").unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Said { code: output.exit.code, text }
}

/// The spelling of an address; what is printed of it holds no password.
fn url(dsn: &Dsn) -> String {
    format!("postgres://postgres:hunter2@/{}?host={}", dsn.database(), dsn.host())
}

#[rstest]
#[case::no_arguments(&[], 64, "Usage")]
#[case::unknown_scheme(&["mysql://u:hunter2@h/d", "sqlite:x"], 2, "a database is written postgres://..., sqlite:PATH or env:NAME")]
#[case::bad_address(&["postgres://u:hunter2@h:port/d", "sqlite:x"], 2, "the port of a database URL is not a number")]
#[case::nobody_there(&["postgres://u:hunter2@127.0.0.1:1/d", "postgres://u:hunter2@127.0.0.1:1/e"], 2, "nobody listens there")]
#[case::no_file(&["sqlite:/nonexistent/a.db", "sqlite:/nonexistent/b.db"], 2, "there is no file /nonexistent/a.db")]
#[case::no_path(&["sqlite:", "sqlite:x"], 2, "wants the path of a file")]
#[case::no_database(&["sqlite:/etc/passwd", "sqlite:/etc/passwd"], 2, "not a database")]
#[case::variable_that_is_not_set(&["env:NO_SUCH_URL", "sqlite:x"], 2, "variable NO_SUCH_URL is not set")]
#[case::bad_variable(&["env:BAD_URL", "sqlite:x"], 2, "variable BAD_URL: a database is written")]
#[case::half_a_map(&["sqlite:a", "sqlite:b", "--map", "app.users"], 64, "expected NAME=NAME")]
#[case::column_without_a_table(&["sqlite:a", "sqlite:b", "--ignore", "seen"], 64, "expected TABLE.COLUMN")]
fn a_bad_command_line_has_its_exit_code_and_keeps_the_password(
    #[case] args: &[&str],
    #[case] code: i32,
    #[case] part: &str,
) {
    let said = rehearse(args, &[("BAD_URL", "hunter2")]);
    assert_eq!(said.code, Some(code), "{}", said.text);
    let joined = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains(part), "{joined}");
    assert!(!joined.contains("hunter2"), "{joined}");
}

#[tokio::test]
async fn equal_is_0_different_is_1_and_nothing_to_compare_is_2() {
    let (_server, source, target) =
        twins("create table t (id int primary key, v text); insert into t values (1, 'a')").await;
    let (one, other) = (url(&source), url(&target));
    let (env, variable) = ([("TARGET_URL", other.as_str())], "env:TARGET_URL");
    let said = rehearse(&[&one, variable, "--catalog"], &env);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("EQUAL: 1 tables equal"), "{}", said.text);
    execute(&target, "update t set v = 'b'").await;
    let said = rehearse(&[&one, variable, "--format", "json"], &env);
    assert_eq!(said.code, Some(1), "{}", said.text);
    let json = said.text.rsplit_once('}').unwrap().0.to_owned() + "}";
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.pointer("/tables/0/rows/changed_keys/0/key").unwrap(), "id=1");
    assert_eq!(json.pointer("/tables/0/rows/changed_keys/0/columns/0").unwrap(), "v");
    assert_eq!(json.pointer("/answer").unwrap(), "different");
    assert!(!said.text.contains("hunter2"));
    for (args, part) in [
        (["--table", "public.none"], "no side has a table public.none"),
        (["--schema", "none"], "no side has a table in schema none"),
        (["--map", "public.none=public.t"], "the table is only in the target"),
    ] {
        let said = rehearse(&[&[one.as_str(), variable], &args[..]].concat(), &env);
        assert!(said.code != Some(0) && said.text.contains(part), "{}", said.text);
    }
    execute(&source, "drop table t").await;
    execute(&target, "drop table t").await;
    let said = rehearse(&[&one, variable], &env);
    assert_eq!(said.code, Some(2), "{}", said.text);
    assert!(said.text.contains("there is no table to compare"), "{}", said.text);
}

#[tokio::test]
async fn definitions_of_two_engines_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    rusqlite::Connection::open(&path).unwrap().execute_batch("create table t (id int)").unwrap();
    let server = Server::shared();
    let dsn = server.create_database().await;
    let said = rehearse(&[&format!("sqlite:{}", path.display()), &url(&dsn), "--catalog"], &[]);
    assert_eq!(said.code, Some(64), "{}", said.text);
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_not_told_and_the_others_are() {
    let (_server, source, target) = twins("create table closed (a int); create table open (a int)").await;
    let name = format!("reader_{}", target.database());
    let sql = format!("create role {name} login; grant select on open to {name}");
    execute(&target, &sql).await;
    let reader = Dsn::parse(&format!("postgres://{name}@/{}?host={}", target.database(), target.host())).unwrap();
    let compared = compare(&Place::Postgres(source), &Place::Postgres(reader), &Options::default()).await.unwrap();
    assert_eq!((compared.count(Answer::Equal), compared.count(Answer::Unknown)), (1, 1), "{compared}");
    assert_eq!(compared.answer.exit_code(), 2);
    assert!(compared.to_string().contains("permission denied for table closed"), "{compared}");
}

/// A session that has dropped the table and not committed yet: whoever reads it waits.
async fn dropping(target: &Dsn) -> sqlx::PgConnection {
    let mut connection = postgres::connect(&target.options()).await.unwrap();
    postgres::execute(&mut connection, "begin; drop table public.going").await.unwrap();
    connection
}

/// Waits until somebody waits for a lock.
async fn until_blocked(dsn: &Dsn) {
    let sql = "do $$ begin while not exists (select from pg_locks l join pg_stat_activity a using (pid) where not granted \
        and a.datname = current_database()) loop perform pg_stat_clear_snapshot(); perform pg_sleep(0.002); end loop; end $$";
    execute(dsn, sql).await;
}

#[tokio::test]
async fn a_table_that_vanishes_in_the_middle_is_not_told() {
    let (_server, source, target) = twins("create table going (a int); create table staying (a int)").await;
    let mut holder = dropping(&target).await;
    let (one, other) = (Place::Postgres(source), Place::Postgres(target.clone()));
    let comparing = tokio::spawn(async move { compare(&one, &other, &Options::default()).await.unwrap() });
    until_blocked(&target).await;
    postgres::execute(&mut holder, "commit").await.unwrap();
    let compared = comparing.await.unwrap();
    assert_eq!((compared.count(Answer::Equal), compared.count(Answer::Unknown)), (1, 1), "{compared}");
    assert!(compared.to_string().contains("relation"), "{compared}");
}

#[tokio::test]
async fn an_interrupted_comparison_has_told_nothing() {
    let (_server, source, target) = twins("create table going (a int)").await;
    let _holder = dropping(&target).await;
    let argv = [env!("CARGO_BIN_EXE_rehearse"), "compare", &url(&source), &url(&target)].map(OsString::from);
    let mut child = Spawn::new(argv, "/").start().unwrap();
    until_blocked(&target).await;
    process::kill(child.pid(), Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code, Some(2));
}
