//! `rehearse replay`: on another machine, on another tool, on other data; and stopping at the fault.

use super::scratch::{STUCK, Said, Scratch, environment, run, until};
use rehearsal::process::{self, Child, Signal, Spawn};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[test]
fn a_token_replays_its_case_and_says_whether_another_tool_is_a_better_one() {
    let scratch = Scratch::with("mine/append", STUCK);
    let said = scratch.rehearse(&["run"]);
    said.has(1, "NO-GO");
    let (token, outcome) = scratch.injured_case();
    said.has(1, &token);
    assert_eq!(outcome, "STUCK");

    let again = scratch.rehearse(&["replay", &token]);
    again.has(1, "NO-GO");
    assert!(!again.stdout.contains("still fails"), "the tool is the same: {again:?}");
    assert_eq!(scratch.injured_case(), (token.clone(), outcome));

    // Another command line, and the same bug.
    let renamed = STUCK.replace("[\"sh\", ", "[\"sh\", \"-e\", ");
    scratch.write("mine/append", &renamed);
    scratch.rehearse(&["replay", &token]).has(1, "still fails (the tool has changed since this token was made)");

    // Repaired, it may run twice.
    scratch.write("mine/append", &STUCK.replace("ledger-append", "ledger-copy").replace("refuses", "same-state"));
    let fixed = scratch.rehearse(&["replay", &token]);
    fixed.has(0, "fixed: the case is green now");
    fixed.has(0, "it sends other statements than then");
    assert_eq!(scratch.injured_case().1, "PASS");
}

#[test]
fn a_token_goes_to_another_place_and_another_home_pasted_into_whatever_shell_is_there() {
    let here = Scratch::with("append", STUCK);
    here.rehearse(&["run"]).has(1, "NO-GO");
    let (token, outcome) = here.injured_case();
    let mut there = Scratch::with("append", STUCK);
    there.env.insert("HOME".into(), there.dir.path().into());
    let _base = there.own_base();
    for shell in ["bash", "zsh", "sh"].iter().filter(|shell| which::which(shell).is_ok()) {
        let line = format!("{} replay {token}", env!("CARGO_BIN_EXE_rehearse"));
        run(there.dir.path(), &there.env, &[shell, "-c", &line]).has(1, &outcome);
        let found = there.injured_case();
        assert_eq!(found, (token.clone(), outcome.clone()), "{shell}: the same word, digests and all");
    }
}

#[test]
fn on_other_data_a_replay_is_no_answer() {
    let scratch = Scratch::with("append", STUCK);
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let (token, _) = scratch.injured_case();
    scratch.write("append", &STUCK.replace("ledger-small", "ledger-150"));
    let said = scratch.rehearse(&["replay", &token]);
    said.has(2, "the dataset `ledger-150` is not the one of this token");
    said.has(2, "rehearse run append");
}

/// The script is no declared input, so the tool counts as the same, and sends something else.
#[test]
fn the_same_tool_with_other_statements_has_diverged() {
    let script = |sql: &str| format!("psql -X -q \"$NEW_URL\" -c '{sql}' && sh \"$1\"\n");
    let scenario = STUCK.replace("[targets]", "tool = { inputs = [\"tool.lock\"] }\n[targets]");
    let scenario =
        scenario.replace("\"sh\", \"{fix", "\"sh\", \"{root}/first.sh\", \"{fix").replace("commit.1", "commit.2");
    let scratch = Scratch::with("append", &scenario);
    let write = |name: &str, text: &str| std::fs::write(scratch.dir.path().join(name), text).unwrap();
    write("tool.lock", "1");
    write("first.sh", &script("select 1"));
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let (token, _) = scratch.injured_case();
    write("first.sh", &script("select 1 where true"));
    // The bug is still there, and red beats unknown.
    scratch.rehearse(&["replay", &token]).has(1, "DIVERGED: the same tool sent other statements");
    assert_eq!(scratch.injured_case().1, "DIVERGED");
}

#[test]
fn a_pause_shows_how_to_look_inside_and_goes_on_at_the_end_of_stdin() {
    let scratch = Scratch::with("append", STUCK);
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let (token, _) = scratch.injured_case();
    // Stdin of a child of ours is empty.
    let said = scratch.rehearse(&["replay", &token, "--pause-at", "fault"]);
    for part in ["paused append/0001-", "has struck; the way out has not begun", "pg.target PGSERVICEFILE=", "STUCK"] {
        said.has(1, part);
    }
    assert!(!said.stdout.contains("password"), "{said:?}");
}

#[tokio::test]
async fn a_paused_case_can_be_looked_into_without_a_password_and_goes_on_at_a_signal() {
    let scratch = Scratch::with("append", STUCK);
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let (token, _) = scratch.injured_case();
    let (mut child, out) = waiting(&scratch, &["replay", &token, "--pause-at", "fault"]);
    let said = || std::fs::read_to_string(&out).unwrap_or_default();
    until("it is paused", Duration::from_secs(120), || said().contains("goes on")).await;

    let look = Said { code: None, stdout: said(), stderr: String::new() }.way_into("pg.target");
    let services = look.split(['=', ' ']).nth(1).unwrap();
    assert_eq!(std::fs::metadata(services).unwrap().permissions().mode() & 0o777, 0o600);
    let command = format!("{look} -X -At -c 'select count(*) > 0 from accounts'");
    run(scratch.dir.path(), &environment(), &["sh", "-c", &command]).has(0, "t");

    // It ends the pause, and not the run.
    process::kill(child.pid(), Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code, Some(1));
    assert!(said().contains("STUCK"), "{}", said());
}

/// The command with a stdin that nobody writes to, and the file that it speaks to.
fn waiting(scratch: &Scratch, args: &[&str]) -> (Child, std::path::PathBuf) {
    let out = scratch.dir.path().join("said");
    // A pipe that is open on both sides has no end.
    let script = "mkfifo stdin && exec 3<> stdin && exec \"$@\" <&3";
    let argv = [&["sh", "-c", script, "sh", env!("CARGO_BIN_EXE_rehearse")], args].concat();
    let mut spawn = Spawn::new(argv, scratch.dir.path());
    spawn.env = scratch.env.clone();
    spawn.stdout = Some(out.clone());
    (spawn.start().unwrap(), out)
}
