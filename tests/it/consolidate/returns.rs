//! Backups, and the way back.

use super::*;
use rstest::rstest;

const RESTORE: [&str; 3] = ["restore", "--confirm-restore", "RESTORE"];

#[test]
fn a_backup_brings_back_what_was_there_and_takes_away_what_was_made() {
    let stage = Stage::new();
    let before = stage.sources();
    let names =
        ["late", "first"].map(|id| stage.ask("traces.db", &format!("select count(*) from traces where id = '{id}'")));
    stage.ok(&["backup"]);
    stage.ok(&["migrate"]);
    stage.sql("core.db", "insert into debates (id, topic) values ('new', 'x')");
    stage.sql("debates.db", "delete from debate_messages");
    let said = stage.ok(&RESTORE);
    for text in ["core.db was written since it was migrated: that is lost", "debates.db was written since it was saved"]
    {
        assert!(said.contains(text), "{text} in\n{said}");
    }
    let after = stage.sources();
    for (name, (bytes, _)) in before.iter().filter(|(name, _)| !before.contains_key(&format!("{name}-wal"))) {
        // What had a log beside it comes back as one file that holds the same.
        assert!(name.ends_with("-wal") || after[name].0 == *bytes, "{name}");
    }
    assert!(!after.keys().any(|name| name.ends_with("-wal")));
    assert_eq!(
        ["late", "first"].map(|id| stage.ask("traces.db", &format!("select count(*) from traces where id = '{id}'"))),
        names
    );
    assert!(TARGETS.iter().all(|file| !stage.path(file).exists()));
    assert!(!stage.path(".consolidation.json").exists());
    stage.ok(&["migrate"]);
    stage.ok(&["verify"]);
}

#[test]
fn a_restore_has_to_be_meant_and_leaves_no_log_of_a_later_file() {
    let stage = Stage::new();
    stage.ok(&["backup"]);
    for wrong in [&["restore"][..], &["restore", "--confirm-restore", "restore"]] {
        assert!(stage.refused(wrong, 1).contains("--confirm-restore RESTORE"));
    }
    fs::copy(stage.path("traces.db-wal"), stage.path("elo.db-wal")).unwrap();
    stage.ok(&RESTORE);
    assert!(!stage.path("elo.db-wal").exists());
}

#[test]
fn of_several_backups_the_newest_is_taken_or_the_one_that_is_named() {
    let stage = Stage::new();
    let named = |name: &str| stage.path("backup").join(name).display().to_string();
    stage.ok(&["backup", "--backup-dir", &named("20260101_000000")]);
    stage.sql("elo.db", "delete from matches");
    stage.ok(&["backup", "--backup-dir", &named("20260201_000000")]);
    fs::create_dir(stage.path("backup/20260301_000000.part")).unwrap();
    stage.ok(&RESTORE);
    assert_eq!(stage.ask("elo.db", "select count(*) from matches"), "0");
    let first = named("20260101_000000");
    stage.ok(&[&RESTORE[..], &["--backup-dir", &first]].concat());
    assert_ne!(stage.ask("elo.db", "select count(*) from matches"), "0");
    assert!(stage.refused(&["backup", "--backup-dir", &first], 1).contains("is there already"));
}

#[rstest]
#[case::a_bare_word("saved")]
#[case::a_slash_at_the_end("saved/")]
fn a_folder_of_a_backup_may_be_named_from_where_one_stands(#[case] named: &str) {
    let stage = Stage::new();
    let there = |arguments: &[&str]| {
        let output =
            stage.command(arguments).args(["--backup-dir", named]).current_dir(stage.path("")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    there(&["backup"]);
    assert!(stage.path("saved/manifest.json").is_file() && !stage.path("saved.part").exists());
    there(&RESTORE);
}

#[test]
fn a_backup_that_was_touched_is_not_restored() {
    let stage = Stage::new();
    let folder = stage.path("backup/b").display().to_string();
    stage.ok(&["backup", "--backup-dir", &folder]);
    let file = stage.path("backup/b/skills.db");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let before = stage.everything();
    let said = stage.refused(&RESTORE, 1);
    assert!(said.contains("skills.db: it is not what was saved"), "{said}");
    assert!(stage.everything() == before);
}

#[test]
fn an_interrupted_restore_is_told_by_every_command_and_ended_by_another_one() {
    let stage = Stage::new();
    stage.ok(&["backup"]);
    stage.ok(&["migrate"]);
    fs::write(stage.path(".restoring.json"), "backup/x").unwrap();
    fs::create_dir(stage.path(".restoring")).unwrap();
    fs::remove_file(stage.path("elo.db")).unwrap();
    for command in ["migrate", "backup", "health"] {
        let said = stage.refused(&[command], 1);
        assert!(said.contains("restore") && said.contains("interrupted"), "{said}");
    }
    stage.ok(&RESTORE);
    assert!(!stage.path(".restoring.json").exists() && !stage.path(".restoring").exists());
    stage.ok(&["migrate"]);
}

#[test]
fn a_backup_beside_a_live_writer_is_of_one_moment() {
    let stage = Stage::new();
    stage.sql("continuum.db", "create table pairs (n integer)");
    let path = stage.path("continuum.db");
    let stop = &std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = scope.spawn(move || {
            let writer = rusqlite::Connection::open(path).unwrap();
            writer.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
            let mut pairs = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                writer
                    .execute_batch(
                        "begin immediate; insert into pairs values (1); insert into pairs values (2); commit",
                    )
                    .unwrap();
                pairs += 1;
            }
            pairs
        });
        let mut done = 0;
        for number in 0..8 {
            let folder = stage.path("backup").join(number.to_string());
            let output = stage.run(&["backup", "--backup-dir", &folder.display().to_string()]);
            assert_eq!(output.status.success(), folder.exists());
            if !output.status.success() {
                // So busy a writer may leave no gap to come in between.
                assert!(String::from_utf8_lossy(&output.stderr).contains("continuum.db: it is locked"));
                continue;
            }
            done += 1;
            let ask =
                |query: &str| rehearsal::db::sqlite::first_row(&folder.join("continuum.db"), query).unwrap().unwrap();
            assert_eq!(ask("select count(*) % 2 from pairs"), "0");
            assert_eq!(ask("pragma integrity_check"), "ok");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(busy.join().unwrap() > 0);
        assert!(done > 0);
    });
}

#[test]
fn the_log_beside_the_file_that_a_link_leads_to_is_read() {
    let stage = Stage::new();
    let elsewhere = stage.folder().join("../elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for name in ["traces.db", "traces.db-wal"] {
        fs::rename(stage.path(name), elsewhere.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(elsewhere.join("traces.db"), stage.path("traces.db")).unwrap();
    stage.ok(&["migrate"]);
    assert_eq!(stage.ask("core.db", "select cost from traces where id = 'late'"), "1.5");
}

#[test]
fn who_has_a_file_open_that_is_not_replaced_is_in_nobodys_way() {
    let stage = Stage::new();
    stage.ok(&["backup"]);
    stage.ok(&["migrate"]);
    let restore = ["restore", "--confirm-restore", "RESTORE"];
    let (other, ours) = (stage.path("somebody-elses.db"), stage.path("agents.db"));
    fs::write(&other, "not of the profile").unwrap();
    let held = fs::File::open(ours).unwrap();
    assert!(stage.refused(&restore, 1).contains("agents.db is open in process"));
    drop(held);
    let _held = fs::File::open(other).unwrap();
    stage.ok(&restore);
}
