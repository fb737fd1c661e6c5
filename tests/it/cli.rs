//! The command as its users meet it: exit codes of the contract, what is said, and what is left behind.
//!
//! Scratch repositories have scenarios only: datasets and tools that are shipped can be named from anywhere.

mod comparing;
mod crashed;
#[cfg(feature = "docker")]
mod docker;
mod fetch;
mod house;
mod keeping;
mod killed;
mod narrowed;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod past_libc;
mod remarked;
mod remote;
mod replaying;
mod scratch;
mod shrinking;
mod versions;

pub(crate) use scratch::{GREEN, STUCK, Said, Scratch, run};

use rehearsal::process::{self, Exit, Signal};
use rstest::rstest;
use scratch::{cases, environment, report, root, until};
use std::time::Duration;

#[rstest]
#[case::no_arguments(&[], 64, "Usage")]
#[case::help(&["--help"], 0, "Exit codes")]
#[case::help_of_a_command(&["run", "--help"], 0, "--allow-missing")]
#[case::version(&["--version"], 0, "rehearse")]
#[case::unknown_command(&["rune"], 64, "run")]
#[case::unknown_flag(&["run", "--fast"], 64, "--fast")]
#[case::unknown_tier(&["run", "--tier", "slow"], 64, "nightly")]
#[case::no_jobs(&["run", "--jobs", "0"], 64, "1..=16")]
#[case::unknown_scenario(&["run", "greem"], 64, "no scenario `greem`")]
#[case::unknown_scenarios_are_answered_with_a_guess_and_a_list(
    &["run", "greem"],
    64,
    "did you mean `green`? there are: green"
)]
#[case::unknown_kind(&["run", "--kind", "net.rest"], 64, "net.reset")]
#[case::kind_that_no_scenario_has(&["run", "--kind", "net.reset"], 64, "net.reset")]
#[case::no_token(&["replay"], 64, "TOKEN")]
#[case::garbage(&["replay", "garbage"], 64, "r1:")]
#[case::token_of_no_scenario(&["replay", "r1:red:1:proc.kill@a:conn.1:00000000-00000000-00000000"], 64, "no scenario `red`")]
#[case::token_of_no_fault(
    &["replay", "r1:green:1:proc.kill@a:conn.1:00000000-00000000-00000000"],
    64,
    "no fault `proc.kill`"
)]
#[case::check(&["check"], 0, "1 scenario is right")]
#[case::list(&["list"], 0, "looks, and touches nothing")]
#[case::run(&["run"], 0, "GO")]
fn a_command_line_has_an_exit_code_and_an_answer(#[case] args: &[&str], #[case] code: i32, #[case] answer: &str) {
    let said = Scratch::with("green", GREEN).rehearse(args);
    said.has(code, answer);
    let stream = if code == 0 { &said.stdout } else { &said.stderr };
    assert!(stream.contains(answer), "on the wrong stream: {said:?}");
}

#[rstest]
#[case::check(&["check"])]
#[case::run(&["run"])]
#[case::run_of_another(&["run", "green", "typo"])]
fn a_typo_is_shown_with_its_line_and_nothing_runs(#[case] args: &[&str]) {
    let scratch = Scratch::with("green", GREEN).and("typo", &GREEN.replace("about", "abuot"));
    let said = scratch.rehearse(args);
    for part in ["scenarios/typo.toml:2:1", "^^^^^", "did you mean `about`?"] {
        said.has(2, part);
    }
    assert!(!scratch.out().exists(), "a bundle was made");
}

#[test]
fn a_list_says_which_scenario_is_not_right() {
    let said = Scratch::with("green", GREEN).and("typo", "format = 1").rehearse(&["list"]);
    said.has(2, "run `rehearse check typo`");
    said.has(2, "looks, and touches nothing");
}

const LOOK: &str = "[[step]]\nname = \"look\"\nrole = \"verify\"\nargv = [\"true\"]\n[[fault]]";
const THEN: &str = "then = { kind = \"net.reset\", during = \"look\", at = \"sweep\" }\n[rerun]";

