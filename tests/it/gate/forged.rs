//! One small real bundle, and copies of it in which somebody has been at work.

use crate::cli::{Scratch, run};
use crate::shared::goes_with_us;
use rehearsal::evidence;
use rehearsal::gate::{Expected, Verification, verify};
use rehearsal::model::canonical::sha256_hex;
use rehearsal::model::{Body, Event, RunRecord, States};
use rehearsal::registry::Registry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

/// A loader that survives, and the faults that hit it.
pub(super) fn copying(faults: &str) -> String {
    format!("{COPIES}{faults}")
}

/// One kill, two uninjured runs.
pub(super) const KILLED: &str = r#"[[fault]]
kind = "proc.kill"
during = "copy"
at = "pg.target:commit.1"
"#;

const COPIES: &str = r#"format = 1
about = "replaces all rows in one transaction"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "copy"
role = "apply"
argv = ["sh", "{fixtures}/tools/ledger-copy.sh"]
env = { OLD_URL = "{source}", NEW_URL = "{target}" }
"#;

/// A repository with that loader, killed once, of which nobody knows on whose machine it was made.
pub(super) fn survivor() -> Scratch {
    let mut scratch = Scratch::with("survives", &copying(KILLED));
    scratch.env.insert("REHEARSE_RUNNER".into(), "somebody@example.org".into());
    scratch
}

/// The repository of the run stays until the tests end.
static RUN: LazyLock<(Scratch, PathBuf)> = LazyLock::new(|| {
    let scratch = survivor();
    goes_with_us(scratch.dir.path());
    scratch.rehearse(&["run"]).has(0, "GO");
    let bundle = scratch.bundle();
    (scratch, bundle)
});

/// A copy of the bundle.
pub(super) struct Forged {
    dir: TempDir,
}

impl Forged {
    /// For one that all tests of a process share.
    pub(super) fn goes_with_us(&self) {
        goes_with_us(self.dir.path());
    }

    pub(super) fn new() -> Forged {
        Forged::of(&RUN.1)
    }

    /// A copy of another bundle.
    pub(super) fn of(bundle: &Path) -> Forged {
        let dir = tempfile::tempdir().unwrap();
        copy(bundle, &dir.path().join("run-x"));
        Forged { dir }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("run-x")
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(super) fn verify(&self, expected: &Expected) -> Verification {
        verify(&Registry::builtin(), &self.root(), expected).unwrap()
    }

    /// The codes of all complaints, each once, sorted.
    pub(super) fn codes(&self, expected: &Expected) -> Vec<String> {
        let mut codes: Vec<String> =
            self.verify(expected).complaints.iter().map(|complaint| complaint.code.word()).collect();
        codes.dedup();
        codes
    }

    pub(super) fn write(&self, path: &str, text: &str) -> &Forged {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
        self
    }

    pub(super) fn edit(&self, path: &str, change: impl FnOnce(String) -> String) -> &Forged {
        let text = change(fs::read_to_string(self.path(path)).unwrap());
        self.write(path, &text)
    }

    pub(super) fn remove(&self, path: &str) -> &Forged {
        fs::remove_file(self.path(path)).unwrap();
        self
    }

    /// Changes lines of the journal, and nothing that depends on them.
    pub(super) fn lines(&self, change: impl FnOnce(&mut Vec<String>)) -> &Forged {
        self.edit("events.jsonl", |text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            change(&mut lines);
            lines.iter().map(|line| format!("{line}\n")).collect()
        })
    }

    /// Changes events, and chains them anew.
    pub(super) fn events(&self, change: impl FnOnce(&mut Vec<Event>)) -> &Forged {
        let mut events = evidence::read(&self.path("events.jsonl")).unwrap();
        change(&mut events);
        let (mut text, mut prev) = (String::new(), "0".repeat(64));
        for (event, seq) in events.iter_mut().zip(1..) {
            (event.seq, event.prev) = (seq, prev);
            let line = serde_json::to_string(event).unwrap();
            prev = sha256_hex(line.as_bytes());
            text += &(line + "\n");
        }
        self.write("events.jsonl", &text)
    }

    /// Chains lines anew that were changed, whatever they hold.
    pub(super) fn relink(&self) -> &Forged {
        let mut prev = "0".repeat(64);
        self.lines(|lines| {
            for (line, seq) in lines.iter_mut().zip(1..) {
                let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
                (event["seq"], event["prev"]) = (seq.into(), std::mem::take(&mut prev).into());
                *line = event.to_string();
                prev = sha256_hex(line.as_bytes());
            }
        })
    }

    /// Derives everything anew that follows from the events, as an attacker would who knows our code.
    pub(super) fn derive(&self) -> &Forged {
        let states = self.states();
        self.events(|events| {
            let record = RunRecord::from_events(events.iter());
            if let Some(Body::RunFinished { outcome_sha256, .. }) = events.last_mut().map(|last| &mut last.body) {
                *outcome_sha256 = evidence::outcome_sha256(&record, &states);
            }
        });
        self.report().sum()
    }

    /// Writes the reports anew.
    pub(super) fn report(&self) -> &Forged {
        let mut record = RunRecord::from_events(&evidence::read(&self.path("events.jsonl")).unwrap());
        record.environment = serde_json::from_slice(&fs::read(self.path("environment.json")).unwrap()).ok();
        for report in Registry::builtin().reports {
            fs::write(self.path(report.file()), report.render(&record, &self.states())).unwrap();
        }
        self
    }

    /// Writes the sums anew, with other people's program.
    pub(super) fn sum(&self) -> &Forged {
        let script = "LC_ALL=C find . -type f ! -path ./SHA256SUMS ! -path './attest/*' ! -path './signoffs/*' | \
                      sed 's|^./||' | LC_ALL=C sort | xargs sha256sum > ../sums && mv ../sums SHA256SUMS";
        let env = std::env::vars_os().collect();
        run(&self.root(), &env, &["sh", "-c", script]).has(0, "");
        self
    }

    pub(super) fn states(&self) -> States {
        let files = fs::read_dir(self.path("states")).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: PathBuf| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, Arc::new(serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()))
        };
        files.map(read).collect()
    }

    /// A file of the folder of states.
    pub(super) fn a_state(&self) -> String {
        let first = self.states().into_keys().next().unwrap();
        format!("states/{first}.json")
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
