//! What the runner costs beside its targets: a scenario in which nothing happens.

use super::faults::Home;
use super::ground::Ground;
use super::line::Line;
use rehearsal::clock::Stopwatch;
use rehearsal::dataset::{Dataset, load_postgres};
use rehearsal::target::{Base, Pool, Site, Sites, Wanted};
use rehearsal::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// Seconds that it may take.
const GOAL: f64 = 0.020;

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let home = Home::below(ground.dir.path())?;
    let site = Sites::new(Base::find(), Wanted::default()).of(None);
    site.offer()?; // what is found is known before any scenario begins
    let files = || seconds(&home.events(ground, "nothing-to-files", "")?);
    let servers = || {
        let whole = seconds(&home.events(ground, "nothing", "")?)?;
        Ok(whole - ground.runtime.block_on(targets(ground, &site))?)
    };
    let line = |ours: &str, cost: &dyn Fn() -> Result<f64>| {
        Line::paired(("G15", ours, "20 ms", 1.0), ground.rounds, cost, || Ok(GOAL))
    };
    Ok(vec![
        line("a scenario over files in which nothing happens, without its tool", &files)?,
        line("the same over Postgres, without its tool and its targets", &servers)?,
    ])
}

/// From the beginning of the scenario to its end, without its tool: two golden runs side by side, each with its looks, and
/// the checks.
fn seconds(events: &[Value]) -> Result<f64> {
    let tools = events.iter().filter(|event| event["type"] == "step.finished");
    let tool_us = tools.filter_map(|event| event["duration_us"].as_f64()).sum::<f64>() / 2.0;
    let at = |kind: &str| events.iter().find(|event| event["type"] == kind).and_then(|event| event["mono_us"].as_f64());
    match (at("scenario.started"), at("scenario.finished")) {
        (Some(began), Some(ended)) => Ok((ended - began - tool_us) / 1e6),
        _ => Err(Error::environment("the scenario did not come to its end")),
    }
}

/// What it has of them, by a pool that nobody has used before: for each of its two golden runs both databases, made and
/// dropped.
async fn targets(ground: &Ground, site: &Site) -> Result<f64> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let dataset = Dataset::find(&[fixtures], "ledger-small", 1)?;
    let content = dataset.database("old")?;
    let pool = Pool::new(&site.join(&ground.session).await?, ground.session.id());
    let database = async |name: &str| {
        let template = pool.template(&content.digest(), |access| load_postgres(access.tool, content)).await?;
        pool.drop(pool.clone(&template, name).await?).await
    };
    let watch = Stopwatch::start();
    tokio::try_join!(database("one_old"), database("one_new"), database("other_old"), database("other_new"))?;
    Ok(watch.elapsed().as_secs_f64())
}
