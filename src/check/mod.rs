//! Checks: pure functions of the history. One file each, one line each to register.
//!
//! A check is asked of every case and answers for what it finds there; it never reads a database or a clock, so it can
//! be asked again, years later, of a sealed bundle.

mod canary;
mod catalog_equal;
mod claim_matches_observation;
mod dry_run_writes_nothing;
mod faults_fired;
mod files_recorded;
mod golden_state;
mod guard_refuses;
mod nothing_left_behind;
mod outcome;
mod own_checks;
mod parity;
mod quiet_server;
mod report_is_fresh;
mod rerun_as_declared;
mod rollback_restores;
mod sources_unchanged;
mod tool_seen;

use crate::model::{CheckResult, Difference, Finding, History, MAX_FINDINGS, Verdict};
use std::fmt::Display;

pub use canary::{broken_off_verdict, scenario_verdict};
pub use outcome::classify;
pub(crate) use parity::differing_tables;
pub(crate) use report_is_fresh::stale as stale_findings;

/// A question to the history of a case.
pub trait Check: Sync {
    /// The name in scenarios and reports.
    fn name(&self) -> &'static str;

    /// What it asks, in one sentence.
    fn about(&self) -> &'static str;

    /// The answer; `None` where the question does not arise.
    fn judge(&self, history: &History) -> Option<Judgement>;
}

/// The built-in checks, in the order of reports.
pub static CHECKS: &[&dyn Check] = &[
    &parity::Parity,
    &sources_unchanged::SourcesUnchanged,
    &golden_state::GoldenState,
    &catalog_equal::CatalogEqual,
    &own_checks::OwnChecks,
    &dry_run_writes_nothing::DryRunWritesNothing,
    &rollback_restores::RollbackRestores,
    &rerun_as_declared::RerunAsDeclared,
    &guard_refuses::GuardRefuses,
    &claim_matches_observation::ClaimMatchesObservation,
    &report_is_fresh::ReportIsFresh,
    &quiet_server::QuietServer,
    &nothing_left_behind::NothingLeftBehind,
    &faults_fired::FaultsFired,
    &tool_seen::ToolSeen,
    &files_recorded::FilesRecorded,
];

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// What speaks against it.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// Green.
    pub fn pass() -> Judgement {
        Judgement { verdict: Verdict::Pass, findings: Vec::new() }
    }

    /// Red if there are findings, else green.
    pub fn from_findings(findings: Vec<Finding>) -> Judgement {
        let verdict = if findings.is_empty() { Verdict::Pass } else { Verdict::Fail };
        Judgement { verdict, findings }
    }

    /// Not answerable, because `missing` was not observed.
    pub fn unknown(missing: impl Into<String>) -> Judgement {
        let finding = finding("", missing, "observed", "not observed");
        Judgement { verdict: Verdict::Unknown, findings: vec![finding] }
    }
}

/// Asks all of `checks`; those whose question does not arise are left out.
pub fn judge(checks: &[&dyn Check], history: &History) -> Vec<CheckResult> {
    let ask = |check: &&dyn Check| {
        let Judgement { verdict, mut findings } = check.judge(history)?;
        let findings_total = findings.len() as u64;
        findings.truncate(MAX_FINDINGS);
        Some(CheckResult { check: check.name().to_owned(), verdict, findings, findings_total })
    };
    checks.iter().filter_map(ask).collect()
}

/// A finding in words.
pub(crate) fn finding(
    place: impl Display,
    object: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Finding {
    let difference = Difference { object: object.into(), expected: expected.into(), found: found.into() };
    Finding { place: place.to_string(), difference }
}

/// `differences` of `endpoint` at one moment as findings.
pub(crate) fn findings_at(place: impl Display, endpoint: &str, differences: Vec<Difference>) -> Vec<Finding> {
    let place = format!("{endpoint} {place}");
    differences.into_iter().map(|difference| Finding { place: place.clone(), difference }).collect()
}
