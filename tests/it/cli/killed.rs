//! Commands that unpack what is shipped, killed while they have it.

use super::scratch::{GREEN, Scratch, run, until};
use rehearsal::process::{self, Signal};
use rstest::rstest;
use std::time::Duration;

const POLICY: &str = "format = 1\nname = \"ours\"\nsame_scenarios = true\nsigned = true\n\
                      [[signer]]\nname = \"ci\"\nkey = \"ci.key.pub\"\n";
const TOKEN: &str = "r1:pipe:1:proc.kill@a:conn.1:00000000-00000000-00000000";
const RECORD: [&str; 10] = [
    "record",
    "target/rehearsal/latest",
    "--policy",
    "signed.toml",
    "--step",
    "look",
    "--db=source=sqlite:old",
    "--db=target=sqlite:new",
    "--",
    "true",
];

/// Each waits for ever where it has unpacked all: for somebody at the other end of a pipe that is called a file.
#[rstest]
#[case::list(&["list"])]
#[case::check(&["check"])]
#[case::init(&["init", "--yes", "--dataset", "pipe-small"])]
#[case::shrink(&["shrink", TOKEN])]
#[case::gate(&["gate", "target/rehearsal/latest", "--policy", "ours.toml"])]
#[case::record(&RECORD)]
#[tokio::test]
async fn what_was_unpacked_goes_also_where_the_command_is_killed(#[case] command: &[&str]) {
    let mut scratch = Scratch::with("green", GREEN);
    scratch.rehearse(&["key", "new", "ci.key"]).has(0, "ci.key.pub");
    scratch.rehearse(&["run", "--key", "ci.key"]).has(0, "GO");
    let prepare = "mkdir tmp fixtures fixtures/pipe && mkfifo scenarios/pipe.toml fixtures/pipe/dataset.toml";
    run(scratch.dir.path(), &scratch.env, &["sh", "-c", prepare]).has(0, "");
    let path = |name: &str| scratch.dir.path().join(name);
    std::fs::write(path("ours.toml"), POLICY).unwrap();
    std::fs::write(path("signed.toml"), POLICY.replace("same_scenarios = true\n", "")).unwrap();
    let tmp = path("tmp");
    scratch.env.insert("TMPDIR".into(), tmp.clone().into());
    let base = scratch.own_base();
    let mut child = scratch.start(command);
    let unpacked = || {
        let own = base.sessions().into_iter().map(|session| base.dir().join("sessions").join(session));
        own.map(|dir| dir.join("shipped/scenarios")).any(|dir| dir.is_dir())
    };
    until("it has unpacked what is shipped", Duration::from_secs(60), unpacked).await;
    process::kill(child.pid(), Signal::KILL).unwrap();
    assert_eq!(child.wait().await.unwrap().signal, Some(9));
    base.is_gone().await;
    assert_eq!(std::fs::read_dir(tmp).unwrap().count(), 0, "something is left in TMPDIR");
}
