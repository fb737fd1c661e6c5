//! SQLite files as targets: somebody else's tool over them is rehearsed, compared and judged like any other.

use crate::cli::Scratch;
use rstest::rstest;
use std::path::Path;

/// Cargo builds examples beside the command.
pub(crate) fn copy_notes() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_rehearse")).parent().unwrap();
    let example = folder.join("examples/copy_notes");
    assert!(example.is_file(), "{} is not built: `cargo build --examples`, or test everything", example.display());
    example.display().to_string()
}

#[rstest]
#[case::a_tool_that_is_right("", 0, &["GO", "parity 0 differences in 3 tables / 202 rows"])]
#[case::a_lost_note("loses-a-note", 1, &["NO-GO", "SILENT", "parity fails", "table notes"])]
#[case::a_mark_in_the_source("marks-the-source", 1, &["NO-GO", "SOURCE-TOUCHED", "sources-unchanged fails", "moved"])]
fn somebody_elses_sqlite_tool_is_judged_by_what_the_files_hold(
    #[case] bug: &str,
    #[case] code: i32,
    #[case] expected: &[&str],
) {
    let scenario = format!(
        r#"format = 1
about = "copies notes"
dataset = "notes-small"
[targets]
source = {{ sqlite = "old" }}
target = {{ sqlite = "new" }}
[[step]]
name = "copy"
role = "apply"
argv = ["{}", "{{source}}", "{{target}}", "{bug}"]
"#,
        copy_notes()
    );
    let said = Scratch::with("notes", &scenario).rehearse(&["run"]);
    expected.iter().for_each(|text| said.has(code, text));
}

/// The canary without its expectation, as its author would have it.
#[test]
fn rows_that_somebody_elses_consolidation_passed_over_are_named() {
    let canary = include_str!("../../scenarios/canary/rows-passed-over.toml");
    let scenario = canary.split("[expect]").next().unwrap();
    let said = Scratch::with("merge", scenario).rehearse(&["run"]);
    for text in ["NO-GO", "SILENT", "parity fails", "map 3 (missing 1; missing 10"] {
        said.has(1, text);
    }
}
