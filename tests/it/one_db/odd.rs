//! Profiles of one's own, with tables that are not plain.

use super::stage::Stage;
use rstest::rstest;
use serde_json::Value;
use std::fs;

const ODD_PROFILE: &str = r#"
format = 1
flow = "one-db"
confirm_rollback = "YES, ALL OF IT"
[target]
env = "BUTLERS_DATABASE_URL"
[per_source]
from_schema = "public"
tables = ["odd \"table", "parted", "counted"]
[source.health]
env = "BUTLER_HEALTH_DATABASE_URL"
schema = "odd"
"#;

/// A user's type, a composite key with tabs in it, partitions, a computed column on one side, a falling sequence.
const ODD_SOURCE: &str = r#"
    create type mood as enum ('fine', 'so-so');
    create table "odd ""table" (b text, "A" text, moods mood[], plain int default 3, primary key ("A", b));
    insert into "odd ""table" values (E'1\t2', 'x', '{fine,so-so}'), (E'2', E'x\t1', null), ('\N', '', '{}');
    create table parted (id int primary key, v text) partition by range (id);
    create table parted_1 partition of parted for values from (0) to (10);
    create table parted_2 partition of parted for values from (10) to (20);
    insert into parted select n, 'v' || n from generate_series(1, 15) n;
    create sequence down increment -2 minvalue -100 start -1;
    create table counted (id int primary key default nextval('down'), twice int generated always as (id * 2) stored);
    insert into counted values (default), (default), (default);
"#;

#[test]
fn a_profile_of_ones_own_with_odd_tables() {
    let stage = Stage::with(&["health"]);
    stage.sql("health", ODD_SOURCE);
    let schema = ODD_SOURCE.lines().filter(|line| !line.contains("insert into")).collect::<Vec<_>>().join("\n");
    let partitions = ["create table parted_1", "create table parted_2", " partition by range (id)"];
    let mut target = format!("create schema odd; set search_path = odd; {schema}");
    for line in schema.lines().filter(|line| line.contains(partitions[0]) || line.contains(partitions[1])) {
        target = target.replace(line, "");
    }
    stage.sql("one", &target.replace(partitions[2], ""));
    let before = stage.dump("one");
    let profile = stage.report_path().with_file_name("profile.toml");
    fs::create_dir_all(profile.parent().unwrap()).unwrap();
    fs::write(&profile, ODD_PROFILE).unwrap();
    let with = |args: &[&'static str]| -> Vec<String> {
        args.iter()
            .map(|arg| (*arg).to_owned())
            .chain(["--profile".to_owned(), profile.display().to_string()])
            .collect()
    };
    let expect = |code: i32, args: &[&'static str]| {
        let args = with(args);
        stage.expect(code, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };

    expect(0, &["run"]);
    let report = stage.report();
    let forms: Vec<&Value> = report["results"].as_array().unwrap().iter().map(|row| &row["checksum_form"]).collect();
    assert_eq!(forms, ["text", "binary", "binary"]);
    assert_eq!((&report["job_count"], &report["summary"]["rows"]), (&3.into(), &21.into()));
    assert_eq!(stage.sql("one", "select nextval('odd.down')"), stage.sql("health", "select nextval('down')"));
    stage.sql("one", r#"update odd."odd ""table" set plain = 4 where b = E'1\t2'"#);
    expect(1, &["verify"]);
    let changed = &stage.report()["results"][0]["differences"]["changed_keys"];
    assert_eq!(*changed, serde_json::json!(["A=x,b=1\\t2"]));
    expect(0, &["run", "--upsert"]);
    expect(0, &["run", "--replace-target"]);
    expect(1, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    expect(0, &["rollback", "--confirm-rollback", "YES, ALL OF IT"]);
    assert_eq!(stage.dump("one"), before);
}

#[rstest]
#[case::typo("format = 1\nflow = \"one-db\"\nconfrim_rollback = \"X\"\n", "unknown field `confrim_rollback`")]
#[case::another_flow(&ODD_PROFILE.replace("one-db", "reset"), "expected format = 1 and flow = \"one-db\"")]
fn a_bad_profile_is_named_with_its_place(#[case] text: &str, #[case] says: &str) {
    let stage = Stage::new();
    let profile = tempfile::NamedTempFile::new().unwrap();
    fs::write(profile.path(), text).unwrap();
    let path = profile.path().display().to_string();
    let seen = stage.expect(2, &["plan", "--profile", &path]);
    assert!(seen.stderr.contains(says) && seen.stderr.contains(&path), "{seen:#?}");
}
