//! `rehearse tool one-db` as an operator runs it, against a server of our own.
// Starts the tool and a server by itself: the library's own providers are not its judge.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod cutter;
mod keys;
mod odd;
mod stage;
mod survival;

use rstest::rstest;
use serde_json::Value;
use stage::{Holder, PASSWORD, Seen, Stage, until};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn the_runbook_from_plan_to_rollback_and_again() {
    let stage = Stage::new();
    let untouched = stage.dumps();

    stage.expect(0, &["plan"]);
    assert_eq!(stage.report()["results"][0]["status"], "planned");
    assert_eq!(stage.report()["results"][0]["source_count"], 40);
    stage.expect(0, &["migrate", "--dry-run"]);
    assert_eq!(stage.report()["dry_run"], true);
    assert_eq!(stage.dumps(), untouched, "plan and dry run write nothing");

    stage.expect(0, &["run", "--replace-target"]);
    let report = stage.report();
    assert_eq!((&report["action"], &report["job_count"]), (&Value::from("run"), &Value::from(21)));
    assert_eq!(report["summary"]["rows"], 5 * (40 + 20 + 300 + 500) + 7);
    for row in report["results"].as_array().unwrap() {
        assert_eq!(row["status"], "ok");
        assert_eq!(row["source_checksum"], row["target_checksum"]);
        assert_eq!(row["target_count_after"], row["source_count"]);
    }
    let done = stage.dump("one");
    let sequences = "select nextval('general.sessions_id_seq'), nextval('general.route_inbox_arrival_seq')";
    assert_eq!(stage.sql("one", sequences), "1001|502", "as the source would go on");

    stage.expect(0, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    assert!(stage.report()["results"].as_array().unwrap().iter().all(|row| row["target_count_after"] == 0));
    assert_eq!(stage.dumps(), untouched, "a rollback leaves what was before, and the sources");
    stage.expect(0, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    assert_eq!(stage.dumps(), untouched, "twice is as once");

    stage.expect(0, &["run"]);
    assert_eq!(stage.dump("one"), done);
    for again in [&["run"][..], &["run", "--replace-target"], &["migrate", "--upsert"], &["verify"]] {
        stage.expect(0, again);
        assert_eq!(stage.dump("one"), done, "{again:?} changes nothing");
    }
}

#[rstest]
#[case::no_table_in_the_source("general", "drop table state", &["plan"], "general.state: table \"public\".\"state\" is missing")]
#[case::no_table_in_the_target("one", "drop table general.state", &["plan"], "general.state: the table is missing")]
#[case::no_column("one", "alter table health.state drop column version", &["plan"], "column version is missing in the target")]
#[case::one_more_column("one", "alter table health.state add column more int", &["plan"], "column more is missing in the source")]
#[case::other_type("one", "alter table health.state alter version type bigint", &["plan"], "column version is integer in the source and bigint")]
#[case::no_key("one", "alter table health.state drop constraint state_pkey", &["plan"], "no primary key in the target")]
#[case::nulls_that_do_not_fit("one", "alter table health.scheduled_tasks alter grace set not null", &["plan"], "column grace is null in 6 rows")]
#[case::rows_in_the_way("one", "insert into health.state (key) values ('x')", &["plan"], "1 rows are in the target already and the source has 40")]
#[case::rows_in_the_way_of_a_run("one", "insert into health.state (key) values ('x')", &["run"], "use --replace-target, --upsert or rollback")]
#[case::rows_in_the_way_of_a_dry_run("one", "insert into health.state (key) values ('x')", &["migrate", "--dry-run"], "1 rows")]
#[case::a_cascade_that_reaches_further(
    "one",
    "insert into general.sessions (token, model, prompt, cost, input_tokens, output_tokens, started_at) values (gen_random_uuid(), '', '', 1, 1, 1, now()); \
     create table public.note (session_id bigint references general.sessions on delete cascade); insert into public.note values (1)",
    &["run", "--replace-target"],
    "a cascade would reach 1 rows of \"public\".\"note\""
)]
#[case::a_rollback_that_reaches_further(
    "one",
    "insert into general.sessions (token, model, prompt, cost, input_tokens, output_tokens, started_at) values (gen_random_uuid(), '', '', 1, 1, 1, now()); \
     create table public.note (session_id bigint references general.sessions); insert into public.note values (1)",
    &["rollback", "--confirm-rollback", "ROLLBACK"],
    "this would orphan 1 rows of \"public\".\"note\""
)]
#[case::no_word("one", "", &["rollback"], "confirm it with --confirm-rollback ROLLBACK")]
#[case::another_word("one", "", &["rollback", "--confirm-rollback", "rollback"], "confirm it with --confirm-rollback ROLLBACK")]
#[case::a_source_twice("one", "", &["plan", "--source-env", "a=BUTLER_HEALTH_DATABASE_URL", "--source-env", "b=BUTLER_HEALTH_DATABASE_URL"], "are the same database")]
#[case::a_name_twice("one", "", &["plan", "--source-env", "a=BUTLER_HEALTH_DATABASE_URL", "--source-env", "a=BUTLER_GENERAL_DATABASE_URL"], "source `a` is given twice")]
#[case::exchanged("one", "", &["plan", "--source-env", "general=BUTLER_HEALTH_DATABASE_URL", "--source-env", "health=BUTLER_GENERAL_DATABASE_URL"], "are exchanged")]
#[case::a_schema_twice("one", "", &["plan", "--source-env", "shared=BUTLER_HEALTH_DATABASE_URL"], "source `shared` is given twice")]
#[case::a_constraint_of_the_target("one", "alter table health.state add check (key <> 'key 7')", &["run"], "23514")]
fn the_migration_says_no(#[case] database: &str, #[case] trap: &str, #[case] args: &[&str], #[case] says: &str) {
    let stage = Stage::with(if database == "general" { &["general"] } else { &[] });
    stage.sql(database, trap);
    let before = stage.dump("one");
    let seen = stage.expect(1, args);
    let says_so = seen.stderr.contains(says) || (says == "23514" && seen.stderr.contains("violates check constraint"));
    assert!(says_so, "{seen:#?}");
    if says != "23514" {
        assert_eq!(stage.dump("one"), before, "nothing is changed");
    }
}

