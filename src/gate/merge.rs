//! Joins the bundles of the parts of a run into one, which holds them as they are.

use crate::engine::{Finished, close};
use crate::evidence::attest::MachineKey;
use crate::evidence::{Bundle, EVENTS, Journal, Open, outcome_sha256, path_problem};
use crate::gate::shards::{self, Part};
use crate::gate::{Code, Complaint, Expected};
use crate::model::{Body, PlanFile, ShardMerged, Verdict};
use crate::registry::Registry;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What became of it.
pub enum Merged {
    /// The parts do not make a run, and nothing was written. Sorted.
    Refused(Vec<Complaint>),
    /// The merged run.
    Done(Box<Finished>),
}

/// Verifies the parts in `roots` and writes the merged bundle to `out`, signed where there is a key.
///
/// # Errors
/// The environment: a file cannot be read or written. Evidence: a path would be too long.
pub fn merge(
    registry: &Registry,
    roots: &[PathBuf],
    out: &Path,
    expected: &Expected,
    key: Option<&MachineKey>,
) -> Result<Merged> {
    let mut complaints = Vec::new();
    let mut parts = Vec::new();
    for root in roots {
        let root = root.canonicalize().map_err(|error| Error::io("open", root, error))?;
        let part = Part::read(registry, &root, format!("{}/", root.display()), expected, &mut complaints)?;
        parts.push((root, part));
    }
    parts.sort_by_key(|(_, part)| part.shard());
    let (roots, parts): (Vec<PathBuf>, Vec<Part>) = parts.into_iter().unzip();
    shards::check(&parts, &mut complaints);
    // A part whose run was cut off is complete in what it says, and cannot be merged.
    let unfinished = parts.iter().filter(|part| part.verification.record.verdict.is_none());
    complaints.extend(unfinished.map(|part| {
        Complaint::new(Code::ChainTruncated, &format!("{}{EVENTS}", part.folder), "a run that has ended", "no end")
    }));
    complaints.sort();
    complaints.dedup();
    match complaints.is_empty() {
        true => write(registry, &roots, &parts, out, key).map(|finished| Merged::Done(Box::new(finished))),
        false => Ok(Merged::Refused(complaints)),
    }
}

fn write(
    registry: &Registry,
    roots: &[PathBuf],
    parts: &[Part],
    out: &Path,
    key: Option<&MachineKey>,
) -> Result<Finished> {
    let files = files(roots, parts)?;
    let bundle = Bundle::create(out)?;
    for (path, file) in &files {
        let bytes = std::fs::read(file).map_err(|error| Error::io("read", file, error))?;
        bundle.write(path, &bytes)?;
    }
    let plan = freeze(&bundle, parts)?;
    let journal = Journal::create(&bundle.events(), None)?;
    let (run, version, tier) = (bundle.run().to_owned(), env!("CARGO_PKG_VERSION").to_owned(), plan.tier.clone());
    journal.append(Body::RunStarted { run, format: 1, version, tier })?;
    for part in parts {
        if let (Some(shard), Some(root_sha256)) = (part.shard(), part.verification.root_sha256.clone()) {
            journal.append(Body::ShardMerged(ShardMerged { shard, root_sha256 }))?;
        }
    }
    let (record, states) = shards::together(journal.record(), Some(&plan), parts);
    let verdicts = record.scenarios.iter().map(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown));
    let verdict = Verdict::worst(verdicts.chain([shards::worst(parts)]));
    journal.append(Body::RunFinished { verdict, outcome_sha256: outcome_sha256(&record, &states) })?;
    let (record, states) = shards::together(journal.record(), Some(&plan), parts);
    let bundle = close(bundle, registry, &record, &states, key)?.root().to_owned();
    Ok(Finished { record, states, bundle, kept: Vec::new() })
}

/// What was asked for, and on what: that of all parts.
fn freeze(bundle: &Bundle<Open>, parts: &[Part]) -> Result<PlanFile> {
    let first = parts.first().map(|part| &part.verification);
    let (Some(plan), Some(asked), Some(environment)) = (
        first.and_then(|first| first.plan.clone()),
        first.and_then(|first| first.asked.clone()),
        shards::environment(parts),
    ) else {
        return Err(Error::usage("name the bundles of all parts of the run"));
    };
    let plan = PlanFile { shard: None, undivided: Vec::new(), ..plan };
    bundle.write_json("plan.json", &plan)?;
    bundle.write_json("scenarios.json", &asked)?;
    bundle.write_json("environment.json", &environment)?;
    Ok(plan)
}

/// Every file of the parts: its path in the merged bundle, and where it is.
fn files(roots: &[PathBuf], parts: &[Part]) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for (root, part) in roots.iter().zip(parts) {
        let folder = part.shard().map(shards::folder).unwrap_or_default();
        let mut folders = vec![root.clone()];
        while let Some(dir) = folders.pop() {
            for entry in std::fs::read_dir(&dir).map_err(|error| Error::io("list", &dir, error))? {
                let file = entry.map_err(|error| Error::io("list", &dir, error))?.path();
                let below = file.strip_prefix(root).unwrap_or(&file).display().to_string();
                match file.is_dir() {
                    true => folders.push(file),
                    false => files.push((format!("{folder}{below}"), file)),
                }
            }
        }
    }
    let wrong = files.iter().find_map(|(path, _)| Some((path, path_problem(path)?)));
    match wrong {
        None => Ok(files),
        Some((path, why)) => Err(Error::new(crate::error::ErrorKind::Evidence, format!("{path} {why}"))),
    }
}
