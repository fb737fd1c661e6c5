//! Datasets: found by name, wrong in words, the same bytes for the same seed, loaded into real databases.

use crate::postgres_server::Server;
use proptest::prelude::*;
use rehearsal::dataset::{Cell, Dataset, Table, load_postgres, load_sqlite};
use rehearsal::db::{Volatile, copy_text, postgres, postgres_state, sqlite};
use rstest::rstest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixtures() -> Vec<PathBuf> {
    vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")]
}

fn dataset(name: &str, seed: u64) -> Dataset {
    Dataset::find(&fixtures(), name, seed).unwrap()
}

fn bytes(table: &Table) -> Vec<u8> {
    table.copy_blocks().flatten().collect()
}

#[rstest]
#[case("butlers", 1_000)]
#[case("butlers-small", 1_000)]
#[case("butlers-medium", 100_000)]
#[case("butlers-huge", 10_000_000)]
#[case("butlers-5000", 5_000)]
#[case("butlers-21", 21)]
#[case("butlers-10_000_000", 10_000_000)]
#[case("ledger-small", 200)]
#[case("notes", 200)]
fn a_size_is_a_name_or_a_number_and_is_met_exactly(#[case] name: &str, #[case] rows: u64) {
    assert_eq!(dataset(name, 1).rows(), rows);
}

#[rstest]
#[case("butlers-enormous", "there is no size `enormous`; it is huge, large, medium, small or a number of rows")]
#[case("butlers-20", "20 rows are too few: each of the 21 tables has at least one")]
#[case("buttlers-small", "there is no dataset `buttlers-small` in ")]
fn a_wrong_name_says_what_there_is(#[case] name: &str, #[case] expected: &str) {
    let error = Dataset::find(&fixtures(), name, 1).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn rows_are_divided_by_weight() {
    let butlers = dataset("butlers-large", 1);
    let rows = |database: &str, table: &str| {
        let database = butlers.database(database).unwrap();
        database.tables.iter().find(|candidate| candidate.name == table).unwrap().rows
    };
    let near = |found: u64, expected: u64| assert!(found.abs_diff(expected) <= expected / 100, "{found} {expected}");
    near(rows("general", "state"), 3 * rows("messenger", "state"));
    near(rows("health", "route_inbox"), 2 * rows("health", "state"));
    near(rows("shared", "butler_secrets"), 6 * 1_000_000 / (9 * 20 + 6));
}

#[test]
fn parents_come_before_what_refers_to_them() {
    let butlers = dataset("butlers-small", 1);
    let names: Vec<&str> =
        butlers.database("general").unwrap().tables.iter().map(|table| table.name.as_str()).collect();
    let at = |name: &str| names.iter().position(|candidate| *candidate == name);
    assert!(at("sessions") < at("route_inbox"), "{names:?}");
}

/// Changes only when the generators change: every recorded digest and replay token dies with it.
#[test]
fn the_same_seed_gives_the_same_bytes_on_every_machine() {
    let butlers = dataset("butlers-small", 7);
    let mut digests = BTreeMap::new();
    for table in &butlers.database("general").unwrap().tables {
        digests.insert(table.name.as_str(), format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes(table))));
    }
    insta::assert_debug_snapshot!(digests, @r#"
    {
        "route_inbox": "e2f8c7f701c178da",
        "scheduled_tasks": "d91d7894cd22d93f",
        "sessions": "ca6f0b9938c4ea6b",
        "state": "49ddfafaeceb9fbb",
    }
    "#);
}

#[test]
fn another_seed_database_or_size_gives_other_bytes_and_digests() {
    let (one, other) = (dataset("butlers-small", 1), dataset("butlers-small", 2));
    assert_ne!(one.digest(), other.digest());
    assert_ne!(one.digest(), dataset("butlers-1001", 1).digest());
    assert_eq!(one.digest(), dataset("butlers-1000", 1).digest(), "the same rows by another name");
    let (general, health) = (one.database("general").unwrap(), one.database("health").unwrap());
    assert_ne!(general.digest(), health.digest());
    for (table, changed) in general.tables.iter().zip(&other.database("general").unwrap().tables) {
        assert_ne!(bytes(table), bytes(changed));
    }
    assert_ne!(bytes(&general.tables[0]), bytes(&health.tables[0]));
}

#[test]
fn ten_million_rows_are_streamed_in_blocks() {
    let butlers = dataset("butlers-huge", 1);
    let inbox = butlers.database("general").unwrap().tables.iter().find(|table| table.name == "route_inbox").unwrap();
    let mut blocks = inbox.copy_blocks();
    for _ in 0..3 {
        let block = blocks.next().unwrap();
        assert!((64 * 1024..70 * 1024).contains(&block.len()), "{}", block.len());
        assert_eq!(block.last(), Some(&b'\n'), "a block ends with a whole row");
    }
}

