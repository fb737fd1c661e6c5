//! What a run is about and what it ran on: flows, commit, server, and where its data comes from.

use super::markup::escape;
use crate::model::{Checkout, Classification, RunRecord, ScenarioRecord};
use std::collections::BTreeSet;

const MAX_NAMES: usize = 6;

/// Two lines under the verdict.
pub(super) fn origin(record: &RunRecord) -> String {
    let plain = || record.scenarios.iter().filter(|scenario| scenario.expect.is_none());
    let flows = names(plain().filter_map(|scenario| scenario.flow.as_deref()));
    let flows =
        if flows.is_empty() { "no flow of ours, tools of one's own".to_owned() } else { format!("flow {flows}") };
    let ran_on = [flows].into_iter().chain(ran_on(record)).collect::<Vec<_>>().join(" \u{b7} ");
    let data = match record.cutover {
        Some(_) => vec!["data of the live databases".to_owned()],
        None => data(&plain().collect::<Vec<_>>()),
    };
    format!("<p>{}</p>\n", [ran_on].into_iter().chain(data).collect::<Vec<_>>().join("<br>"))
}

/// Where the rows come from, one line for each kind of origin.
fn data(scenarios: &[&ScenarioRecord]) -> Vec<String> {
    let origins: BTreeSet<Option<Classification>> = scenarios.iter().map(|scenario| scenario.classification).collect();
    let line = |origin: Option<Classification>| {
        let of = scenarios.iter().filter(|scenario| scenario.classification == origin);
        format!("data {}: {}", names(of.map(|scenario| scenario.dataset.as_str())), provenance(origin))
    };
    origins.into_iter().map(line).collect()
}

/// What rows of this origin show of production.
fn provenance(origin: Option<Classification>) -> &'static str {
    match origin {
        Some(Classification::Synthetic) => "made from a seed, and no evidence about the content of production",
        Some(Classification::Anonymized) => "real once, anonymised; only counts and digests are shown",
        Some(Classification::Confidential) => "real; only counts and digests are shown",
        None => "of an origin that nobody has stated",
    }
}

/// Commit, who started it, server.
fn ran_on(record: &RunRecord) -> Vec<String> {
    let Some(file) = &record.environment else { return Vec::new() };
    let commit = match &file.checkout {
        None => "no git repository".to_owned(),
        Some(Checkout { commit, clean }) => {
            let how = if *clean { "clean" } else { "<b class=\"unknown\">? with changes</b>" };
            format!("commit <code>{}</code>, {how}", escape(commit))
        }
    };
    let runner = file.runner.iter().map(|runner| format!("started by {}", escape(runner)));
    let server = file
        .servers()
        .map(|server| format!("Postgres {}, {}", escape(&server.server_version), escape(&server.provider)));
    [commit].into_iter().chain(runner).chain(server).collect()
}

/// Each once, in order; a few, and how many more.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| escape(name)).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
