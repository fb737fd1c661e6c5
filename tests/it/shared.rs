//! Folders that all tests of a process share. Nothing drops a static, so a child removes them once this process is gone, in
//! whatever way it went.
#![allow(clippy::disallowed_methods)] // no child of the product's: it outlives us

use crate::postgres_server::Server;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Ends a server that has its data there, and removes the folder. One that is only just starting may still write.
const WHEN_STDIN_ENDS: &str = r#"read -r _
while test -e "$1"; do
    test -f "$1/data/postmaster.pid" && kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"
    rm -rf "$1" || sleep 0.05
done"#;

/// Removes a folder when this process ends, and ends the server in it.
pub(crate) fn goes_with_us(folder: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", WHEN_STDIN_ENDS, "sh"]).arg(folder).current_dir("/");
    // A group of its own: Ctrl-C ends the tests, and their end closes its stdin.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    std::mem::forget(command.spawn().unwrap());
}

#[test]
fn a_shared_folder_is_gone_after_the_process_that_made_it() {
    let made = |name: &str| std::env::var(name).ok();
    if let Some(folder) = made("REHEARSE_TEST_SHARED") {
        goes_with_us(Path::new(&folder));
        return; // we are the process, and end now
    }
    let folder = tempfile::tempdir().unwrap().keep();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "shared::a_shared_folder_is_gone_after_the_process_that_made_it"]);
    let child = child.env("REHEARSE_TEST_SHARED", &folder).output().unwrap();
    assert!(child.status.success());
    wait_until_gone(&folder);
}

#[test]
fn a_server_of_a_test_is_gone_after_the_process_that_was_killed() {
    if let Ok(note) = std::env::var("REHEARSE_TEST_NOTE") {
        let server = Server::shared(); // we are the process
        std::fs::write(&note, server.folder().to_str().unwrap()).unwrap();
        std::fs::rename(&note, format!("{note}.whole")).unwrap();
        loop {
            std::thread::park();
        }
    }
    let notes = tempfile::tempdir().unwrap();
    let note = notes.path().join("note");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "shared::a_server_of_a_test_is_gone_after_the_process_that_was_killed"]);
    let mut child = child.env("REHEARSE_TEST_NOTE", &note).stdout(Stdio::null()).spawn().unwrap();
    let watch = rehearsal::clock::Stopwatch::start();
    let folder = loop {
        assert!(watch.elapsed().as_secs() < 30, "no server came up");
        if let Ok(folder) = std::fs::read_to_string(notes.path().join("note.whole")) {
            break PathBuf::from(folder);
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until_gone(&folder);
    assert_eq!(rehearsal::process::processes_in(&folder, &["postgres"]), [0; 0]);
}

fn wait_until_gone(folder: &Path) {
    let watch = rehearsal::clock::Stopwatch::start();
    while folder.exists() {
        assert!(watch.elapsed().as_secs() < 30, "{} is still there", folder.display());
    }
}
