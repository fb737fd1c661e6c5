//! A folder of legacy files from the dataset, and the tool in front of it.

use crate::shared::goes_with_us;
use rehearsal::dataset::{Dataset, load_sqlite};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub(super) const TARGETS: [&str; 4] = ["agents.db", "analytics.db", "core.db", "memory.db"];

/// Made once: loading 22 files takes longer than copying them.
fn template() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let make = || {
        let fixtures = [Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
        let dataset = Dataset::find(&fixtures, "debates-small", 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        goes_with_us(folder.path());
        for database in dataset.databases() {
            let file = format!("{}.db", database.name);
            if !TARGETS.contains(&file.as_str()) {
                load_sqlite(&folder.path().join(file), database).unwrap();
            }
        }
        folder
    };
    MADE.get_or_init(make).path()
}

pub(super) struct Stage {
    folder: tempfile::TempDir,
    profile: Option<PathBuf>,
}

impl Stage {
    pub(super) fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        for entry in fs::read_dir(template()).unwrap().flatten() {
            if !entry.file_name().to_string_lossy().ends_with("-shm") {
                fs::copy(entry.path(), folder.path().join("data").join(entry.file_name())).unwrap();
            }
        }
        Stage { folder, profile: None }
    }

    /// With a profile of its own: the shipped one, changed.
    pub(super) fn with_profile(changes: &[(&str, &str)]) -> Stage {
        let mut stage = Stage::new();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/debates");
        let own = stage.folder.path().join("profile");
        fs::create_dir_all(own.join("consolidated")).unwrap();
        for entry in fs::read_dir(shipped.join("consolidated")).unwrap().flatten() {
            fs::copy(entry.path(), own.join("consolidated").join(entry.file_name())).unwrap();
        }
        let mut text = fs::read_to_string(shipped.join("profile.toml")).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        fs::write(own.join("profile.toml"), text).unwrap();
        stage.profile = Some(own.join("profile.toml"));
        stage
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
        command.args(["tool", "consolidate"]).args(arguments).env_clear().env("TMPDIR", self.folder.path());
        command.env("ARAGORA_DATA_DIR", self.folder());
        if let Some(profile) = &self.profile {
            command.arg("--profile").arg(profile);
        }
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it printed.
    #[track_caller]
    pub(super) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    #[track_caller]
    pub(super) fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    pub(super) fn report(&self, arguments: &[&str]) -> serde_json::Value {
        let path = self.folder.path().join("report.json");
        let output = self.command(arguments).arg("--report-path").arg(&path).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(report["success"], output.status.success(), "{report:#}");
        report
    }

    pub(super) fn sql(&self, file: &str, sql: &str) {
        let connection = rusqlite::Connection::open(self.path(file)).unwrap();
        connection.execute_batch("pragma foreign_keys = off").unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// The first value, read from a copy.
    pub(super) fn ask(&self, file: &str, query: &str) -> String {
        rehearsal::db::sqlite::first_row(&self.path(file), query).unwrap().unwrap_or_default()
    }

    /// Every file of the folder with its bytes and the time of its last change.
    pub(super) fn everything(&self) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
        let entries = fs::read_dir(self.folder()).unwrap().flatten().filter(|entry| entry.path().is_file());
        let about = |entry: fs::DirEntry| {
            let changed = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().to_string_lossy().into_owned(), (fs::read(entry.path()).unwrap(), changed))
        };
        entries.map(about).collect()
    }

    /// The same without what commands make.
    pub(super) fn sources(&self) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
        let mut files = self.everything();
        files.retain(|name, _| !TARGETS.contains(&name.as_str()) && !name.starts_with('.'));
        files
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}
