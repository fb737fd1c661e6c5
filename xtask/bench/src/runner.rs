//! What the runner costs beside its targets: a scenario in which nothing happens.

use super::faults::Home;
use super::ground::Ground;
use super::line::Line;
use rehearsal::clock::Stopwatch;
use rehearsal::dataset::{Dataset, load_postgres};
use rehearsal::db::{Volatile, postgres, postgres_state};
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
    let over = |are_read: bool| {
        let whole = seconds(&home.events(ground, "nothing", "")?)?;
        Ok(whole - ground.runtime.block_on(targets(ground, &site, are_read))?)
    };
    let line = |ours: &str, cost: &dyn Fn() -> Result<f64>| {
        Line::paired(("G15", ours, "20 ms", 1.0), ground.rounds, cost, || Ok(GOAL))
    };
    Ok(vec![
        line("a scenario over files in which nothing happens, without its tool", &files)?,
        line("the same over Postgres, without its targets; all looks count", &|| over(false))?,
        line("the same, without its targets and one look at each by a bare client", &|| over(true))?,
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

/// What it has of them, by a pool that nobody has used before: the server, and for each of its two golden runs both
/// databases, made and dropped; `are_read`: by a connection to each, as a scenario does once at least.
async fn targets(ground: &Ground, site: &Site, are_read: bool) -> Result<f64> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let dataset = Dataset::find(&[fixtures], "ledger-small", 1)?;
    let watch = Stopwatch::start();
    let pool = Pool::new(&site.join(&ground.session).await?, ground.session.id());
    let database = async |golden: &str, side: &str| {
        let database = dataset.database(side)?;
        let template = pool.template(&database.digest(), |access| load_postgres(access.tool, database)).await?;
        let clone = pool.clone(&template, &format!("{golden}_{side}")).await?;
        if are_read {
            let mut connection = postgres::connect(&pool.cluster().admin(clone.name())).await?;
            postgres_state(&mut connection, &Volatile::new()).await?;
        }
        pool.drop(clone).await
    };
    let golden = async |golden: &str| tokio::try_join!(database(golden, "old"), database(golden, "new"));
    tokio::try_join!(golden("one"), golden("other"))?;
    Ok(watch.elapsed().as_secs_f64())
}
