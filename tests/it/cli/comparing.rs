//! A run beside the last green one: what is different is said, and nothing else.

use crate::cli::{GREEN, STUCK, Scratch};
use std::fs;

fn summary(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.bundle().join("summary.md")).unwrap()
}

#[test]
fn what_is_different_from_the_last_green_run_is_in_the_reports() {
    let scratch = Scratch::with("looks", GREEN).and("more", GREEN);
    scratch.rehearse(&["run", "looks", "--out", "green"]).has(0, "GO");
    let baseline = ["--baseline", "green/latest"];
    scratch.rehearse(&[&["run", "looks"], &baseline[..]].concat()).has(0, "GO");
    assert!(summary(&scratch).contains("Nothing is different but times."), "{}", summary(&scratch));

    scratch.rehearse(&[&["run", "--seed", "7"], &baseline[..]].concat()).has(0, "GO");
    let text = summary(&scratch);
    for row in
        ["| looks | dataset | notes-small, seed 1,", "| notes-small, seed 7,", "| more | scenario | not there | pass |"]
    {
        assert!(text.contains(row), "no {row} in {text}");
    }
    assert!(!text.contains("| looks | tool |"), "the tool is the same: {text}");
    let page = fs::read_to_string(scratch.bundle().join("report.html")).unwrap();
    assert!(page.contains("What is different from the last green run"));
    let bundle = scratch.bundle().display().to_string();
    scratch.rehearse(&["verify", &bundle, "--strict"]).has(0, "verified");
}

#[test]
fn only_a_green_run_that_verifies_is_compared_with() {
    let scratch = Scratch::with("looks", GREEN).and("stuck", STUCK);
    scratch.rehearse(&["run", "stuck", "--out", "red"]).has(1, "NO-GO");
    scratch.rehearse(&["run", "looks", "--baseline", "red/latest"]).has(64, "it is no green run that verifies");
    scratch.rehearse(&["run", "looks", "--out", "green"]).has(0, "GO");
    fs::write(scratch.dir.path().join("green/latest/junit.xml"), "").unwrap();
    scratch.rehearse(&["run", "looks", "--baseline", "green/latest"]).has(64, "it is no green run that verifies");
    scratch.rehearse(&["run", "looks", "--baseline", "gone"]).has(2, "gone");
}
