//! Profiles of one's own, with tables that are not plain.

use super::stage::{Seen, Stage};
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

/// Runs the tool by a profile of one's own.
#[track_caller]
pub(super) fn expect_by(stage: &Stage, profile: &str, code: i32, args: &[&str]) -> Seen {
    let path = stage.report_path().with_file_name("profile.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, profile).unwrap();
    stage.expect(code, &[args, &["--profile", path.to_str().unwrap()]].concat())
}

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
    let expect = |code: i32, args: &[&str]| expect_by(&stage, ODD_PROFILE, code, args);

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

pub(super) const ONE_PROFILE: &str = r#"
format = 1
flow = "one-db"
confirm_rollback = "ROLLBACK"
[target]
env = "BUTLERS_DATABASE_URL"
[per_source]
from_schema = "public"
tables = ["one"]
[source.health]
env = "BUTLER_HEALTH_DATABASE_URL"
schema = "odd"
"#;

/// Table `one` on both sides, each made by statements of its own.
pub(super) fn one_table(source: &str, target: &str) -> Stage {
    let stage = Stage::with(&["health"]);
    stage.sql("health", source);
    stage.sql("one", &format!("create schema odd; {target}"));
    stage
}

#[rstest]
#[case::an_object("regclass", "'named'", "named")]
#[case::objects("regclass[]", "'{named,pg_class}'", "{named,pg_class}")]
#[case::a_role("regrole", "'postgres'", "postgres")]
#[case::an_empty_question("tsquery", "''", "")]
#[case::an_empty_vector("oidvector", "''", "")]
#[case::an_amount("money", "12.5", "$12.50")]
fn what_is_an_oid_or_a_setting_goes_by_its_name(#[case] kind: &str, #[case] value: &str, #[case] expected: &str) {
    let named = "create table named ()";
    let stage = one_table(
        &format!("{named}; create table one (id int primary key, v {kind}); insert into one values (1, {value})"),
        &format!("create table odd.one (id int primary key, v {kind}); {named}"),
    );
    expect_by(&stage, ONE_PROFILE, 0, &["run"]);
    assert_eq!(stage.report()["results"][0]["checksum_form"], "text");
    assert_eq!(stage.sql("one", "select v from odd.one"), expected);
    stage.sql("one", "alter table named rename to other");
    let renamed = i32::from(kind.starts_with("regclass"));
    expect_by(&stage, ONE_PROFILE, renamed, &["verify"]);
}

#[test]
fn a_column_that_only_the_target_computes_does_not_fit() {
    let computed = "(id int primary key, v int generated always as (id * 2) stored)";
    let stage = one_table(
        "create table one (id int primary key, v int); insert into one values (1, 7)",
        &format!("create table odd.one {computed}"),
    );
    for action in ["plan", "migrate"] {
        let seen = expect_by(&stage, ONE_PROFILE, 1, &[action]);
        assert!(seen.stderr.contains("column v is stored in the source and computed in the target"), "{seen:#?}");
    }
    assert_eq!(stage.sql("one", "select count(*) from odd.one"), "0");
}

#[test]
fn a_column_that_only_the_source_computes_is_copied() {
    let stage = one_table(
        "create table one (id int primary key, v int generated always as (id * 2) stored); insert into one values (1)",
        "create table odd.one (id int primary key, v int)",
    );
    expect_by(&stage, ONE_PROFILE, 0, &["run"]);
    assert_eq!(stage.sql("one", "select v from odd.one"), "2");
}

/// Two tables that refer to each other, and a third without a key.
const CIRCLE: &str = "
    create table one (id int primary key, other int not null);
    create table two (id int primary key, other int not null references one (id));
    create table bag (v text, w float8);
    alter table one add constraint back foreign key (other) references two (id)";

fn circle(deferrable: &str) -> Stage {
    let schema = format!("{CIRCLE}{deferrable};");
    let rows = "begin; insert into one values (1, 1), (2, 1); insert into two values (1, 2); commit; \
        insert into bag values ('same', '-0'), ('same', '-0'), (null, 'NaN')";
    let rows = if deferrable.is_empty() {
        "alter table one drop constraint back; insert into one values (1, 1); insert into two values (1, 1); \
         alter table one add constraint back foreign key (other) references two (id)"
    } else {
        rows
    };
    let stage = Stage::with(&["health"]);
    stage.sql("health", &schema);
    stage.sql("health", rows);
    stage.sql("one", &format!("create schema odd; set search_path = odd; {schema}"));
    stage
}

fn circle_profile() -> String {
    ONE_PROFILE.replace(r#"["one"]"#, r#"["one", "two", "bag"]"#)
}

#[test]
fn tables_that_refer_to_each_other_are_copied_together_and_a_bag_of_rows_is_compared_row_by_row() {
    let stage = circle(" deferrable initially deferred");
    let before = stage.dump("one");
    let expect = |code: i32, args: &[&str]| expect_by(&stage, &circle_profile(), code, args);
    for run in [&["run"][..], &["run"], &["run", "--replace-target"], &["migrate"]] {
        expect(0, run);
    }
    let done = stage.dump("one");
    stage.sql(
        "one",
        "delete from odd.bag where ctid = (select min(ctid) from odd.bag where v = 'same'); \
        insert into odd.bag values (null, 'NaN'), ('same', 0)",
    );
    expect(1, &["verify"]);
    let differences = &stage.report()["results"][2]["differences"];
    assert_eq!(differences["missing_keys"], serde_json::json!(["v=same,w=-0"]));
    assert_eq!(differences["extra_keys"], serde_json::json!(["v=\\N,w=NaN", "v=same,w=0"]));
    assert_eq!(
        (&differences["missing"], &differences["extra"], &differences["changed"]),
        (&1.into(), &2.into(), &0.into())
    );
    expect(0, &["run", "--replace-target"]);
    assert_eq!(stage.dump("one"), done);
    let seen = expect(1, &["plan", "--upsert"]);
    assert!(seen.stderr.contains("odd.bag: no primary key, and --upsert needs one"), "{seen:#?}");
    let profile = circle_profile().replace(", \"bag\"", "");
    expect_by(&stage, &profile, 0, &["run", "--upsert"]);
    expect(0, &["rollback", "--confirm-rollback", "ROLLBACK"]);
    assert_eq!(stage.dump("one"), before);
}

#[test]
fn a_circle_in_which_no_foreign_key_can_wait_is_refused_before_anything_is_written() {
    let stage = circle("");
    let before = stage.dump("one");
    for action in ["plan", "run"] {
        let seen = expect_by(&stage, &circle_profile(), 1, &[action]);
        assert!(
            seen.stderr.contains("odd.one: foreign keys form a circle, and not one of them is DEFERRABLE"),
            "{seen:#?}"
        );
    }
    assert_eq!(stage.dump("one"), before);
}

#[test]
fn heirs_keep_their_rows_and_one_that_is_not_named_is_missed() {
    let schema =
        "create table one (id int primary key); create table heir (more text, primary key (id)) inherits (one);";
    let stage = Stage::with(&["health"]);
    stage.sql("health", &format!("{schema} insert into one values (1); insert into heir values (1, 'x'), (2, 'y')"));
    stage.sql(
        "one",
        &format!("create schema odd; set search_path = odd; {schema} insert into heir values (9, 'stays')"),
    );
    let seen = expect_by(&stage, ONE_PROFILE, 1, &["plan"]);
    assert!(
        seen.stderr.contains("\"public\".\"heir\" inherits from it in the source, and is not migrated"),
        "{seen:#?}"
    );
    let both = ONE_PROFILE.replace(r#"["one"]"#, r#"["one", "heir"]"#);
    expect_by(&stage, &both, 0, &["run", "--replace-target"]);
    assert_eq!(
        stage.sql("one", "select tableoid::regclass, id from odd.one order by 1, 2"),
        "odd.one|1\nodd.heir|1\nodd.heir|2"
    );
    stage.sql("health", "drop table heir");
    expect_by(&stage, ONE_PROFILE, 0, &["run", "--replace-target"]);
    assert_eq!(stage.sql("one", "select count(*) from odd.heir"), "2", "only the rows of its own are replaced");
}

#[test]
fn a_sequence_of_two_tables_ends_past_both() {
    let schema = "create sequence both_use; \
        create table one (id bigint primary key default nextval('both_use'), v text); \
        create table two (id bigint primary key default nextval('both_use'), v text);";
    let stage = Stage::with(&["health"]);
    stage.sql(
        "health",
        &format!(
            "{schema} insert into one (v) values ('a'); insert into two (v) select n from generate_series(1, 40) n"
        ),
    );
    stage.sql("one", &format!("create schema odd; set search_path = odd; {schema}"));
    let both = ONE_PROFILE.replace(r#"["one"]"#, r#"["one", "two"]"#);
    for run in [&["run"][..], &["run", "--replace-target"]] {
        expect_by(&stage, &both, 0, run);
        assert_eq!(stage.sql("one", "select last_value, is_called from odd.both_use"), "41|t");
    }
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
