//! How many injured cases a minute, and what of it is our own share: the rest is the tool's run.

use super::ground::Ground;
use super::line::Line;
use rehearsal::{Error, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

const LEDGER: &str = include_str!("../../../scenarios/your-own-tool/ledger-copy.toml");
/// A native tool that is through in few milliseconds, refused and killed at every operation.
const NATIVE: &str = r#"format = 1
about = "a native tool that copies notes"
dataset = "notes-small"
[targets]
source = { sqlite = "old" }
target = { sqlite = "empty" }
[[step]]
name = "copy"
role = "apply"
argv = ["sqlite3", "-bail", "{target}", """
attach '{source}' as old; begin; delete from notes; delete from notebooks; delete from sqlite_sequence;
insert into notebooks select * from old.notebooks; insert into sqlite_sequence select * from old.sqlite_sequence;
insert into notes select * from old.notes; commit
"""]
"#;
/// Nothing is moved, so nothing can be wrong.
const NOTHING: &str = r#"format = 1
about = "asks one question of a target that holds everything already"
dataset = "ledger-small"
[targets]
source = { postgres = "old" }
target = { postgres = "old" }
[[step]]
name = "look"
role = "apply"
argv = ["psql", "-X", "-q", "{target}", "-c", "select 1"]
"#;
/// The same over files.
const NOTHING_TO_FILES: &str = r#"format = 1
about = "does nothing to a target that holds everything already"
dataset = "notes-small"
[targets]
source = { sqlite = "old" }
target = { sqlite = "old" }
[[step]]
name = "look"
role = "apply"
argv = ["true"]
"#;
const HARMS: [&str; 3] = ["proc.kill", "disk.full", "disk.eio"];

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let home = Home::below(ground.dir.path())?;
    let mut lines = vec![rate(ground, &home, ("G13", "injured Postgres cases, psql tool", "ledger", 400.0))?];
    lines.push(match ground.has("sqlite3") {
        true => rate(ground, &home, ("", "injured SQLite cases, native tool", "native", 3000.0))?,
        false => Line::missing(("", "injured SQLite cases, native tool", "3,000 a minute", 1.0), "sqlite3"),
    });
    lines.push(share(ground, &home, ("our share of an injured Postgres case", "ledger", 1800.0))?);
    lines.push(share(ground, &home, ("the same, a fresh server for each", "ledger-alone", 700.0))?);
    if ground.has("sqlite3") {
        lines.push(share(ground, &home, ("our share of an injured SQLite case", "native", 90_000.0))?);
    }
    Ok(lines)
}

