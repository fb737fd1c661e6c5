//! How many injured runs a minute, with a tool that is a script of psql.

use super::ground::Ground;
use super::line::Line;
use rehearsal::{Error, Result};

const PER_MINUTE: f64 = 400.0;
const SCENARIO: &str = "your-own-tool/ledger-copy";

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let what = ("G13", "minutes per injured run, psql tool, full tier", "1/400 of a minute", 1.0);
    let (rounds, home) = (ground.rounds.min(3), concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let ours = || {
        let script = format!("cd {home} && rm -rf $OUT && $REHEARSE run {SCENARIO} --tier full --out $OUT > /dev/null");
        let out = ground.dir.path().join("runs").display().to_string();
        let seconds = ground.sh(&script, &[("OUT", &out)], &[0])?;
        Ok(seconds / 60.0 / injured(&ground.dir.path().join("runs"))? as f64)
    };
    Line::paired(what, rounds, ours, || Ok(1.0 / PER_MINUTE)).map(|line| vec![line])
}

/// Cases with a token, of the one bundle.
fn injured(runs: &std::path::Path) -> Result<usize> {
    let entries = std::fs::read_dir(runs).map_err(|error| Error::io("read", runs, error))?;
    let report = entries.flatten().find_map(|entry| std::fs::read(entry.path().join("report.json")).ok());
    let report = report.ok_or_else(|| Error::environment("the run left no report"))?;
    let report: serde_json::Value =
        serde_json::from_slice(&report).map_err(|error| Error::environment("the report").caused_by(error))?;
    let cases = report.pointer("/scenarios/0/cases").and_then(|cases| cases.as_array());
    let injured = cases.into_iter().flatten().filter(|case| case["token"].is_string()).count();
    if injured == 0 { Err(Error::environment("no run was injured")) } else { Ok(injured) }
}