#[test]
fn every_row_has_every_column_and_keys_are_unique() {
    for name in ["butlers-20000", "ledger-2000", "notes-2000"] {
        for database in dataset(name, 3).databases() {
            for table in &database.tables {
                let text = String::from_utf8(bytes(table)).unwrap();
                let columns: Vec<&str> = table.columns().collect();
                let key = columns.iter().position(|column| ["id", "key"].contains(column)).unwrap();
                let mut keys: Vec<&str> = text.lines().map(|line| line.split('\t').nth(key).unwrap()).collect();
                assert!(text.lines().all(|line| line.split('\t').count() == columns.len()), "{}", table.name);
                keys.sort_unstable();
                keys.dedup();
                assert_eq!(keys.len() as u64, table.rows, "{}", table.name);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_cell_survives_the_escaping_of_copy(text in any::<String>(), number: i64) {
        let mut row = Vec::new();
        Cell::Text(text.clone()).push_copy(&mut row);
        row.push(b'\t');
        Cell::Integer(number).push_copy(&mut row);
        row.push(b'\t');
        Cell::Null.push_copy(&mut row);
        let row = String::from_utf8(row).unwrap();
        let fields = copy_text::fields(&row);
        prop_assert_eq!(fields[0].as_deref(), Some(text.as_str()));
        let number = number.to_string();
        prop_assert_eq!(fields[1].as_deref(), Some(number.as_str()));
        prop_assert_eq!(fields[2].as_deref(), None);
    }

    #[test]
    fn any_number_of_rows_is_divided_without_a_rest(rows in 21u64..100_000_000) {
        prop_assert_eq!(dataset(&format!("butlers-{rows}"), 1).rows(), rows);
    }
}

#[test]
fn all_that_is_wrong_with_a_dataset_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = r#"
        format = 2
        engine = "postgres"
        classification = "synthetic"
        [sizes]
        [database."a b"]
        schema = ["missing.sql"]
        content = "none"
        [content.c.t]
        weight = 0
        [content.c.t.columns]
        x = { reference = "t.nothing" }
        y = { nullable = { percent = 101, of = { integer = [2, 1] } } }
        [content.c.u.columns]
        id = "serial"
        v = { reference = "w.id" }
        [content.c.w.columns]
        id = "serial"
        u = { reference = "u.id" }
    "#;
    std::fs::write(folder.path().join("dataset.toml"), wrong).unwrap();
    let error = Dataset::load(folder.path(), "10", 1).unwrap_err().to_string();
    for expected in [
        "format = 2 is not known here",
        "database `a b`: a name has letters",
        "there is no [content.none]",
        "missing.sql",
        "content.c.t: a weight is at least 1",
        "content.c.t.columns.x: `t.nothing` is no column with serial, uuid or key",
        "content.c.t.columns.y: a percentage is at most 100",
        "content.c.t.columns.y: the lesser number comes first",
        "content.c: tables u, w refer to each other in a circle",
    ] {
        assert!(error.contains(expected), "{expected} is missing in {error}");
    }
}

#[test]
fn a_typing_error_is_shown_with_its_line_and_the_allowed_names() {
    let folder = tempfile::tempdir().unwrap();
    let text = "format = 1\nengine = \"postgres\"\nclassification = \"synthetic\"\nsizes = {}\ndatabase = {}\n\
                [content.c.t.columns]\nx = \"uuuid\"\n";
    std::fs::write(folder.path().join("dataset.toml"), text).unwrap();
    let error = Dataset::load(folder.path(), "10", 1).unwrap_err().to_string();
    assert!(error.contains("line 7") && error.contains("unknown variant `uuuid`"), "{error}");
    assert!(error.contains("`odd-text`"), "{error}");
}

#[tokio::test]
async fn a_postgres_dataset_loads_completely_and_twice_alike() {
    let server = Server::shared();
    for name in ["butlers-small", "ledger-small"] {
        let dataset = dataset(name, 7);
        for database in dataset.databases() {
            let mut states = Vec::new();
            for _ in 0..2 {
                let dsn = server.create_database().await;
                load_postgres(dsn.options(), database)
                    .await
                    .unwrap_or_else(|error| panic!("{}: {error}", database.name));
                let mut connection = postgres::connect(&dsn.options()).await.unwrap();
                states.push(postgres_state(&mut connection, &Volatile::new()).await.unwrap());
            }
            assert_eq!(states[0].differences(&states[1]), [], "{}", database.name);
            for table in &database.tables {
                assert_eq!(states[0].tables[&format!("public.{}", table.name)].rows, table.rows);
            }
            if let Some(next) = states[0].sequences.get("public.sessions_id_seq") {
                let sessions = database.tables.iter().find(|table| table.name == "sessions").unwrap();
                assert_eq!(*next, (sessions.rows + 1).to_string());
            }
        }
    }
}

#[test]
fn a_sqlite_dataset_loads_completely() {
    let folder = tempfile::tempdir().unwrap();
    for database in dataset("notes-small", 7).databases() {
        let path = folder.path().join(&database.name);
        load_sqlite(&path, database).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        for table in &database.tables {
            let count = format!("select count(*) from {}", table.name);
            let rows: i64 = connection.query_row(&count, [], |row| row.get(0)).unwrap();
            assert_eq!(rows.cast_unsigned(), table.rows);
        }
        let error = load_sqlite(&path, database).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
    }
}

#[test]
fn a_table_may_refer_to_itself_and_to_a_table_with_a_dot_in_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let toml = r#"
        format = 1
        engine = "sqlite"
        classification = "synthetic"
        sizes = {}
        [database.d]
        schema = ["d.sql"]
        content = "c"
        [content.c."main.people".columns]
        id = "serial"
        boss = { nullable = { percent = 20, of = { reference = "main.people.id" } } }
        [content.c.houses.columns]
        id = "uuid"
        owner = { reference = "main.people.id" }
    "#;
    let sql = "create table people (id integer primary key, boss integer references people (id));
               create table houses (id text primary key, owner integer not null references people (id))";
    std::fs::write(folder.path().join("dataset.toml"), toml).unwrap();
    std::fs::write(folder.path().join("d.sql"), sql).unwrap();
    let dataset = Dataset::load(folder.path(), "300", 1).unwrap();
    let path = folder.path().join("d");
    load_sqlite(&path, dataset.database("d").unwrap()).unwrap();
    assert_eq!(sqlite::integrity(&path).unwrap(), Vec::<String>::new());
    assert_eq!(sqlite::sqlite_state(&path, &Volatile::new()).unwrap().rows(), 300);
}
