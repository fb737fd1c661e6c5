//! Databases that stay after the run, and go by `rehearse clean`.

use super::scratch::{GREEN, STUCK, Scratch, environment, run, until};
use rehearsal::process::{self, Signal};
use std::time::Duration;

#[tokio::test]
async fn a_failed_case_stays_until_it_is_cleaned_up() {
    let mut scratch = Scratch::with("append", STUCK).and("green", GREEN);
    let base = scratch.own_base();
    let said = scratch.rehearse(&["run", "--keep", "failed"]);
    said.has(1, "kept append/0001-");
    said.has(1, "they stay until `rehearse clean`");
    assert!(!said.stdout.contains("kept  green") && !said.stdout.contains("password"), "{said:?}");
    let look = format!("{} -X -At -c 'select count(*) from accounts'", said.way_into("pg.target"));
    let looked = || run(scratch.dir.path(), &environment(), &["sh", "-c", &look]);
    looked().has(0, "41");

    // Others come and go, and it stays, without its templates.
    scratch.rehearse(&["run", "append"]).has(1, "NO-GO");
    looked().has(0, "41");
    let all = look
        .replace("count(*) from accounts", "count(*) from pg_database where not datistemplate and length(datname) > 8");
    run(scratch.dir.path(), &environment(), &["sh", "-c", &all]).has(0, "2");

    scratch.rehearse(&["clean", "--dry-run"]).has(0, "would remove append/0001-");
    looked().has(0, "41");
    scratch.rehearse(&["clean"]).has(0, "removed append/0001-");
    base.is_gone().await;
    scratch.rehearse(&["clean"]).has(0, "nothing to remove");
}

#[tokio::test]
async fn what_is_kept_is_kept_also_by_the_next_supervisor() {
    let mut scratch = Scratch::with("green", GREEN);
    let base = scratch.own_base();
    scratch.rehearse(&["run", "--keep", "all"]).has(0, "sqlite3");
    let session = base.session();
    for supervisor in process::processes_in(std::path::Path::new("/"), &["rehearse"]) {
        let of_base = std::fs::read(format!("/proc/{supervisor}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&of_base).contains(base.dir().to_str().unwrap()) {
            process::kill(supervisor, Signal::KILL).unwrap();
        }
    }
    scratch.rehearse(&["run"]).has(0, "GO");
    assert_eq!(base.sessions(), [session]);
    scratch.rehearse(&["clean"]).has(0, "removed green/golden-1");
    base.is_gone().await;
}

#[test]
fn a_cache_is_removed_when_it_is_asked_for_and_nothing_else_of_the_folder() {
    let mut scratch = Scratch::with("append", STUCK);
    let _base = scratch.own_base();
    let cache = tempfile::Builder::new().prefix("r").tempdir_in("/var/tmp").unwrap();
    scratch.env.insert("REHEARSE_CACHE".into(), cache.path().into());
    std::fs::write(cache.path().join("of-somebody-else"), "x").unwrap();
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    scratch.rehearse(&["clean"]).has(0, "");
    assert!(cache.path().join("binaries").is_dir());
    scratch.rehearse(&["clean", "--cache", "--dry-run"]).has(0, "would remove");
    scratch.rehearse(&["clean", "--cache"]).has(0, "binaries");
    assert!(!cache.path().join("binaries").exists());
    assert!(cache.path().join("of-somebody-else").is_file());
}

#[tokio::test]
async fn a_runner_that_is_killed_keeps_nothing() {
    let mut scratch = Scratch::with("long", &GREEN.replace("[\"true\"]", "[\"sleep\", \"600\"]"));
    let base = scratch.own_base();
    let mut child = scratch.start(&["run", "--keep", "all"]);
    until("a step runs", Duration::from_secs(60), || scratch.journal().contains("step.started")).await;
    let session = base.session();
    process::kill(child.pid(), Signal::KILL).unwrap();
    child.wait().await.unwrap();
    base.is_clean_of(&session, Duration::from_secs(5)).await;
    base.is_gone().await;
}
