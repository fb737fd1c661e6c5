//! What was red the last time, read from the bundle of that run.

use crate::engine::points::select::Again;
use crate::evidence::{EVENTS, read_intact};
use crate::model::{PlanFile, RunRecord, ScenarioRecord, Verdict};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The cases of the run in `bundle` that are not green, and the scenarios that must be run as a whole, because their
/// golden run is not green or they were never reached.
///
/// # Errors
/// There is no journal, or nothing in it is red although the run itself is not green.
pub fn red(bundle: &Path) -> Result<Again> {
    // The cases of a merged run are in its parts.
    if let Ok(parts) = std::fs::read_dir(bundle.join("shards")) {
        let mut again = Again::new();
        for part in parts.flatten() {
            red(&part.path())?.into_iter().for_each(|(scenario, cases)| add(&mut again, scenario, cases));
        }
        return Ok(again);
    }
    // A run that was cut off counts as far as it came.
    let (events, _) = read_intact(&bundle.join(EVENTS))?;
    let record = RunRecord::from_events(&events);
    let mut again = record.scenarios.iter().filter_map(of_scenario).collect::<Again>();
    let reached = |name: &String| record.scenarios.iter().any(|scenario| scenario.scenario == *name);
    let missed = planned(bundle)?.into_iter().filter(|name| !reached(name));
    // One that was left out as allowed is no more missing than the last time.
    again.extend(missed.filter(|name| !record.omitted.contains_key(name)).map(|name| (name, Vec::new())));
    let verdict = record.verdict.unwrap_or(Verdict::Unknown);
    if again.is_empty() && verdict != Verdict::Pass {
        let text = format!(
            "{} is {}, though no case in it is red: run without --failed",
            bundle.display(),
            verdict.headline()
        );
        return Err(Error::environment(text));
    }
    Ok(again)
}

/// A scenario that is to be run as a whole has no cases of its own in the list.
fn add(again: &mut Again, scenario: String, cases: Vec<crate::model::Address>) {
    match again.get_mut(&scenario) {
        None => drop(again.insert(scenario, cases)),
        Some(known) if known.is_empty() || cases.is_empty() => known.clear(),
        Some(known) => known.extend(cases),
    }
}

fn of_scenario(scenario: &ScenarioRecord) -> Option<(String, Vec<crate::model::Address>)> {
    if scenario.verdict == Some(Verdict::Pass) {
        return None;
    }
    let is_whole = scenario.expect.is_some()
        || scenario.verdict.is_none()
        || scenario.unvisited > 0
        || scenario.golden().any(|case| case.verdict() != Verdict::Pass);
    let red = scenario.injured().filter(|case| case.verdict() != Verdict::Pass);
    let addresses = red.filter_map(|case| case.address.clone()).filter(|_| !is_whole).collect();
    Some((scenario.scenario.clone(), addresses))
}

/// The scenarios that the run was asked for, or its part of them.
fn planned(bundle: &Path) -> Result<Vec<String>> {
    let plan: PlanFile = serde_json::from_value(plan(bundle)?)
        .map_err(|error| Error::environment(format!("{}/plan.json: {error}", bundle.display())))?;
    Ok(plan.own_scenarios().into_iter().map(str::to_owned).collect())
}

fn plan(bundle: &Path) -> Result<serde_json::Value> {
    let path = bundle.join("plan.json");
    let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::environment(format!("{}: {error}", path.display())))
}

/// The newest bundle in `out` that is no replay.
///
/// # Errors
/// There is none.
pub fn last_run(out: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_run = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-"));
    let mut bundles: Vec<PathBuf> = entries.filter(is_run).collect();
    bundles.sort();
    let is_replay = |bundle: &PathBuf| plan(bundle).is_ok_and(|plan| plan.get("only").is_some_and(|o| !o.is_null()));
    let newest = bundles.into_iter().rfind(|bundle| bundle.join("plan.json").is_file() && !is_replay(bundle));
    newest.ok_or_else(|| {
        let text = format!("no run in {}: run once without --failed, or name a bundle: --failed=DIR", out.display());
        Error::environment(text)
    })
}
