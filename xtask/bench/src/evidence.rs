//! What the evidence of a run costs: sealing and verifying it, beside the run itself.

use super::faults::Home;
use super::ground::Ground;
use super::line::Line;
use rehearsal::clock::Stopwatch;
use rehearsal::engine::close;
use rehearsal::evidence::{Bundle, EVENTS, Open, Redactor, SUMS, is_added_later, read};
use rehearsal::gate::{Expected, Status, verify};
use rehearsal::model::{DatabaseState, RunRecord, States, canonical};
use rehearsal::registry::Registry;
use rehearsal::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A full sweep over a copy in `psql`: many cases, each of them short, so that evidence is dear beside them.
const RUN: &str = "ledger";
/// As long as the password of a run.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let home = Home::below(ground.dir.path())?;
    let run = || {
        let watch = Stopwatch::start();
        home.events(ground, RUN, "")?;
        Ok(watch.elapsed().as_secs_f64())
    };
    run()?;
    let evidence = || {
        let bundle = home.bundle()?;
        Ok(sealing_s(&bundle, &ground.dir.path().join("sealed"))? + verifying_s(&bundle)?)
    };
    Ok(vec![Line::paired(("", "sealing and verifying a run", "the run", 0.05), ground.rounds.min(3), evidence, run)?])
}

/// Seconds that it takes to search all files for secrets, to write the reports, and to sum all up.
fn sealing_s(bundle: &Path, out: &Path) -> Result<f64> {
    let registry = Registry::builtin();
    let (record, states) = (RunRecord::from_events(&read(&bundle.join(EVENTS))?), states(bundle)?);
    let unsealed = unsealed(&registry, bundle, out)?;
    let watch = Stopwatch::start();
    unsealed.mask_secrets(&Redactor::new([SECRET]))?;
    close(unsealed, &registry, &record, &states, None)?;
    let seconds = watch.elapsed().as_secs_f64();
    fs::remove_dir_all(out).map_err(|error| Error::io("remove", out, error))?;
    Ok(seconds)
}

fn verifying_s(bundle: &Path) -> Result<f64> {
    let watch = Stopwatch::start();
    let verification = verify(&Registry::builtin(), bundle, &Expected::default())?;
    match verification.status() {
        Status::Verified => Ok(watch.elapsed().as_secs_f64()),
        _ => Err(Error::environment(verification.text())),
    }
}

/// A copy as it was right before it was sealed.
fn unsealed(registry: &Registry, bundle: &Path, out: &Path) -> Result<Bundle<Open>> {
    let copy = Bundle::create(out)?;
    let is_later = |path: &str| {
        let is_report = registry.reports.iter().any(|report| report.file() == path);
        is_report || path == SUMS || path == "README.txt" || is_added_later(path)
    };
    for file in files(bundle)? {
        let path = file.strip_prefix(bundle).unwrap_or(&file).display().to_string();
        if !is_later(&path) {
            copy.write(&path, &fs::read(&file).map_err(|error| Error::io("read", &file, error))?)?;
        }
    }
    Ok(copy)
}

fn states(bundle: &Path) -> Result<States> {
    let mut states = States::new();
    for file in files(&bundle.join("states"))? {
        let bytes = fs::read(&file).map_err(|error| Error::io("read", &file, error))?;
        let state: DatabaseState = serde_json::from_slice(&bytes)
            .map_err(|error| Error::environment(file.display().to_string()).caused_by(error))?;
        states.insert(canonical::sha256_hex(&bytes), Arc::new(state));
    }
    Ok(states)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("list", folder, error))?;
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
