//! `sources-unchanged`: every source ends as it began: rows, sequences and catalog.

use crate::check::{Check, Judgement, findings_at};
use crate::model::{Body, DatabaseState, Finding, History, Moment};

/// See the module.
pub(super) struct SourcesUnchanged;

impl Check for SourcesUnchanged {
    fn name(&self) -> &'static str {
        "sources-unchanged"
    }

    fn about(&self) -> &'static str {
        "Every source ends as it began: rows, sequences and catalog."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let mut findings = Vec::new();
        for endpoint in history.plan.source_endpoints() {
            let moments = history.case.moments(&endpoint);
            if moments.last() != Some(&&Moment::End) {
                return Some(Judgement::unknown(format!("the state of {endpoint} at the end")));
            }
            let Some(before) = history.golden_state(&Moment::Start, &endpoint) else {
                return Some(Judgement::unknown(format!("the state of {endpoint} at the start")));
            };
            // The first moment at which it differs is enough: later ones repeat it.
            findings.extend(
                looks(history, &endpoint, before).into_iter().find(|found| !found.is_empty()).unwrap_or_default(),
            );
        }
        Some(Judgement::from_findings(findings))
    }
}

/// What each look at a source found changed: since the start, or since we wrote to it ourselves.
fn looks(history: &History, endpoint: &str, start: &DatabaseState) -> Vec<Vec<Finding>> {
    let (mut expected, mut looks) = (start, Vec::new());
    for event in &history.case.events {
        match event {
            Body::Probe { moment, endpoint: of, state, .. } if of == endpoint => {
                let found = history.named(state).map(|found| found.differences(expected)).unwrap_or_default();
                looks.push(findings_at(moment, endpoint, found));
            }
            Body::SourceWritten { endpoint: of, before, after, .. } if of == endpoint => {
                let found = history.named(before).map(|found| found.differences(expected)).unwrap_or_default();
                looks.push(findings_at("before we wrote to it", endpoint, found));
                expected = history.named(after).unwrap_or(expected);
            }
            _ => {}
        }
    }
    looks
}
