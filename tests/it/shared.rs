//! Folders that all tests of a process share. Nothing drops a static, so a child removes them once this process is gone, in
//! whatever way it went.
#![allow(clippy::disallowed_methods)] // no child of the product's: it outlives us

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Removes a folder when this process ends.
pub(crate) fn goes_with_us(folder: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r _; rm -rf \"$1\"", "sh"]).arg(folder).current_dir("/");
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
    let watch = rehearsal::clock::Stopwatch::start();
    while folder.exists() {
        assert!(watch.elapsed().as_secs() < 30, "{} is still there", folder.display());
    }
}
