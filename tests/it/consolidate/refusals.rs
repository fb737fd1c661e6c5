//! Bad input: each is an error with file and table, and nothing is changed.

use super::*;
use rstest::rstest;

/// Every command that reads the sources says no, for the same reason, and the folder stays as it was.
fn refuses(stage: &Stage, code: i32, says: &[&str]) {
    for command in ["dry-run", "migrate"] {
        let before = stage.everything();
        let said = stage.refused(&[command, "--busy-timeout", "50"], code);
        for text in says {
            assert!(said.contains(text), "{command}: {text} in\n{said}");
        }
        assert!(stage.everything() == before, "{command} changed something");
        assert!(!stage.path(".consolidating").exists());
    }
}

#[rstest]
#[case::unmapped_table("elo.db", "create table seasons (id integer)", 1, &["elo.db: table seasons is not in the profile"])]
#[case::newer_schema("elo.db", "alter table matches add column season integer", 1, &["elo.db: table matches: column season would be lost"])]
#[case::missing_table("moments.db", "drop table moment_tags", 1, &["moments.db: table moment_tags is missing"])]
#[case::missing_column("moments.db", "alter table moments drop column significance", 1, &[])]
#[case::other_type(
    "skills.db",
    "drop table expertise; create table expertise (agent text primary key, topic integer)",
    1,
    &["skills.db: table expertise: column topic is `INTEGER` and would become `TEXT`"]
)]
#[case::null_where_none_may_be(
    "elo.db",
    "drop table ratings; create table ratings (agent text primary key, elo real, games integer, wins integer); \
     insert into ratings values ('a', null, 1, 1)",
    1,
    &["elo: table ratings", "NOT NULL"]
)]
#[case::orphan(
    "experiments.db",
    "insert into variants values (-1, 'nobody', 'x')",
    1,
    &["experiments: table variants: 1 rows of variants refer to rows of experiments that are not there"]
)]
fn what_does_not_fit_is_named(#[case] file: &str, #[case] change: &str, #[case] code: i32, #[case] says: &[&str]) {
    let stage = Stage::new();
    stage.sql(file, change);
    if file == "moments.db" && says.is_empty() {
        // A column that may be empty in the target gets its default, which is told.
        let said = stage.ok(&["dry-run"]);
        assert!(
            said.contains("moments.db: table moments: column significance of the target gets its default"),
            "{said}"
        );
        return;
    }
    refuses(&stage, code, says);
}

#[test]
fn a_required_column_without_a_source_is_named() {
    let stage = Stage::new();
    stage.sql("tournaments.db", "alter table tournaments drop column name");
    refuses(&stage, 1, &["tournaments.db: table tournaments: column name of the target must hold something"]);
}

#[rstest]
#[case::missing("it is missing")]
#[case::empty("it is empty")]
#[case::not_a_database("it is not a SQLite database")]
#[case::a_folder("it is no regular file")]
#[case::damaged("it is damaged")]
fn a_file_that_cannot_be_used_is_named(#[case] what: &str) {
    let stage = Stage::new();
    let path = stage.path("patterns.db");
    let mut bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    match what {
        "it is missing" => {}
        "it is empty" => fs::write(&path, b"").unwrap(),
        "it is not a SQLite database" => fs::write(&path, vec![b'x'; 8192]).unwrap(),
        "it is no regular file" => fs::create_dir(&path).unwrap(),
        _ => {
            bytes[4096..].fill(0xa5); // every page but the schema's
            fs::write(&path, bytes).unwrap();
        }
    }
    refuses(&stage, 2, &["patterns.db", what]);
    let said = stage.refused(&["backup"], 2);
    assert!(said.contains("patterns.db"), "{said}");
    assert!(!stage.path("backup").exists());
}

#[test]
fn a_source_in_the_middle_of_a_transaction_is_named_and_is_fine_once_that_is_over() {
    for file in ["debates.db", "personas.db"] {
        let stage = Stage::new();
        let writer = rusqlite::Connection::open(stage.path(file)).unwrap();
        writer.execute_batch("begin immediate").unwrap();
        let said = stage.refused(&["migrate", "--busy-timeout", "50"], 2);
        assert!(said.contains(file) && said.contains("it is locked by process"), "{said}");
        writer.execute_batch("rollback").unwrap();
        stage.ok(&["migrate"]);
    }
}

