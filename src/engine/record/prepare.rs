//! Everything that has to be known before a real step starts, and every drift from its rehearsal.

use super::command::{Command, Places, command, drift};
use super::live::Live;
use super::schema;
use crate::engine::run::planning;
use crate::engine::run::tool_digest::tool_sha256;
use crate::engine::{Library, SOURCE_SHA256};
use crate::error::ErrorKind;
use crate::evidence::Redactor;
use crate::model::{
    self, AskedFile, Cutover, DatabaseState, Difference, Scenario, ScenarioRecord, States, Step, TargetSpec,
};
use crate::process::Spawn;
use crate::registry::Registry;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What somebody wants to do for real.
pub struct Asked<'a> {
    /// The scenario as it is here now.
    pub scenario: &'a Scenario,
    /// As it was rehearsed.
    pub rehearsed: &'a ScenarioRecord,
    /// What the databases held then.
    pub states: &'a States,
    /// What is written down of it.
    pub cutover: Cutover,
    /// The real databases.
    pub lives: Vec<Live>,
    /// The command line.
    pub argv: Vec<String>,
    /// Where it is run.
    pub work: PathBuf,
}

/// A real step that may start where nothing has drifted.
pub struct Prepared {
    /// In what it is not what was rehearsed.
    pub drifts: Vec<Difference>,
    pub(super) cutover: Cutover,
    pub(super) scenario: Scenario,
    /// What is asked of it, as it is written down.
    pub(super) asked: AskedFile,
    pub(super) rehearsed: ScenarioRecord,
    pub(super) tool_sha256: String,
    pub(super) step: Step,
    pub(super) spawn: Spawn,
    pub(super) redactor: Redactor,
    /// By endpoint, sources first.
    pub(super) lives: Vec<(String, Live)>,
    /// What the rehearsed step left, by endpoint.
    pub(super) after: BTreeMap<String, DatabaseState>,
    /// What the real databases held when they were compared, by endpoint.
    pub(super) before: BTreeMap<String, DatabaseState>,
}

/// Reads the real databases and compares all there is to compare.
///
/// # Errors
/// Usage: no such step, or a database that is not named. Evidence: the rehearsal has not come to the step. Environment: a
/// database cannot be read.
pub async fn prepare(registry: &Registry, library: &Library, asked: Asked<'_>) -> Result<Prepared> {
    let Asked { scenario, rehearsed, states, mut cutover, argv, work, .. } = asked;
    let prepared = planning::prepare(registry, library, scenario)?;
    let step = step(&prepared.plan.steps, &cutover.step)?;
    let fixtures = prepared.dataset_dir.parent().unwrap_or(&prepared.dataset_dir);
    let lives = named(&prepared.plan.targets, asked.lives)?;
    let redactor = Redactor::new(lives.iter().flat_map(|(_, live)| live.secrets()));
    let only: Vec<Live> = lives.iter().map(|(_, live)| live.clone()).collect();
    let places = Places { root: &library.root, work: &work, fixtures, dataset: &prepared.dataset_dir, lives: &only };
    let Command { spawn, mut drifts } = command(&step, &argv, &places, &redactor)?;
    let tool_sha256 = tool_sha256(scenario, &prepared.plan, &library.root, fixtures)?;
    if tool_sha256 != rehearsed.tool_sha256 {
        drifts.push(drift(format!("the tool (build {})", &SOURCE_SHA256[..8]), &rehearsed.tool_sha256, &tool_sha256));
    }
    let [expected, left] = around(rehearsed, &cutover.step)?;
    let (expected, after) = (known(&expected, states), known(&left, states));
    cutover.left = left;
    let before = read(&lives, cutover.reads_rows).await?;
    drifts.extend(before.iter().flat_map(|(endpoint, found)| of_schema(endpoint, expected.get(endpoint), found)));
    let scenarios = [(scenario.name.clone(), model::Asked::of(scenario, &prepared.plan))].into();
    let asked = AskedFile { format: 1, scenarios };
    let (scenario, rehearsed) = (scenario.clone(), rehearsed.clone());
    Ok(Prepared {
        drifts,
        cutover,
        scenario,
        asked,
        rehearsed,
        tool_sha256,
        step,
        spawn,
        redactor,
        lives,
        after,
        before,
    })
}

/// What the real databases hold now, by endpoint.
pub(super) async fn read(lives: &[(String, Live)], rows: bool) -> Result<BTreeMap<String, DatabaseState>> {
    let mut states = BTreeMap::new();
    for (endpoint, live) in lives {
        states.insert(endpoint.clone(), live.read(rows).await?);
    }
    Ok(states)
}

fn of_schema(endpoint: &str, expected: Option<&DatabaseState>, found: &DatabaseState) -> Vec<Difference> {
    match expected {
        Some(expected) => schema::differences(endpoint, expected, found),
        None => vec![drift(endpoint.to_owned(), "a schema that the rehearsal has looked at", "none")],
    }
}

fn step(steps: &[Step], name: &str) -> Result<Step> {
    let names = || steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = steps.iter().find(|step| step.name == name).cloned();
    found.ok_or_else(|| Error::usage(format!("the scenario has no step `{name}`; it has: {}", names())))
}

/// Each database of the scenario, and nothing else.
fn named(targets: &[TargetSpec], mut lives: Vec<Live>) -> Result<Vec<(String, Live)>> {
    let mut found = Vec::new();
    for target in targets {
        let name = &target.name;
        let at = lives.iter().position(|live| live.name == *name);
        let at = at.ok_or_else(|| Error::usage(format!("which database is `{name}`? --db {name}=env:VARIABLE")))?;
        found.push((target.endpoint(), lives.remove(at)));
    }
    match lives.first() {
        None => Ok(found),
        Some(live) => {
            Err(Error::usage(format!("--db {}: the scenario has no such database, or it is named twice", live.name)))
        }
    }
}

/// The digests of what was seen right before and right after the rehearsed step, by endpoint.
fn around(rehearsed: &ScenarioRecord, step: &str) -> Result<[BTreeMap<String, String>; 2]> {
    let found = rehearsed.golden().next().and_then(|golden| schema::around(golden, step));
    let none = format!("no uninjured run of `{}` in the bundle has come to `{step}`", rehearsed.scenario);
    found.ok_or_else(|| Error::new(ErrorKind::Evidence, none))
}

fn known(digests: &BTreeMap<String, String>, states: &States) -> BTreeMap<String, DatabaseState> {
    let state = |digest: &String| states.get(digest).map(|state| DatabaseState::clone(state));
    digests.iter().filter_map(|(endpoint, digest)| Some((endpoint.clone(), state(digest)?))).collect()
}
