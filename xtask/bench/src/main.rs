//! `cargo xtask bench [NAME...]`: what we cost beside what one would use instead, as ratios of one run.
//!
//! Ours and theirs take turns, the median of the ratios counts, and never a second: machines differ. With `--gate` a
//! goal that is missed by more than 15 % ends with 1. What is not installed is said to be missing. `--release` measures
//! what users install; without it, what contributors build. `--docker` builds with containers, of the image in
//! `REHEARSE_PG_IMAGE`. The figures go to target/bench.json too.

mod cluster;
mod compare;
mod consolidate;
mod container;
mod copy;
mod evidence;
mod faults;
mod files;
mod ground;
mod line;
mod memory;
mod proxy;
mod runner;
mod sqlite;

use ground::Ground;
use line::{Line, table};
use rehearsal::Result;
use rehearsal::process::Executable;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

type Group = (&'static str, fn(&Ground) -> Result<Vec<Line>>);

const GROUPS: [Group; 12] = [
    ("cluster", cluster::lines),
    ("container", container::lines),
    ("runner", runner::lines),
    ("copy", copy::lines),
    ("compare", compare::lines),
    ("sqlite", sqlite::lines),
    ("consolidate", consolidate::lines),
    ("memory", memory::lines),
    ("proxy", proxy::lines),
    ("faults", faults::lines),
    ("files", files::lines),
    ("evidence", evidence::lines),
];

/// A goal that is missed by more is a failure.
const SLACK: f64 = 1.15;

/// What was asked for.
struct Wanted {
    gate: bool,
    rounds: usize,
    rows: u64,
    names: Vec<String>,
}

/// Measures, prints, writes.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = match Wanted::parse(&arguments) {
        Ok(wanted) => wanted,
        Err(why) => {
            say(&why);
            return ExitCode::from(64);
        }
    };
    match measure(&wanted) {
        Ok(lines) => conclude(&lines, wanted.gate),
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

impl Wanted {
    fn parse(arguments: &[String]) -> std::result::Result<Wanted, String> {
        let mut wanted = Wanted { gate: false, rounds: 5, rows: 1_000_000, names: Vec::new() };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().and_then(|value| value.parse::<u64>().ok());
                value.filter(|value| *value > 0).ok_or_else(|| format!("{word} wants a number"))
            };
            match word.as_str() {
                "--release" | "--docker" => {} // how we were built, which is done
                "--gate" => wanted.gate = true,
                "--rounds" => wanted.rounds = number()? as usize,
                "--rows" => wanted.rows = number()?,
                name if GROUPS.iter().any(|(known, _)| *known == name) => wanted.names.push(name.to_owned()),
                name => {
                    let known: Vec<&str> = GROUPS.iter().map(|(known, _)| *known).collect();
                    return Err(format!("no bench `{name}`; there are: {}", known.join(", ")));
                }
            }
        }
        Ok(wanted)
    }
}

fn measure(wanted: &Wanted) -> Result<Vec<Line>> {
    let rehearse = Executable::find()?;
    let ground = Ground::open(rehearse.path(), wanted.rounds, wanted.rows)?;
    let mut lines = Vec::new();
    for (name, measure) in GROUPS {
        if wanted.names.is_empty() || wanted.names.iter().any(|wanted| wanted == name) {
            say(&format!("{name} ..."));
            let measured = measure(&ground).map_err(|error| error.within(name))?;
            say(&table(&measured)); // all of it takes an hour, and somebody may have seen enough
            lines.extend(measured);
        }
    }
    Ok(lines)
}

/// The folder that cargo has built us into: `debug` is that of the profile `dev`.
fn profile() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    if folder == "debug" { "dev".to_owned() } else { folder.into_owned() }
}

fn conclude(lines: &[Line], gate: bool) -> ExitCode {
    let profile = profile();
    say(&format!("{}\nbuild profile: {profile}", table(lines)));
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench.json"));
    let json = serde_json::json!({ "profile": profile, "lines": lines.iter().map(Line::json).collect::<Vec<_>>() });
    if let Err(error) = std::fs::write(path, format!("{json:#}\n")) {
        say(&format!("cannot write {}: {error}", path.display()));
        return ExitCode::from(2);
    }
    let missed = lines.iter().any(|line| line.ratio().is_some_and(|ratio| ratio > line.goal * SLACK));
    ExitCode::from(u8::from(gate && missed))
}

fn say(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}
