//! The value zoo: it is whole, our own migrator carries it, and a tool that does not is told what it lost.

use crate::cli::Scratch;
use crate::postgres_server::Server;
use rehearsal::dataset::{Dataset, load_postgres, load_sqlite};
use rehearsal::db::{Volatile, postgres, postgres_state, sqlite};
use rehearsal::model::{DatabaseState, TableDigest};
use rstest::rstest;
use std::path::Path;

/// Types of the server of which the zoo has no column.
const LEFT_OUT: &[&str] = &[
    // The system's own: statistics, inner nodes of indexes, expressions.
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
    // As their siblings are, which the zoo has.
    "cid",
    "regcollation",
    "regdictionary",
    "regoper",
    "regproc",
    "txid_snapshot",
];

#[tokio::test]
async fn the_zoo_has_a_column_of_every_built_in_type() {
    let server = Server::shared();
    let dsn = server.create_database().await;
    let dataset = Dataset::load(Path::new("fixtures/zoo"), "small", 1).unwrap();
    load_postgres(dsn.options(), dataset.database("types").unwrap()).await.unwrap();
    let mut connection = postgres::connect(&dsn.options()).await.unwrap();
    let missing = "select coalesce(string_agg(format_type(t.oid, null), ' ' order by 1), '') from pg_type t \
        where t.typnamespace = 'pg_catalog'::regnamespace and t.typtype in ('b', 'r', 'm') and t.typcategory <> 'A' \
        and not exists (select from pg_attribute a join pg_class c on c.oid = a.attrelid \
            where a.attnum > 0 and a.atttypid = t.oid and c.relnamespace = 'public'::regnamespace and c.relkind = 'r')";
    let missing = postgres::fetch_text(&mut connection, missing).await.unwrap().unwrap();
    let missing: Vec<&str> = missing.split(' ').filter(|name| !name.is_empty() && !LEFT_OUT.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[tokio::test]
async fn the_zoo_is_the_same_however_often_it_is_loaded() {
    let server = Server::shared();
    let dataset = Dataset::load(Path::new("fixtures/zoo"), "small", 1).unwrap();
    for database in dataset.databases() {
        let mut states = Vec::new();
        for _ in 0..2 {
            let dsn = server.create_database().await;
            load_postgres(dsn.options(), database).await.unwrap();
            let mut connection = postgres::connect(&dsn.options()).await.unwrap();
            states.push(postgres_state(&mut connection, &Volatile::new()).await.unwrap());
        }
        let differences = states[1].differences(&states[0]);
        assert_eq!(differences, [], "{}", database.name);
    }
}

#[test]
fn a_file_of_the_zoo_is_sound_and_the_same_however_often_it_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = Dataset::load(Path::new("fixtures/zoo-sqlite"), "small", 1).unwrap();
    let state = |name: &str| {
        let path = folder.path().join(name);
        load_sqlite(&path, dataset.database("old").unwrap()).unwrap();
        assert_eq!(sqlite::integrity(&path).unwrap(), [""; 0]);
        sqlite::sqlite_state(&path, &Volatile::new()).unwrap()
    };
    let (one, other) = (state("one"), state("other"));
    assert_eq!(other.differences(&one), []);
    assert!(one.tables.values().all(|table| table.rows > 0), "{:?}", one.tables);
}

/// Four tables, after the step and after its rerun.
#[test]
fn a_tool_that_goes_through_json_is_told_which_tables_lost_values() {
    let scenario = std::fs::read_to_string("scenarios/canary/value-zoo.toml").unwrap();
    let (scenario, _) = scenario.split_once("[expect]").unwrap();
    let said = Scratch::with("zoo", scenario).rehearse(&["run"]);
    for text in ["SILENT", "parity fails, 8 findings", "table public.arrays", "table public.documents"] {
        said.has(1, text);
    }
    said.has(1, "checks killed");
}

#[rstest]
#[case::a_tool_that_is_right("", 0, &["GO", "parity 0 differences in 16 tables", "checks killed"])]
#[case::a_tool_that_makes_text_of_numbers("through-text", 1, &["NO-GO", "SILENT", "parity fails, 2 findings", "table classes"])]
fn files_of_the_zoo_are_carried_or_it_is_said_what_was_lost(
    #[case] bug: &str,
    #[case] code: i32,
    #[case] expected: &[&str],
) {
    let scenario = format!(
        r#"format = 1
about = "copies every table of the zoo"
dataset = "zoo-sqlite-small"
[targets]
source = {{ sqlite = "old" }}
target = {{ sqlite = "new" }}
[[step]]
name = "copy"
role = "apply"
argv = ["{}", "{{source}}", "{{target}}", "{bug}"]
"#,
        crate::sqlite_targets::copy_notes()
    );
    let said = Scratch::with("zoo", &scenario).rehearse(&["run"]);
    expected.iter().for_each(|text| said.has(code, text));
}

#[test]
fn a_partitioned_table_has_the_rows_of_all_its_partitions_and_a_parent_only_its_own() {
    let mut state = DatabaseState::default();
    for (table, row) in [("s.low", "a"), ("s.high one", "b"), ("s.high two", "c"), ("s.parent", "d"), ("s.heir", "e")] {
        state.tables.entry(table.to_owned()).or_default().add(row.as_bytes());
        state.catalog.insert(format!("relation {table}"), "table persistence p".to_owned());
    }
    for (table, kind) in [("s.all", "partitioned table persistence p"), ("s.high", "partitioned table persistence p")] {
        state.catalog.insert(format!("relation {table}"), kind.to_owned());
    }
    let children = [
        ("s.low", "s.all"),
        ("s.high", "s.all"),
        ("s.high one", "s.high"),
        ("s.high two", "s.high"),
        ("s.heir", "s.parent"),
    ];
    for (child, parent) in children {
        state.catalog.insert(format!("inheritance {child} 1"), parent.to_owned());
    }
    assert_eq!(state.partitions("s.all"), ["s.high one", "s.high two", "s.low"]);
    assert_eq!(state.rows_of("s.all").map(|rows| rows.rows), Some(3));
    let mut sum = TableDigest::default();
    ["c", "a", "b"].iter().for_each(|row| sum.add(row.as_bytes()));
    assert_eq!(state.rows_of("s.all"), Some(sum), "in any order");
    assert_eq!(state.partitions("s.parent"), [""; 0]);
    assert_eq!(state.rows_of("s.parent").map(|rows| rows.rows), Some(1));
    assert_eq!(state.rows_of("s.none"), None);
}
