//! Children: what they know, and how they and theirs are found and ended.

use super::*;

#[tokio::test]
async fn a_child_knows_what_it_is_told_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut spawn = Spawn::new(["/bin/sh", "-c", "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; cat; exit 3"], dir.path());
    spawn.env = [("NAME".into(), "value".into()), ("PATH".into(), "/usr/bin:/bin".into())].into();
    spawn.stdout = Some(out.clone());
    let exit = spawn.start().unwrap().wait().await.unwrap();
    assert_eq!(exit, Exit { code: Some(3), signal: None });
    let mut said: Vec<String> = std::fs::read_to_string(out).unwrap().lines().map(str::to_owned).collect();
    said.sort();
    assert_eq!(said, ["NAME=value", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn a_signal_reaches_the_whole_group() {
    let mut child = Spawn::new(["/bin/sh", "-c", "sleep 600 & wait"], "/").start().unwrap();
    child.kill_group(Signal::KILL).unwrap();
    assert_eq!(child.wait().await.unwrap(), Exit { code: None, signal: Some(9) });
    child.kill_group(Signal::KILL).unwrap(); // nobody is there, and that is fine
}

#[test]
fn a_test_harness_never_takes_itself_for_rehearse() {
    match Executable::find() {
        Ok(found) => assert_eq!(found.path().file_stem().unwrap(), "rehearse"),
        Err(error) => assert!(error.to_string().contains("set REHEARSE_BIN"), "{error}"),
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async { Spawn::new(["/no/such/program", "secret"], "/").start().unwrap_err() });
    assert!(error.to_string().starts_with("cannot start `/no/such/program` in /"), "{error}");
    assert!(!error.to_string().contains("secret"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_grandchild_that_left_the_group_is_found_by_its_case_and_ended() {
    let session = format!("test-{}", std::process::id());
    let marker =
        |case: &str| Some(rehearsal::process::Marker { session: session.clone(), case: Some(case.to_owned()) });
    let script = "setsid sleep 600 & wait";
    let mut spawn = Spawn::new(["/bin/sh", "-c", script], "/");
    spawn.marker = marker("one");
    let mut one = spawn.start().unwrap();
    spawn.marker = marker("two");
    let mut two = spawn.start().unwrap();
    let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let left_the_group = || marked(&session, None).iter().filter(|pid| name(pid) == "sleep\n").count();
    until("both have a grandchild that has left the group", || left_the_group() == 2).await;

    one.kill_group(Signal::KILL).unwrap();
    one.wait().await.unwrap();
    assert_eq!(marked(&session, Some("one")).len(), 1, "the grandchild left the group");
    assert_eq!(kill_descendants(&session, Some("one")).unwrap(), 1, "an orphan is ours");
    assert!(marked(&session, Some("one")).is_empty());
    assert_eq!(marked(&session, Some("two")).len(), 2, "another case goes on");
    kill_marked(&session, None).unwrap();
    assert_eq!(two.wait().await.unwrap().signal, Some(9), "a child that is waited for is not reaped by others");
}
