//! Somebody's repository, the command in it, and a base directory of its own.

use rehearsal::process::{self, Child, Spawn};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A scenario that is green at the price of a SQLite file: nothing is moved, so nothing can be wrong.
pub(crate) const GREEN: &str = r#"format = 1
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
pub(crate) const STUCK: &str = r#"format = 1
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

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The command that looks into an endpoint.
    pub(crate) fn way_into(&self, endpoint: &str) -> String {
        let mut lines = self.stdout.lines().filter(|line| line.contains("PGSERVICEFILE="));
        let found = lines.find_map(|line| line.trim().strip_prefix(endpoint));
        found.unwrap_or_else(|| panic!("no way into {endpoint}: {self:?}")).trim().to_owned()
    }

    /// Ended with `code`, and said `part` somewhere. Lines are joined, for tables and help are wrapped.
    pub(crate) fn has(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let text = format!("{} {}", self.stdout, self.stderr);
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(part), "does not say `{part}`: {self:?}");
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn run(cwd: &Path, env: &BTreeMap<OsString, OsString>, argv: &[&str]) -> Said {
    let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
    let output = process::run(&argv, cwd, env, None, "").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.exit.code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a command needs of the environment of the tests.
pub(crate) fn environment() -> BTreeMap<OsString, OsString> {
    let is_needed = |name: &str| ["PATH", "HOME", "TMPDIR"].contains(&name) || name.starts_with("REHEARSE_");
    std::env::vars_os().filter(|(name, _)| is_needed(&name.to_string_lossy())).collect()
}

/// Somebody's repository.
pub(crate) struct Scratch {
    pub(crate) dir: TempDir,
    pub(crate) env: BTreeMap<OsString, OsString>,
}

impl Scratch {
    pub(crate) fn with(name: &str, scenario: &str) -> Scratch {
        Scratch { dir: tempfile::tempdir().unwrap(), env: environment() }.and(name, scenario)
    }

    pub(crate) fn and(self, name: &str, scenario: &str) -> Scratch {
        self.write(name, scenario);
        self
    }

    pub(crate) fn write(&self, name: &str, scenario: &str) {
        let path = self.dir.path().join("scenarios").join(name).with_extension("toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, scenario).unwrap();
    }

    pub(crate) fn rehearse(&self, args: &[&str]) -> Said {
        run(self.dir.path(), &self.env, &[&[env!("CARGO_BIN_EXE_rehearse")], args].concat())
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let argv = [&[env!("CARGO_BIN_EXE_rehearse")], args].concat();
        let mut spawn = Spawn::new(argv, self.dir.path());
        spawn.env = self.env.clone();
        spawn.start().unwrap()
    }

    /// A base directory of its own, so that what is left can be told from what others use.
    pub(crate) fn own_base(&mut self) -> OwnBase {
        let base = OwnBase::new();
        self.env.insert("REHEARSE_BASE".into(), base.dir().into());
        base
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("target/rehearsal")
    }

    /// The newest bundle.
    pub(crate) fn bundle(&self) -> PathBuf {
        newest(&self.out()).unwrap()
    }

    pub(crate) fn journal(&self) -> String {
        let bundle = newest(&self.out());
        bundle.and_then(|bundle| std::fs::read_to_string(bundle.join("events.jsonl")).ok()).unwrap_or_default()
    }

    /// The token and the word of the one injured case of the newest run.
    pub(crate) fn injured_case(&self) -> (String, String) {
        let report = report(&self.out());
        let cases = report["scenarios"][0]["cases"].as_array().unwrap().clone();
        let injured: Vec<&Value> = cases.iter().filter(|case| case["token"].is_string()).collect();
        assert_eq!(injured.len(), 1, "{injured:?}");
        let text = |name: &str| injured[0][name].as_str().unwrap().to_owned();
        (text("token"), text("outcome"))
    }

    /// No file of any bundle has this secret.
    pub(crate) fn keeps_out(&self, secret: &str) {
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

pub(crate) fn report(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(newest(out).unwrap().join("report.json")).unwrap()).unwrap()
}

/// Address, word and verdict of each case.
pub(crate) fn cases(report: &Value) -> Vec<[Value; 3]> {
    let scenarios = report["scenarios"].as_array().unwrap();
    let cases = scenarios.iter().flat_map(|scenario| scenario["cases"].as_array().unwrap());
    cases.map(|case| ["address", "outcome", "verdict"].map(|name| case[name].clone())).collect()
}

/// A base directory that servers of another user can reach, and whose sockets have short names.
pub(crate) struct OwnBase {
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

    pub(crate) fn dir(&self) -> PathBuf {
        self.parent.path().join("b")
    }

    pub(crate) fn sessions(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.dir().join("sessions")).into_iter().flatten().flatten();
        found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    pub(crate) fn session(&self) -> String {
        self.sessions().first().unwrap().clone()
    }

    pub(crate) async fn is_clean_of(&self, session: &str, within: Duration) {
        let is_clean = || process::marked(session, None).is_empty() && self.sessions().is_empty();
        until("processes and directory of the session are gone", within, is_clean).await;
    }

    /// The supervisor ends the servers and removes all, itself last.
    pub(crate) async fn is_gone(&self) {
        until("the base is gone", Duration::from_secs(30), || !self.dir().exists()).await;
    }
}

pub(crate) async fn until(what: &str, within: Duration, is_so: impl Fn() -> bool) {
    let watch = rehearsal::clock::Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() <= within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
