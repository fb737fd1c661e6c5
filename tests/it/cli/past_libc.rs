//! Tools that call the kernel past the C library, as Go builds them: static ones, into which nothing can be preloaded, and
//! others. Here for Linux on x86_64.

use super::scratch::{Scratch, environment, run};
use rstest::rstest;

/// What is preloaded sees nothing of it; that it forgot to sync is found all the same, and each operation is a place to die.
#[rstest]
#[case::that_syncs(STATIC, ITSELF, ", \"sync\"]", 0, "crash 4/4 power.loss 6/6")]
#[case::that_forgets_to(STATIC, ITSELF, "]", 1, "SILENT")]
#[case::started_by_a_script_unseen(STATIC, BY_A_SCRIPT, ", \"sync\"]", 2, "(say `traced = true` in the step)")]
#[case::started_by_a_script(STATIC, BY_A_SCRIPT, ", \"sync\"]\ntraced = true", 0, "crash 4/4 power.loss 6/6")]
#[case::started_by_a_script_that_forgets_to(STATIC, BY_A_SCRIPT, "]\ntraced = true", 1, "SILENT")]
#[case::of_go_with_a_linker(GO, ITSELF, ", \"sync\"]", 0, "crash 4/4 power.loss 6/6")]
#[case::of_go_that_forgets_to(GO, ITSELF, "]", 1, "SILENT")]
#[case::of_nobody_knows_what(DYNAMIC, ITSELF, ", \"sync\"]", 2, "(say `traced = true` in the step)")]
fn a_tool_past_libc_is_rehearsed_like_any_other(
    #[case] linking: &[&str],
    #[case] start: &str,
    #[case] rest: &str,
    #[case] code: i32,
    #[case] says: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tool.c"), include_str!("raw_swap.c")).unwrap();
    let compiler = [&["cc", "-O1", "-fno-stack-protector", "-o", "tool", "tool.c"], linking].concat();
    let built = run(folder.path(), &environment(), &compiler);
    assert_eq!(built.code, Some(0), "{built:?}");
    let tool = folder.path().join("tool").display().to_string();
    let scenario = SWAP.replace("{start}", start).replace("{tool}", &tool).replace("{rest}", rest);
    Scratch::with("swap", &scenario).rehearse(&["run"]).has(code, says);
}

const STATIC: &[&str] = &["-nostdlib", "-static"];
const DYNAMIC: &[&str] = &["-nostartfiles"];
const GO: &[&str] = &["-nostartfiles", "-DGO"];

const ITSELF: &str = r#""{tool}""#;
const BY_A_SCRIPT: &str = r#""sh", "-c", "\"$@\" && true", "sh", "{tool}""#;

const SWAP: &str = r#"format = 1
about = "a tool past the C library that copies a file and renames the copy"
dataset = "notes-small"
[targets]
source = { sqlite = "old" }
target = { sqlite = "empty" }
[[step]]
name = "copy"
role = "apply"
argv = [{start}, "{source}", "{target}"{rest}
[[fault]]
kind = "power.loss"
during = "copy"
at = "sweep"
[[fault]]
kind = "proc.kill"
during = "copy"
at = "sweep"
"#;