#[rstest]
#[case::unset("BUTLER_HEALTH_DATABASE_URL", None, "variable BUTLER_HEALTH_DATABASE_URL is not set")]
#[case::empty("BUTLERS_DATABASE_URL", Some(" "), "variable BUTLERS_DATABASE_URL is not set")]
#[case::not_a_dsn(
    "BUTLER_HEALTH_DATABASE_URL",
    Some("mysql://u:correct-horse-battery@h/d"),
    "variable BUTLER_HEALTH_DATABASE_URL (health): a database URL begins with"
)]
#[case::bad_port(
    "BUTLER_HEALTH_DATABASE_URL",
    Some("postgres://u:correct-horse-battery@h:99999/d"),
    "the port of a database URL is not a number"
)]
#[case::refused(
    "BUTLER_HEALTH_DATABASE_URL",
    Some("postgres://u:correct-horse-battery@127.0.0.1:1/d"),
    "variable BUTLER_HEALTH_DATABASE_URL): nobody listens there"
)]
#[case::wrong_password(
    "BUTLER_HEALTH_DATABASE_URL",
    Some("postgres://guarded:no-correct-horse-battery@127.0.0.1:{port}/postgres"),
    "the password of user guarded is wrong"
)]
#[case::no_database(
    "BUTLERS_DATABASE_URL",
    Some("postgres://guarded:correct-horse-battery@127.0.0.1:{port}/nowhere"),
    "variable BUTLERS_DATABASE_URL): there is no such database"
)]
fn a_bad_variable_is_named_and_its_password_is_not(
    #[case] variable: &str,
    #[case] value: Option<&str>,
    #[case] says: &str,
) {
    let stage = Stage::new();
    let before = stage.dump("one");
    let mut tool = stage.tool(&["run"]);
    match value {
        None => tool.env_remove(variable),
        Some(value) => tool.env(variable, value.replace("{port}", &stage.server.port.to_string())),
    };
    let seen = Seen::new(tool.output().unwrap()).expect(2, &stage.report());
    assert!(seen.stderr.contains(says), "{seen:#?}");
    assert_eq!(stage.dump("one"), before);
}

#[test]
fn the_target_is_no_source_however_it_is_spelled() {
    let stage = Stage::new();
    let before = stage.dump("one");
    let other = format!(
        "postgresql://guarded:{PASSWORD}@127.0.0.1:{}/{}?application_name=x",
        stage.server.port,
        stage.database("one")
    );
    let mut tool = stage.tool(&["run", "--replace-target"]);
    let seen = Seen::new(tool.env("BUTLER_HEALTH_DATABASE_URL", other).output().unwrap()).expect(1, &stage.report());
    assert!(seen.stderr.contains("are the same database"), "{seen:#?}");
    assert_eq!(stage.dump("one"), before);
}

#[test]
fn a_role_that_may_not_see_the_cluster_migrates_all_the_same() {
    let stage = Stage::with(&["health"]);
    stage.sql("health", "create role plain login; grant pg_read_all_data to plain");
    stage.sql("health", "revoke execute on function pg_control_system from public");
    let plain = stage.dsn("health").replace("postgres@", "plain@");
    let args = &["run", "--source-env", "health=BUTLER_HEALTH_DATABASE_URL"];
    Seen::new(stage.tool(args).env("BUTLER_HEALTH_DATABASE_URL", plain).output().unwrap()).expect(0, &stage.report());
    let identity = stage.report()["databases"][0]["identity"].as_str().unwrap().to_owned();
    assert!(identity.starts_with("unknown/"), "{identity}");
}

