//! Replication: other runs of the same have come to the same. Whoever drops a case or makes a result up would have to do so
//! in each of them.

use crate::gate::decide::{Question, Ruling};
use crate::gate::rules::ruling;
use crate::gate::{Verification, verify};
use crate::model::Verdict;
use crate::registry::Registry;
use std::collections::BTreeSet;
use std::path::Path;

/// The rule: `least` green runs with one outcome, this one counted.
pub(super) fn rule(registry: &Registry, question: &Question<'_>, own: &Verification, least: u32) -> Ruling {
    let asks = format!("{least} green runs have come to the same outcome, this one counted");
    let mut runs: BTreeSet<String> = BTreeSet::from([own.record.run.clone()]);
    let mut others = Vec::new();
    for path in question.replicas {
        match replica(registry, question, own, path) {
            Ok(run) => drop(runs.insert(run)),
            Err(why) => others.push(format!("{}: {why}", path.display())),
        }
    }
    let found = runs.len();
    let verdict = match usize::try_from(least).is_ok_and(|least| found >= least) {
        _ if !others.is_empty() => Verdict::Fail,
        true => Verdict::Pass,
        false => Verdict::Unknown,
    };
    let count = format!("{found} of {least}; name the others with --replica");
    ruling("GEN-20", asks, verdict, if others.is_empty() { count } else { others.join("; ") })
}

/// The id of a run that is another one and has come to the same.
fn replica(registry: &Registry, question: &Question<'_>, own: &Verification, path: &Path) -> Result<String, String> {
    let expected = question.expected().map_err(|error| error.to_string())?;
    let other = verify(registry, path, &expected.without_people()).map_err(|error| error.to_string())?;
    match (other.verdict(), other.record.outcome_sha256 == own.record.outcome_sha256) {
        (Verdict::Pass, true) => Ok(other.record.run),
        (Verdict::Pass, false) => Err(format!("outcome {}", other.record.outcome_sha256)),
        (verdict, _) => Err(format!("evidence {}, {}", other.status().word(), verdict.headline())),
    }
}
