//! The criteria that a scenario answers: those of its flow, or those of the file that it names.

use crate::engine::Library;
use crate::model::{CriteriaFile, CriteriaSet, Criterion, Plan, Scenario};
use crate::registry::Registry;
use crate::{Error, Result};

const EVERY_RUN: (&str, &str) =
    (include_str!("../../../docs/runbooks/every-run.criteria.toml"), include_str!("../../../docs/evidence.md"));

/// The rules, with the counts of the plan in place; none where there is no runbook.
///
/// # Errors
/// The environment: the file or its runbook cannot be read, or a rule is not right.
pub(in crate::engine) fn of(
    registry: &Registry,
    library: &Library,
    scenario: &Scenario,
    plan: &Plan,
) -> Result<Vec<Criterion>> {
    let flow = registry.flows.iter().find(|flow| Some(flow.name()) == scenario.flow.as_deref());
    let file = match (&scenario.criteria, flow.and_then(|flow| flow.criteria())) {
        (Some(path), _) => own(library, path)?,
        (None, Some((text, runbook))) => shipped(text, runbook)?,
        (None, None) => return Ok(Vec::new()),
    };
    let sources = plan.source_endpoints().len();
    let (tables, targets) = (plan.parity.copies.len() + plan.parity.maps.len(), plan.target_endpoints().len());
    let counts = [("tables", tables), ("sources", sources), ("targets", targets)];
    Ok(file.rules.into_iter().map(|rule| rule.with_counts(&counts)).collect())
}

/// The rules of every run.
///
/// # Errors
/// A bug: they are not right.
pub(in crate::engine) fn of_every_run() -> Result<CriteriaSet> {
    shipped(EVERY_RUN.0, EVERY_RUN.1).map(|file| CriteriaSet { scenario: None, rules: file.rules })
}

fn shipped(text: &str, runbook: &str) -> Result<CriteriaFile> {
    CriteriaFile::parse(text, |_| Ok(runbook.to_owned())).map_err(|why| Error::bug(format!("criteria: {why}")))
}

fn own(library: &Library, path: &str) -> Result<CriteriaFile> {
    let read = |path: &str| {
        let file = library.root.join(path);
        std::fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))
    };
    let file = read(path).and_then(|text| CriteriaFile::parse(&text, read));
    file.map_err(|why| Error::environment(format!("criteria `{path}`: {why}")))
}
