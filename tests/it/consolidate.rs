//! `rehearse tool consolidate`: what it does to a folder of legacy files, and what it refuses.
#![allow(clippy::disallowed_methods)] // starts the tool by itself

mod application;
mod refusals;
mod returns;
mod stage;

use stage::*;
use std::fs;

#[test]
fn sources_are_byte_for_byte_what_they_were_after_every_command() {
    let stage = Stage::new();
    let before = stage.sources();
    assert!(before.contains_key("traces.db-wal") && before.contains_key("genesis.db-wal"), "{:?}", before.keys());
    for command in ["dry-run", "backup", "migrate", "verify", "health", "migrate"] {
        stage.ok(&[command]);
        assert!(stage.sources() == before, "after {command}");
    }
}

#[test]
fn a_dry_run_leaves_nothing_in_the_folder_and_says_what_it_found() {
    let stage = Stage::new();
    let before = stage.everything();
    let said = stage.ok(&["--dry-run", "--verbose"]);
    assert!(stage.everything() == before);
    for text in ["Tables migrated: 45", "flips.flips", "core.position_flips", "skipped 1: a dissent", "debate_search"] {
        assert!(said.contains(text), "{text} in\n{said}");
    }
}

#[test]
fn all_that_is_odd_arrives() {
    let stage = Stage::new();
    stage.ok(&["--migrate"]);
    let rows = [
        ("core.db", "select cost from traces where id = 'late'", "1.5"),
        ("core.db", "select rounds from debates where id = 'first'", "9223372036854775807"),
        ("core.db", "select seq from sqlite_sequence where name = 'debate_messages'", "4000000000"),
        ("core.db", "select count(*) from debate_counter", "0"),
        ("core.db", "select hex(after) from position_history where before = '1' and typeof(before) = 'text'", "31"),
        ("core.db", "select length(vector) from embeddings where id = 'zeros'", "20000"),
        ("core.db", "select count(*) from position_flips where agent <> lower(agent)", "0"),
        ("memory.db", "select hex(body) from memories where id = 'not utf-8'", "FF00FE"),
        ("memory.db", "select typeof(clock) from memories where id = 'text in a number'", "text"),
        ("memory.db", "select hex(content) from semantic_store where id = 'nul'", "610062"),
        ("memory.db", "select count(distinct origin) from patterns", "2"),
        ("memory.db", "select count(*) from dissents where consensus_id = 'deleted long ago'", "0"),
        ("analytics.db", "select count(*) from moment_tags where moment_id = 'twice'", "2"),
        ("analytics.db", "select quote(headline) || quote(significance) from moments where id = 'affinity'", "'007'7"),
        ("core.db", "pragma integrity_check", "ok"),
    ];
    for (file, query, expected) in rows {
        assert_eq!(stage.ask(file, query), expected, "{file}: {query}");
    }
    assert_eq!(stage.ask("core.db", "select count(*) from pragma_foreign_key_check"), "0");
    let report = stage.report(&["verify"]);
    assert_eq!(report["issues"], serde_json::json!([]));
    let tables = report["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 45);
    let adds_up = |table: &serde_json::Value| {
        let number = |name: &str| table[name].as_u64().unwrap();
        number("read") == number("written") + number("skipped")
    };
    assert!(tables.iter().all(adds_up));
}

#[test]
fn rows_that_do_not_go_page_by_page_lie_in_the_order_of_their_key() {
    let stage = Stage::new();
    stage.sql("elo.db", "insert into ratings (agent, elo) values ('!', 1)"); // the last row, and the first key
    stage.ok(&["migrate"]);
    assert_eq!(stage.ask("analytics.db", "select agent from ratings not indexed order by rowid limit 1"), "!");
}

#[test]
fn verify_sees_one_changed_value_and_names_its_table() {
    let stage = Stage::new();
    stage.ok(&["migrate"]);
    stage.sql("memory.db", "update critiques set severity = severity + 1 where id = 1");
    let said = stage.refused(&["verify"], 1);
    assert!(said.contains("table critiques: 1 different rows of the sources are missing, 1 are not"), "{said}");
}

#[test]
fn a_rerun_after_success_replaces_nothing() {
    let stage = Stage::new();
    stage.ok(&["migrate"]);
    let before = stage.everything();
    assert!(stage.ok(&["migrate"]).contains("nothing was replaced"));
    assert!(stage.everything() == before);
}

#[test]
fn a_rerun_after_a_source_was_written_brings_the_new_rows_and_says_what_it_replaces() {
    let stage = Stage::new();
    stage.ok(&["migrate"]);
    stage.sql("elo.db", "insert into ratings (agent, elo) values ('late', 1200)");
    stage.refused(&["verify"], 1);
    assert!(stage.ok(&["migrate"]).contains("analytics.db was there and is replaced"));
    stage.ok(&["verify"]);
    assert_eq!(stage.ask("analytics.db", "select elo from ratings where agent = 'late'"), "1200");
}

#[test]
fn rows_that_the_application_wrote_since_are_not_replaced_unless_that_is_said() {
    let stage = Stage::new();
    stage.ok(&["migrate"]);
    stage.sql("core.db", "insert into debates (id, topic) values ('new', 'written after the switch')");
    let said = stage.refused(&["migrate"], 1);
    assert!(said.contains("core.db") && said.contains("written since") && said.contains("--replace-target"), "{said}");
    assert_eq!(stage.ask("core.db", "select count(*) from debates where id = 'new'"), "1");
    stage.ok(&["migrate", "--replace-target"]);
    assert_eq!(stage.ask("core.db", "select count(*) from debates where id = 'new'"), "0");
}

#[test]
fn wherever_putting_the_files_in_place_is_cut_off_health_is_red_and_a_rerun_repairs_it() {
    for gone in 0..=4 {
        let stage = Stage::new();
        stage.ok(&["migrate"]);
        let receipt = fs::read_to_string(stage.path(".consolidation.json")).unwrap();
        fs::write(stage.path(".consolidation.json"), receipt.replace("\"done\"", "\"publishing\"")).unwrap();
        for file in TARGETS.iter().rev().take(gone) {
            fs::remove_file(stage.path(file)).unwrap();
        }
        fs::create_dir_all(stage.path(".consolidating/sources")).unwrap();
        let said = stage.refused(&["health"], 1);
        assert!(said.contains("a migration was interrupted"), "{said}");
        stage.ok(&["migrate"]);
        stage.ok(&["health"]);
        stage.ok(&["verify"]);
        assert!(!stage.path(".consolidating").exists());
    }
}

#[test]
fn two_at_once_are_one_and_a_refusal_and_a_dead_holder_is_in_nobodys_way() {
    let stage = Stage::new();
    let holder = fs::File::open(stage.folder()).unwrap();
    holder.lock().unwrap();
    for command in [&["migrate"][..], &["backup"], &["restore", "--confirm-restore", "RESTORE"]] {
        let said = stage.refused(command, 1);
        assert!(said.contains("another backup, migration or restore is at work"), "{said}");
    }
    drop(holder);
    stage.ok(&["migrate"]);
}
