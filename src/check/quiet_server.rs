//! `quiet-server`: when a step has ended, no session works for it any more, and none holds a lock.
//!
//! A step that returns while its work goes on has said too early that it is done, though nothing may be left at the end
//! of the case, which `nothing-left-behind` looks at. Replication slots cannot exist: the servers run with
//! `wal_level = minimal`.

use crate::check::{Check, Judgement, finding};
use crate::model::{Body, Finding, History, Moment, ServerBusy};

/// See the module.
pub(super) struct QuietServer;

impl Check for QuietServer {
    fn name(&self) -> &'static str {
        "quiet-server"
    }

    fn about(&self) -> &'static str {
        "When a step has ended, no session works for it any more, and none holds a lock."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let found: Vec<Vec<Finding>> = history.case.events.iter().filter_map(busy).collect();
        (!found.is_empty()).then(|| Judgement::from_findings(found.concat()))
    }
}

fn busy(event: &Body) -> Option<Vec<Finding>> {
    let Body::Server(ServerBusy { step, phase, busy, .. }) = event else { return None };
    let moment = Moment::after(*phase, step);
    Some(busy.iter().map(|what| finding(&moment, "server", "nothing to do", what.as_str())).collect())
}
