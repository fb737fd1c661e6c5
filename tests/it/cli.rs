//! The command as its users meet it: exit codes of the contract, what is said, and what is left behind.
//!
//! Scratch repositories have scenarios only: datasets and tools that are shipped can be named from anywhere.

use rehearsal::process::{self, Child, Exit, Signal, Spawn};
use rstest::rstest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A scenario that is green at the price of a SQLite file: nothing is moved, so nothing can be wrong.
const GREEN: &str = r#"format = 1
about = "looks, and touches nothing"
dataset = "notes-small"
[targets]
source = { sqlite = "old" }
target = { sqlite = "new" }
[[step]]
name = "look"
role = "apply"
argv = ["true"]
[[map]]
source = "select 1 from notes join notebooks limit 1"
target = "select 1 from settings left join notes left join notebooks limit 1"
"#;

/// A planted bug: after half a copy no run can ever succeed.
const STUCK: &str = r#"format = 1
about = "appends to what is there"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "copy"
role = "apply"
argv = ["sh", "{fixtures}/tools/ledger-append.sh"]
env = { OLD_URL = "{source}", NEW_URL = "{target}" }
[[fault]]
kind = "proc.kill"
during = "copy"
at = "pg.target:commit.1"
[rerun]
expect = "refuses"
"#;

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
#[case::unknown_scenarios_are_answered_with_a_list(&["run", "greem"], 64, "green")]
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