#[rstest]
#[case(&["run", "--no-such-flag"])]
#[case(&["run", "--source-env", "general"])]
#[case(&["run", "--replace-target", "--upsert"])]
#[case(&["leap"])]
#[case(&["run", "--jobs", "0"])]
fn a_wrong_command_line_is_usage(#[case] args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearse")).args(["tool", "one-db"]).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}

#[test]
fn an_unwritable_report_stops_before_any_data_moves() {
    let stage = Stage::new();
    let before = stage.dump("one");
    fs::write(stage.report_path().parent().unwrap(), "a file in the way").unwrap();
    let seen = Seen::new(stage.tool(&["run"]).output().unwrap());
    assert_eq!(seen.code, Some(2), "{seen:#?}");
    assert!(seen.stderr.contains("cannot write"), "{seen:#?}");
    assert_eq!(stage.dump("one"), before);
}

#[test]
fn verify_names_the_rows_that_differ() {
    let stage = Stage::new();
    stage.expect(0, &["run"]);
    stage.sql(
        "one",
        "delete from health.state where key = 'key 3'; insert into health.state (key) values ('mine'); \
         update health.state set version = 99 where key in ('key 5', 'key 6'); \
         update general.sessions set temperature = '0' where id = 2",
    );
    let seen = stage.expect(1, &["verify"]);
    assert!(seen.stderr.contains("PARITY CHECK FAILED: 2 of 21 tables differ"), "{seen:#?}");
    let report = stage.report();
    let row = |name: &str| {
        let rows = report["results"].as_array().unwrap();
        rows.iter().find(|row| format!("{}.{}", row["schema"], row["table"]).replace('"', "") == name).unwrap().clone()
    };
    let state = row("health.state");
    assert_eq!(
        (&state["status"], &state["source_count"], &state["target_count"]),
        (&"mismatch".into(), &40.into(), &40.into())
    );
    assert_eq!(state["differences"]["missing_keys"], serde_json::json!(["key=key 3"]));
    assert_eq!(state["differences"]["extra_keys"], serde_json::json!(["key=mine"]));
    assert_eq!(state["differences"]["changed_keys"], serde_json::json!(["key=key 5", "key=key 6"]));
    assert_eq!(row("general.sessions")["differences"]["changed_keys"], serde_json::json!(["id=2"]), "-0 is not 0");
    stage.expect(0, &["run", "--replace-target"]);
}

#[test]
fn rows_from_elsewhere_that_refer_to_nothing_stay_as_they_are() {
    let stage = Stage::new();
    stage.sql("one", &fs::read_to_string("fixtures/butlers/referenced.sql").unwrap());
    stage.expect(0, &["run"]);
    let done = stage.dump("one");
    stage.expect(0, &["run", "--replace-target"]);
    assert_eq!(stage.dump("one"), done);
    stage.expect(0, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    assert_eq!(stage.sql("one", "select count(*) from public.session_annotations"), "2");
}

#[test]
fn upsert_keeps_rows_of_others_and_overwrites_its_own() {
    let stage = Stage::new();
    stage.sql("one", "insert into health.state (key, version) values ('mine', 7), ('key 1', 77)");
    stage.expect(0, &["run", "--upsert"]);
    let found = stage.sql("one", "select key, version from health.state where key in ('mine', 'key 1') order by 1");
    assert_eq!(found, "key 1|2\nmine|7");
}

#[test]
fn rows_that_came_another_way_get_their_sequences_too() {
    let stage = Stage::new();
    stage.expect(0, &["run"]);
    let sequences = ["general.sessions_id_seq", "general.route_inbox_arrival_seq"];
    let next = || sequences.map(|name| stage.sql("one", &format!("select nextval('{name}')")));
    sequences.iter().for_each(|name| drop(stage.sql("one", &format!("select setval('{name}', 1, false)"))));
    let seen = stage.expect(0, &["migrate"]);
    assert!(seen.stderr.contains("was there already general.sessions: 300 rows"), "{seen:#?}");
    assert_eq!(next(), ["1001", "502"], "as the source would go on");
    stage.sql("one", "select setval('general.sessions_id_seq', 5000)");
    stage.expect(0, &["migrate"]);
    assert_eq!(next(), ["5001", "503"], "never back");
}

#[test]
fn a_rollback_says_what_was_written_since() {
    let stage = Stage::new();
    stage.expect(0, &["run"]);
    stage.sql("one", "insert into health.state (key) values ('since')");
    let seen = stage.expect(0, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    assert!(seen.stderr.contains("1 extra (key=since)"), "{seen:#?}");
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let stage = Stage::with(&["general"]);
    let peak_kb = |rows: u32| {
        stage.sql("general", "truncate state");
        stage.sql("general", &format!("insert into state select n::text, '{{}}' from generate_series(1, {rows}) n"));
        let holder = Holder::lock(&stage, "shared.butler_secrets");
        let child = stage.spawn(&["migrate", "--replace-target", "--lock-timeout", "60000"]);
        let copied = format!("select count(*) = {rows} from general.state");
        until("the copy and the wait", || stage.waits_for_lock() && stage.sql("one", &copied) == "t");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        holder.release();
        Seen::new(child.wait_with_output().unwrap()).expect(0, &stage.report());
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let (small, large) = (peak_kb(10_000), peak_kb(200_000));
    assert!(large < small + 8 * 1024, "{small} kB, then {large} kB");
}

#[test]
fn json_on_stdout_is_the_report() {
    let stage = Stage::new();
    let output = stage.tool(&["plan", "--format", "json"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), stage.report());
}