#[rstest]
#[case::dataset(&GREEN.replace("notes-small", "nots-small"), "nots-small")]
#[case::size(&GREEN.replace("notes-small", "notes-smal"), "there is no size `smal`")]
#[case::database(&GREEN.replace("sqlite = \"new\"", "sqlite = \"knew\""), "knew")]
#[case::endpoint(&STUCK.replace("pg.target:", "pg.taget:"), "pg.taget")]
#[case::axis_of_files_on_a_server(&STUCK.replace("pg.target:commit", "pg.target:unlink"), "pg.target:unlink.1")]
#[case::loss_of_power_on_a_server(
    &STUCK.replace("proc.kill", "power.loss").replace("pg.target:commit.1", "sweep"),
    "every database is a file"
)]
#[case::placeholder(&GREEN.replace("\"true\"", "\"true\", \"{source.old}\""), "`look`: unknown placeholder in `{source.old}`")]
#[case::inputs_of_the_tool(&format!("{GREEN}[tool]\ninputs = [\"tools/*.sh\"]\n"), "`tools/*.sh` matches no file")]
#[case::loss_of_power_on_a_way_out(
    &STUCK.replace("[rerun]", "then = { kind = \"power.loss\", at = \"sweep\" }\n[rerun]"),
    "its states are made of what a golden run did to files"
)]
#[case::log_of_a_server_swept_over(
    &STUCK.replace("proc.kill", "disk.full=wal").replace("pg.target:commit.1", "sweep"),
    "disk.full=wal strikes at a place that is named"
)]
#[case::step_of_the_way_out(&STUCK.replace("[[fault]]", LOOK).replace("[rerun]", THEN), "`look` is on no way out of `copy`")]
fn an_unknown_name_is_bad_configuration(#[case] scenario: &str, #[case] answer: &str) {
    let scratch = Scratch::with("wrong", scenario);
    scratch.rehearse(&["check"]).has(2, answer);
    scratch.rehearse(&["list"]).has(2, answer);
    scratch.rehearse(&["run"]).has(2, answer);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = STUCK.replace("pg.target:", "pg.taget:");
    let said = Scratch::with("one", &wrong).and("green", GREEN).and("two", &wrong).rehearse(&["check"]);
    said.has(2, "2 scenarios are not right one: ");
    said.has(2, "two: ");
}

#[test]
fn a_missing_program_is_inconclusive_unless_it_may_be_missing() {
    let needs = GREEN.replace("[targets]", "needs = [\"no-such-program\"]\n[targets]");
    let scratch = Scratch::with("green", GREEN).and("needy", &needs);
    scratch.rehearse(&["list"]).has(0, "no-such-program");
    let said = scratch.rehearse(&["run"]);
    said.has(2, "program `no-such-program` is not in PATH");
    said.has(2, "INCONCLUSIVE");
    let allowed = scratch.rehearse(&["run", "--allow-missing", "no-such-program"]);
    allowed.has(0, "needy was left out, as allowed");
    scratch.rehearse(&["run", "needy", "--allow-missing", "no-such-program"]).has(2, "INCONCLUSIVE");
}

#[test]
fn missing_server_binaries_are_inconclusive_and_say_where_they_were_looked_for() {
    let mut scratch = Scratch::with("stuck", STUCK);
    scratch.env.insert("REHEARSE_PG_BIN".into(), "/nonexistent".into());
    let said = scratch.rehearse(&["run"]);
    said.has(2, "REHEARSE_PG_BIN");
    said.has(2, "/nonexistent");
}

#[test]
fn an_unset_variable_is_inconclusive_and_named() {
    let wants = GREEN.replace("argv = [\"true\"]", "argv = [\"true\"]\nenv_from = [\"API_TOKEN\"]");
    let mut scratch = Scratch::with("wants", &wants);
    let said = scratch.rehearse(&["run"]);
    said.has(2, "variable API_TOKEN, which a step asks for, is not set");
    scratch.env.insert("API_TOKEN".into(), "sesame-open-sesame".into());
    let said = scratch.rehearse(&["run"]);
    said.has(0, "GO");
    scratch.keeps_out("sesame-open-sesame");
}

