//! `--pg docker`. Needs Docker's engine, and an image in `REHEARSE_PG_IMAGE`, as `cargo xtask image` makes one: `.ci/run`
//! runs these tests where an engine answers, and says so where none does.

use super::scratch::{STUCK, Said, Scratch, until};
use rehearsal::process::{Signal, kill};
use rstest::rstest;
use std::time::Duration;

const WHY: &str = "needs Docker's engine and an image";

/// The containers of sessions in this base directory, running or not, one a line.
fn containers(scratch: &Scratch) -> String {
    let lock = scratch.env.get(std::ffi::OsStr::new("REHEARSE_BASE")).map(|base| base.to_string_lossy().into_owned());
    let argv = ["docker", "ps", "-a", "--filter", "label=rehearse.session", "--format", "{{.Label \"rehearse.lock\"}}"];
    let said = super::run(scratch.dir.path(), &scratch.env, &argv);
    assert_eq!(said.code, Some(0), "{WHY}: {said:?}");
    let is_ours = |line: &&str| lock.as_ref().is_none_or(|base| line.starts_with(base.as_str()));
    said.stdout.lines().filter(is_ours).collect::<Vec<_>>().join("\n")
}

fn outcome(said: &Said) -> Option<&str> {
    said.stdout.lines().find(|line| line.contains("outcome"))
}

#[test]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
fn a_run_in_a_container_says_the_same_as_one_on_this_machine() {
    let mut scratch = Scratch::with("stuck", STUCK);
    let _base = scratch.own_base();
    let there = scratch.rehearse(&["run", "--pg", "docker"]);
    there.has(1, "STUCK");
    assert_eq!(outcome(&there), outcome(&scratch.rehearse(&["run", "--pg", "local"])));
    assert_eq!(containers(&scratch), "");
    scratch.rehearse(&["run", "--pg", "docker", "--keep", "all"]).has(64, "--keep");
}

#[test]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
fn what_strikes_the_files_of_a_server_is_listed_as_out_of_reach() {
    let full = STUCK.replace("proc.kill", "disk.full").replace("pg.target:commit.1", "pg.target:write.3+");
    let scratch = Scratch::with("full", &full).and("stuck", STUCK);
    let listed = scratch.rehearse(&["list", "--pg", "docker"]);
    listed.has(0, "ignored, no server-files: the files of a server in a container are out of reach");
    assert_eq!(listed.stdout.matches("server-files").count(), 2, "once by its name and once to allow it: {listed:?}");
    scratch.rehearse(&["run", "full", "--pg", "docker"]).has(2, "INCONCLUSIVE");
}

#[rstest]
#[case::by_the_supervisor(false)]
#[case::by_the_next_run(true)]
#[tokio::test]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
async fn a_container_of_a_killed_run_is_ended(#[case] supervisor_too: bool) {
    let mut scratch = Scratch::with("stuck", STUCK);
    let base = scratch.own_base();
    let mut run = scratch.start(&["run", "--pg", "docker"]);
    let has_begun = || scratch.journal().contains("\"case.started\"");
    until("a case begins", Duration::from_secs(60), has_begun).await;
    assert_eq!(containers(&scratch).lines().count(), 1);
    if supervisor_too {
        let wanted = format!("__supervise\0{}\0", base.dir().display());
        let pids = std::fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
        let is_it =
            |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.ends_with(&wanted));
        kill(pids.into_iter().find(is_it).unwrap(), Signal::KILL).unwrap();
    }
    kill(run.pid(), Signal::KILL).unwrap();
    run.wait().await.unwrap();
    if supervisor_too {
        assert_eq!(containers(&scratch).lines().count(), 1, "nobody is there to end it");
        scratch.rehearse(&["run", "--pg", "docker"]).has(1, "STUCK");
    }
    until("the container is gone", Duration::from_secs(30), || containers(&scratch).is_empty()).await;
}

#[rstest]
#[case::no_such_image(&["--pg-image", "no-such-image:1"], "a container of image no-such-image:1: cannot be started")]
#[case::another_version(&["--pg", "docker", "--pg-version", "9"], "another was asked for")]
#[case::no_tag(&["--pg-image", "no-such-image"], "image `no-such-image` has no tag")]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
fn an_image_that_cannot_be_used_is_one_clear_error_and_leaves_nothing(#[case] args: &[&str], #[case] expected: &str) {
    let mut scratch = Scratch::with("stuck", STUCK);
    let _base = scratch.own_base();
    scratch.rehearse(&[&["run"], args].concat()).has(2, expected);
    assert_eq!(containers(&scratch), "");
}

#[test]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
fn an_endpoint_of_another_version_wants_another_tag_of_the_image() {
    let mut scratch = Scratch::with("stuck", &super::versions::onto(99));
    let _base = scratch.own_base();
    scratch.rehearse(&["run", "--pg", "docker"]).has(2, ":99: cannot be started");
    assert_eq!(containers(&scratch), "");
}

#[test]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
fn a_server_that_never_gets_ready_is_given_up_and_removed() {
    let mut scratch = Scratch::with("stuck", STUCK);
    let _base = scratch.own_base();
    scratch.env.insert("REHEARSE_PG_START_S".into(), "0".into());
    scratch.rehearse(&["run", "--pg", "docker"]).has(2, "is not ready after 0 s");
    assert_eq!(containers(&scratch), "");
}

#[test]
#[ignore = "needs Docker's engine and an image; .ci/run runs it"]
fn an_engine_that_does_not_answer_is_one_clear_error() {
    let mut scratch = Scratch::with("stuck", STUCK);
    scratch.env.insert("DOCKER_HOST".into(), "unix:///nonexistent".into());
    scratch.rehearse(&["run", "--pg", "docker"]).has(2, "Docker's engine does not answer");
    let socket = scratch.dir.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    scratch.env.insert("DOCKER_HOST".into(), format!("unix://{}", socket.display()).into());
    scratch.rehearse(&["run", "--pg", "docker"]).has(2, "nothing within 10 s");
}