/// Minutes per case of what is wanted a minute: all jobs at work, golden runs left aside.
fn rate(
    ground: &Ground,
    home: &Home,
    (number, ours, scenario, wanted): (&'static str, &str, &str, f64),
) -> Result<Line> {
    let (name, goal) = (format!("{ours}, minutes each"), format!("1/{wanted} of a minute"));
    let per_case = || home.run(ground, scenario, "").map(|cases| cases.seconds / 60.0 / cases.count);
    Line::paired((number, &name, &goal, 1.0), ground.rounds.min(3), per_case, || Ok(1.0 / wanted))
}

/// The same of what is not the tool's run, one case at a time.
fn share(ground: &Ground, home: &Home, (ours, scenario, wanted): (&str, &str, f64)) -> Result<Line> {
    let (name, goal) = (format!("{ours}, minutes"), format!("1/{wanted} of a minute"));
    let per_case = || {
        let cases = home.run(ground, scenario, "--jobs 1")?;
        Ok((cases.seconds - cases.tool_seconds) / 60.0 / cases.count)
    };
    Line::paired(("G13", &name, &goal, 1.0), ground.rounds.min(3), per_case, || Ok(1.0 / wanted))
}

/// A library of scenarios of our own.
pub(crate) struct Home {
    folder: PathBuf,
}

/// The injured cases of a run.
pub(crate) struct Cases {
    count: f64,
    /// From the beginning of the first to the end of the last.
    seconds: f64,
    /// Of all steps.
    tool_seconds: f64,
}

impl Home {
    pub(crate) fn below(folder: &Path) -> Result<Home> {
        let folder =
            tempfile::tempdir_in(folder).map_err(|error| Error::io("create a folder in", folder, error))?.keep();
        let scenarios = folder.join("scenarios");
        let trouble = |error| Error::io("write", &folder, error);
        std::fs::create_dir_all(&scenarios).map_err(trouble)?;
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");
        std::os::unix::fs::symlink(fixtures, folder.join("fixtures")).map_err(trouble)?;
        let fault = |kind: &&str| format!("[[fault]]\nkind = \"{kind}\"\nduring = \"copy\"\nat = \"sweep\"\n");
        let native = format!("{NATIVE}{}", HARMS.iter().map(fault).collect::<String>());
        let alone = LEDGER.replacen("format = 1", "format = 1\nown_server = true", 1);
        let texts = [
            ("native", native.as_str()),
            ("ledger", LEDGER),
            ("ledger-alone", &alone),
            ("nothing", NOTHING),
            ("nothing-to-files", NOTHING_TO_FILES),
        ];
        for (name, text) in texts {
            std::fs::write(scenarios.join(format!("{name}.toml")), text).map_err(trouble)?;
        }
        Ok(Home { folder })
    }

    fn run(&self, ground: &Ground, scenario: &str, more: &str) -> Result<Cases> {
        Cases::of(&self.events(ground, scenario, more)?)
    }

    /// What a run has written down.
    pub(crate) fn events(&self, ground: &Ground, scenario: &str, more: &str) -> Result<Vec<Value>> {
        let out = self.folder.join("runs");
        let script = format!(
            "cd $F && rm -rf runs && $REHEARSE run {scenario} --tier full {more} --out runs > said 2>&1 || \
             {{ cat said; exit 1; }}"
        );
        ground.sh(&script, &[("F", &self.folder.display().to_string())], &[0])?;
        events(&out)
    }

    /// The bundle of the last run.
    pub(crate) fn bundle(&self) -> Result<PathBuf> {
        let latest = self.folder.join("runs/latest");
        latest.canonicalize().map_err(|error| Error::io("open", &latest, error))
    }
}

fn events(runs: &Path) -> Result<Vec<Value>> {
    let entries = std::fs::read_dir(runs).map_err(|error| Error::io("read", runs, error))?;
    let text = entries.flatten().find_map(|entry| std::fs::read_to_string(entry.path().join("events.jsonl")).ok());
    let text = text.ok_or_else(|| Error::environment("the run left no events"))?;
    let events = text.lines().map(serde_json::from_str::<Value>).collect::<std::result::Result<Vec<_>, _>>();
    events.map_err(|error| Error::environment("events.jsonl").caused_by(error))
}

impl Cases {
    fn of(events: &[Value]) -> Result<Cases> {
        let is_injured = |event: &&Value| event["case"].as_str().is_some_and(|case| !case.contains("/golden"));
        let injured: Vec<&Value> = events.iter().filter(is_injured).collect();
        let time = |kind: &'static str| {
            injured.iter().filter(move |event| event["type"] == kind).filter_map(|event| event["mono_us"].as_f64())
        };
        let (began, ended) = (time("case.started").reduce(f64::min), time("case.finished").reduce(f64::max));
        let (Some(began), Some(ended)) = (began, ended) else { return Err(Error::environment("no case was injured")) };
        let tool = injured.iter().filter(|event| event["type"] == "step.finished");
        let tool_us: f64 = tool.filter_map(|event| event["duration_us"].as_f64()).sum();
        let count = time("case.finished").count() as f64;
        Ok(Cases { count, seconds: (ended - began) / 1e6, tool_seconds: tool_us / 1e6 })
    }
}