#[test]
fn what_a_dead_writer_left_half_way_is_rolled_back_in_a_copy_alone() {
    let stage = Stage::new();
    let connection = rusqlite::Connection::open(stage.path("elo.db")).unwrap();
    connection.execute_batch("pragma journal_mode = delete").unwrap();
    connection.close().unwrap();
    let rows = stage.ask("elo.db", "select count(*) from elo_history");
    let writer = rusqlite::Connection::open(stage.path("elo.db")).unwrap();
    let spill = "pragma cache_size = 1; pragma cache_spill = 1; begin; update elo_history set agent = agent || hex(zeroblob(3000))";
    writer.execute_batch(spill).unwrap();
    let (torn, journal) = (fs::read(stage.path("elo.db")).unwrap(), fs::read(stage.path("elo.db-journal")).unwrap());
    drop(writer);
    fs::write(stage.path("elo.db"), &torn).unwrap();
    fs::write(stage.path("elo.db-journal"), &journal).unwrap();
    stage.ok(&["migrate"]);
    assert_eq!(stage.ask("analytics.db", "select count(*) from elo_history"), rows);
    assert_eq!(stage.ask("analytics.db", "select max(length(agent)) < 100 from elo_history"), "1");
    assert!(
        fs::read(stage.path("elo.db")).unwrap() == torn && fs::read(stage.path("elo.db-journal")).unwrap() == journal
    );
}

#[test]
fn rows_of_two_sources_with_one_key_are_an_error_or_a_declared_decision() {
    let merge = (
        "[source.skills]",
        "[source.skills.table.expertise]\ninto = \"ratings\"\nkeep = [\"agent\"]\nset = { elo = \"1000.0\", games = \"0\", wins = \"0\", season = \"1\" }\ndrop = { topic = \"a test\" }\n[source.skills]",
    );
    let stage = Stage::with_profile(&[
        merge,
        ("file = \"skills.db\"\ninto = \"agents\"", "file = \"skills.db\"\ninto = \"analytics\""),
        (
            "tables = [\"agent_skills\", \"expertise\"]",
            "tables = [\"expertise\"]\nleave_out = { agent_skills = \"a test\" }",
        ),
    ]);
    stage.sql("elo.db", "insert into ratings (agent, elo) values ('both', 1500)");
    stage.sql("skills.db", "insert into expertise values ('both', 'everything')");
    let same = "rows have a key that a row of elo.ratings has in ratings (agent = 'both')";
    refuses(&stage, 1, &["skills: table expertise", same]);

    let profile = stage.folder().join("../profile/profile.toml");
    let text = fs::read_to_string(&profile).unwrap();
    fs::write(&profile, text.replace("into = \"ratings\"", "into = \"ratings\"\non_conflict = \"keep-first\""))
        .unwrap();
    let report = stage.report(&["migrate"]);
    let table = report["tables"].as_array().unwrap().iter().find(|table| table["table"] == "expertise").unwrap();
    assert_eq!(table["skipped"], 1, "{report:#}");
    assert_eq!(stage.ask("analytics.db", "select elo from ratings where agent = 'both'"), "1500");
    stage.ok(&["verify"]);
}

#[test]
fn a_folder_that_is_not_there_and_an_unknown_mode_are_named() {
    let stage = Stage::new();
    let said = stage.refused(&["migrate", "--data-dir", "/nowhere/at/all"], 2);
    assert!(said.contains("/nowhere/at/all is no folder") && said.contains("ARAGORA_DATA_DIR"), "{said}");
    let output = stage.command(&["health"]).env("ARAGORA_DB_MODE", "both").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ARAGORA_DB_MODE is `both`"));
    stage.refused(&["migrate", "--dry-run"], 64);
}

#[test]
fn the_rest_of_something_that_did_not_end_is_named_and_once_removed_in_nobodys_way() {
    let stage = Stage::new();
    fs::write(stage.path("core.db"), &fs::read(stage.path("elo.db")).unwrap()[..5000]).unwrap();
    refuses(&stage, 1, &["core.db", "back it up and remove it"]);
    fs::remove_file(stage.path("core.db")).unwrap();
    stage.ok(&["migrate"]);

    let stage = Stage::new();
    fs::copy(stage.path("elo.db"), stage.path("core.db")).unwrap();
    refuses(&stage, 1, &["core.db: it holds rows, and no migration of ours made it"]);
}

#[test]
fn targets_that_are_prepared_or_empty_are_filled() {
    let stage = Stage::new();
    let schema = fs::read_to_string("fixtures/debates/consolidated/core.sql").unwrap();
    stage.sql("core.db", &schema);
    fs::write(stage.path("memory.db"), b"").unwrap();
    stage.ok(&["migrate"]);
    stage.ok(&["verify"]);
}

#[test]
fn an_index_that_lacks_what_its_table_has_is_not_carried_over() {
    let stage = Stage::new();
    // Pages of an index are copied as they are, and `quick_check` of the source compares no index with its table.
    let behind_its_back = "
        create temp table known as select * from sqlite_schema where name = 'debate_messages_debate';
        pragma writable_schema = 1;
        delete from sqlite_schema where name = 'debate_messages_debate';
        pragma writable_schema = reset;
        update debate_messages set debate_id = (select max(id) from debates where id <> debate_id)
            where id = (select min(id) from debate_messages);
        pragma writable_schema = 1;
        insert into sqlite_schema select * from known;
        pragma writable_schema = reset;";
    stage.sql("debates.db", behind_its_back);
    refuses(&stage, 1, &["core.db: it is not sound: index debate_messages_debate holds"]);
}