#[rstest]
#[case::dataset(&GREEN.replace("notes-small", "nots-small"), "nots-small")]
#[case::size(&GREEN.replace("notes-small", "notes-smal"), "there is no size `smal`")]
#[case::database(&GREEN.replace("sqlite = \"new\"", "sqlite = \"knew\""), "knew")]
#[case::endpoint(&STUCK.replace("pg.target:", "pg.taget:"), "pg.taget")]
fn an_unknown_name_is_bad_configuration(#[case] scenario: &str, #[case] answer: &str) {
    let scratch = Scratch::with("wrong", scenario);
    scratch.rehearse(&["check"]).has(2, answer);
    scratch.rehearse(&["list"]).has(2, answer);
    scratch.rehearse(&["run"]).has(2, answer);
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
fn a_token_replays_its_case_and_says_when_the_tool_is_another_one() {
    let scratch = Scratch::with("mine/append", STUCK);
    let said = scratch.rehearse(&["run"]);
    said.has(1, "NO-GO");
    let (token, outcome) = scratch.injured_case();
    said.has(1, &token);
    assert_eq!(outcome, "STUCK");

    let again = scratch.rehearse(&["replay", &token]);
    again.has(1, "NO-GO");
    assert!(!again.stderr.contains("has changed"), "{again:?}");
    assert_eq!(scratch.injured_case(), (token.clone(), outcome));

    // Repaired, it may run twice.
    scratch.write("mine/append", &STUCK.replace("ledger-append", "ledger-copy").replace("refuses", "same-state"));
    let fixed = scratch.rehearse(&["replay", &token]);
    fixed.has(0, "the tool has changed since this token was made");
    assert_eq!(scratch.injured_case().1, "PASS");
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
    assert_ne!(process::marked(&session, None), [0; 0]);
    process::kill(child.pid(), Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap(), Exit { code: Some(2), signal: None });
    base.is_clean_of(&session, Duration::ZERO).await;
    let journal = scratch.journal();
    assert!(journal.contains("interrupted; the rest was not rehearsed") && journal.contains("run.finished"));
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
    base.is_gone().await;
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    /// Ended with `code`, and said `part` somewhere. Lines are joined, for tables and help are wrapped.
    pub(crate) fn has(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let text = format!("{} {}", self.stdout, self.stderr);
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(part), "does not say `{part}`: {self:?}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(cwd: &Path, env: &BTreeMap<OsString, OsString>, argv: &[&str]) -> Said {
    let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
    let output = process::run(&argv, cwd, env, None, "").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.exit.code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a command needs of the environment of the tests.
fn environment() -> BTreeMap<OsString, OsString> {
    let is_needed = |name: &str| ["PATH", "HOME", "TMPDIR"].contains(&name) || name.starts_with("REHEARSE_");
    std::env::vars_os().filter(|(name, _)| is_needed(&name.to_string_lossy())).collect()
}

/// Somebody's repository.
pub(crate) struct Scratch {
    dir: TempDir,
    env: BTreeMap<OsString, OsString>,
}

impl Scratch {
    pub(crate) fn with(name: &str, scenario: &str) -> Scratch {
        Scratch { dir: tempfile::tempdir().unwrap(), env: environment() }.and(name, scenario)
    }

    fn and(self, name: &str, scenario: &str) -> Scratch {
        self.write(name, scenario);
        self
    }

    fn write(&self, name: &str, scenario: &str) {
        let path = self.dir.path().join("scenarios").join(name).with_extension("toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, scenario).unwrap();
    }

    pub(crate) fn rehearse(&self, args: &[&str]) -> Said {
        run(self.dir.path(), &self.env, &[&[env!("CARGO_BIN_EXE_rehearse")], args].concat())
    }

    fn start(&self, args: &[&str]) -> Child {
        let argv = [&[env!("CARGO_BIN_EXE_rehearse")], args].concat();
        let mut spawn = Spawn::new(argv, self.dir.path());
        spawn.env = self.env.clone();
        spawn.start().unwrap()
    }

    /// A base directory of its own, so that what is left can be told from what others use.
    fn own_base(&mut self) -> OwnBase {
        let base = OwnBase::new();
        self.env.insert("REHEARSE_BASE".into(), base.dir().into());
        base
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("target/rehearsal")
    }

    /// The newest bundle.
    fn bundle(&self) -> PathBuf {
        newest(&self.out()).unwrap()
    }

    fn journal(&self) -> String {
        let bundle = newest(&self.out());
        bundle.and_then(|bundle| std::fs::read_to_string(bundle.join("events.jsonl")).ok()).unwrap_or_default()
    }

    /// The token and the word of the one injured case of the newest run.
    fn injured_case(&self) -> (String, String) {
        let report = report(&self.out());
        let cases = report["scenarios"][0]["cases"].as_array().unwrap().clone();
        let injured: Vec<&Value> = cases.iter().filter(|case| case["token"].is_string()).collect();
        assert_eq!(injured.len(), 1, "{injured:?}");
        let text = |name: &str| injured[0][name].as_str().unwrap().to_owned();
        (text("token"), text("outcome"))
    }

    /// No file of any bundle has this secret.
    fn keeps_out(&self, secret: &str) {
        let out = self.out();
        let argv = ["grep", "-rl", secret, out.to_str().unwrap()];
        assert_eq!(run(self.dir.path(), &self.env, &argv).stdout, "");
    }
}

fn newest(out: &Path) -> Option<PathBuf> {
    let made = |path: &PathBuf| std::fs::metadata(path.join("events.jsonl")).and_then(|found| found.created()).ok();
    let bundles = std::fs::read_dir(out).ok()?.flatten().map(|entry| entry.path());
    bundles.filter(|path| path.is_dir() && !path.is_symlink()).max_by_key(made)
}

fn report(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(newest(out).unwrap().join("report.json")).unwrap()).unwrap()
}

/// Address, word and verdict of each case.
fn cases(report: &Value) -> Vec<[Value; 3]> {
    let scenarios = report["scenarios"].as_array().unwrap();
    let cases = scenarios.iter().flat_map(|scenario| scenario["cases"].as_array().unwrap());
    cases.map(|case| ["address", "outcome", "verdict"].map(|name| case[name].clone())).collect()
}

/// A base directory that servers of another user can reach, and whose sockets have short names.
struct OwnBase {
    parent: TempDir,
}

impl OwnBase {
    fn new() -> OwnBase {
        let parent =
            ["/dev/shm", "/tmp"].iter().find_map(|dir| tempfile::Builder::new().prefix("r").tempdir_in(dir).ok());
        let parent = parent.unwrap();
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        OwnBase { parent }
    }

    fn dir(&self) -> PathBuf {
        self.parent.path().join("b")
    }

    fn sessions(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.dir().join("sessions")).into_iter().flatten().flatten();
        found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn session(&self) -> String {
        self.sessions().first().unwrap().clone()
    }

    async fn is_clean_of(&self, session: &str, within: Duration) {
        let is_clean = || process::marked(session, None).is_empty() && self.sessions().is_empty();
        until("processes and directory of the session are gone", within, is_clean).await;
    }

    /// The supervisor ends the servers and removes all, itself last.
    async fn is_gone(&self) {
        until("the base is gone", Duration::from_secs(30), || !self.dir().exists()).await;
    }
}

async fn until(what: &str, within: Duration, is_so: impl Fn() -> bool) {
    let watch = rehearsal::clock::Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() <= within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
