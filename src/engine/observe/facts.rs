//! What is asked in golden runs only: how much passed the proxies, and whether sequences are ahead of their columns.

use crate::engine::Traces;
use crate::engine::case::stage::{Place, Stage};
use crate::engine::observe;
use crate::engine::run::context::CaseLog;
use crate::model::{Axis, Body, Moment};
use crate::{Result, db};

/// Records how many statements of a step passed each proxy, and how many operations each file saw.
pub(in crate::engine) fn traffic(log: &mut CaseLog<'_>, step: &str, traces: &Traces) -> Result<()> {
    let statements = |trace: &crate::engine::proxy::Trace| {
        trace.points.iter().filter(|point| matches!(point.axis, Axis::Stmt | Axis::Op)).count() as u64
    };
    let statements = traces.iter().map(|(endpoint, trace)| (endpoint.clone(), statements(trace))).collect();
    log.record(Body::Traffic { case: log.case(), step: step.to_owned(), statements })
}

/// Records the sequences that feed columns of each Postgres target, after it was looked at.
pub(in crate::engine) async fn sequences(stage: &Stage<'_>, log: &mut CaseLog<'_>, moment: &Moment) -> Result<()> {
    for holding in stage.holdings().iter().filter(|holding| !holding.is_source) {
        if let Place::Postgres { .. } = &holding.place {
            let known = log.events.probe(moment, &holding.endpoint).and_then(|state| stage.context.run.uses.of(state));
            let uses = match known {
                Some(uses) => uses,
                None => observe::ask(stage, holding, async |connection| db::sequence_uses(connection).await).await?,
            };
            let (case, moment, endpoint) = (log.case(), moment.clone(), holding.endpoint.clone());
            log.record(Body::Sequences { case, moment, endpoint, uses })?;
        }
    }
    Ok(())
}
