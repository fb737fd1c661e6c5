//! The beginning and the end of a bundle: what was to be done, and on what, before; sums, reports and the verdict after.

use crate::engine::run::context::Run;
use crate::engine::{Finished, Look, Options, SOURCE_SHA256};
use crate::evidence::outcome_sha256;
use crate::model::{Address, Body, Scenario, ScenarioRecord, Verdict};
use crate::{Result, check};
use serde_json::json;
use std::collections::BTreeMap;

/// Writes down what is to be done, and on what, before anything is.
pub(in crate::engine) fn freeze(
    run: &Run,
    scenarios: &[Scenario],
    options: &Options,
    server: Option<String>,
) -> Result<()> {
    let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    let only = options.only.as_ref().map(ToString::to_string);
    let texts = |cases: &[Address]| cases.iter().map(ToString::to_string).collect::<Vec<_>>();
    let again: BTreeMap<&str, Vec<String>> =
        options.again.iter().map(|(scenario, cases)| (scenario.as_str(), texts(cases))).collect();
    let budget_ms = options.budget.map(|budget| u64::try_from(budget.as_millis()).unwrap_or(u64::MAX));
    let plan = json!({ "format": 1, "tier": options.tier.name(), "scenarios": names, "kinds": options.kinds,
                       "only": only, "again": again, "budget_ms": budget_ms,
                       "allow_missing": options.allow_missing });
    run.bundle.write_json("plan.json", &plan)?;
    run.bundle.write_json("environment.json", &environment(server))
}

/// Nothing here is part of the outcome.
fn environment(server: Option<String>) -> serde_json::Value {
    json!({
        "format": 1,
        "rehearsal": env!("CARGO_PKG_VERSION"),
        "source_sha256": SOURCE_SHA256,
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "postgres": { "provider": "local", "server_version": server },
        "altered": [
            "connections of the tool go through a proxy on 127.0.0.1, without TLS",
            "the server runs with fsync, full_page_writes, autovacuum and jit off",
        ],
    })
}

/// Ends a run. `asked`: how many scenarios had to be rehearsed. One that is missing is unknown, and so is none at all.
pub(in crate::engine) fn seal(run: Run, asked: usize, kept: Vec<Look>) -> Result<Finished> {
    let states = run.states();
    let hidden = hide_secrets(&run)?;
    let record = run.journal.record();
    let verdict = |scenario: &ScenarioRecord| scenario.verdict.unwrap_or_else(|| check::broken_off_verdict(scenario));
    let finished = record.scenarios.iter().map(verdict);
    let missing = (record.scenarios.len() < asked).then_some(Verdict::Unknown);
    let verdict = Verdict::worst(finished.chain(missing).chain(hidden));
    run.journal.append(Body::RunFinished { verdict, outcome_sha256: outcome_sha256(&record, &states) })?;
    let record = run.journal.record();
    for report in &run.registry.reports {
        run.bundle.write(report.file(), &report.render(&record, &states))?;
    }
    let bundle = run.bundle.root().to_owned();
    run.bundle.seal()?;
    Ok(Finished { record, states, bundle, kept })
}

/// The third wall: a secret that came through the others is masked, and the run is not conclusive.
fn hide_secrets(run: &Run) -> Result<Option<Verdict>> {
    let hits = run.bundle.mask_secrets(&run.redactor)?;
    for hit in &hits {
        let text = format!("a secret was found in {} at byte {}, and masked", hit.file.display(), hit.offset);
        run.journal.append(Body::Note { case: None, text })?;
    }
    Ok((!hits.is_empty()).then_some(Verdict::Unknown))
}
