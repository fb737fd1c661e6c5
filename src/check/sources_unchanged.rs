//! `sources-unchanged`: every source ends as it began: rows, sequences and catalog.

use crate::check::{Check, Judgement, findings_at};
use crate::model::{History, Moment};

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
            let changed = moments
                .into_iter()
                .filter_map(|moment| Some((moment, history.state(moment, &endpoint)?.differences(before))))
                .find(|(_, differences)| !differences.is_empty());
            findings.extend(changed.into_iter().flat_map(|(moment, found)| findings_at(moment, &endpoint, found)));
        }
        Some(Judgement::from_findings(findings))
    }
}