// A limit on the size of files fails as a full disk does, and needs nobody's permission. Blocks have 512 bytes.
#[rstest]
#[case::when_the_bundle_is_made(1, "README.txt")]
#[case::when_the_journal_grows(2, "events.jsonl")]
fn a_full_disk_says_where_it_is_full(#[case] blocks: u32, #[case] place: &str) {
    let scratch = Scratch::with("wordy", &GREEN.replace("looks", &"looks ".repeat(200)));
    // Fixtures that need not be unpacked.
    std::os::unix::fs::symlink(root().join("fixtures"), scratch.dir.path().join("fixtures")).unwrap();
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" run");
    let argv = ["sh", "-c", &script, env!("CARGO_BIN_EXE_rehearse")];
    let said = run(scratch.dir.path(), &scratch.env, &argv);
    said.has(2, place);
    said.has(2, "File too large");
}

#[test]
fn two_rehearsals_at_once_agree_to_the_last_digest() {
    let rehearse = || {
        let out = tempfile::tempdir().unwrap();
        let scenarios = ["one-db/happy-path", "your-own-tool/ledger-copy"];
        let argv = [&[env!("CARGO_BIN_EXE_rehearse"), "run"], &scenarios[..], &["--out", out.path().to_str().unwrap()]];
        run(root(), &environment(), &argv.concat()).has(0, "GO");
        report(out.path())
    };
    let (one, other) = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(rehearse), scope.spawn(rehearse));
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(cases(&one), cases(&other));
    assert_eq!(one["outcome_sha256"], other["outcome_sha256"]);
    assert_ne!(one["run"], other["run"]);
    // Twelve injured cases and two golden ones, and the golden ones of the happy path.
    assert_eq!(cases(&one).len(), 16);
}

#[tokio::test]
async fn a_run_that_is_asked_to_end_seals_what_it_saw_and_leaves_nothing() {
    let mut scratch = Scratch::with("long", &GREEN.replace("[\"true\"]", "[\"sleep\", \"600\"]"));
    let base = scratch.own_base();
    let mut child = scratch.start(&["run"]);
    until("a step runs", Duration::from_secs(60), || scratch.journal().contains("step.started")).await;
    let session = base.session();
    // It is announced before it happens.
    until("its process is there", Duration::from_secs(60), || !process::marked(&session, None).is_empty()).await;
    process::kill(child.pid(), Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap(), Exit { code: Some(2), signal: None });
    base.is_clean_of(&session, Duration::ZERO).await;
    let journal = scratch.journal();
    assert!(journal.contains("run.interrupted") && journal.contains("run.finished"));
    assert!(scratch.bundle().join("SHA256SUMS").is_file(), "not sealed");
    base.is_gone().await;
}

#[tokio::test]
async fn a_runner_that_is_killed_in_mid_sweep_leaves_nothing_for_longer_than_two_seconds() {
    let mut scratch = Scratch::with("sweep", &STUCK.replace("pg.target:commit.1", "sweep"));
    let base = scratch.own_base();
    let mut child = scratch.start(&["run", "--tier", "full"]);
    until("a fault struck", Duration::from_secs(120), || scratch.journal().contains("fault.fired")).await;
    let session = base.session();
    process::kill(child.pid(), Signal::KILL).unwrap();
    assert_eq!(child.wait().await.unwrap().signal, Some(9));
    base.is_clean_of(&session, Duration::from_secs(2)).await;
    let bundle = scratch.bundle().display().to_string();
    scratch.rehearse(&["verify", &bundle]).has(3, "CHAIN_TRUNCATED");
    scratch.rehearse(&["verify", &bundle]).has(3, "evidence incomplete");
    base.is_gone().await;
}
