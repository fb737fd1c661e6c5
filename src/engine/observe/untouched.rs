//! Clones that nobody has written to hold what any other clone of their template held.
//!
//! [`still`](super::still) says that nobody is there, the server's counts that nothing was written since the database was
//! made (docs/decisions/013-untouched-clones.md). Only where somebody has read its sequences, their next values are read
//! again. What a clone of a template held is written down with the template, for the runs to come.

use super::seen::{Kept, Seen};
use super::still::Still;
use crate::Result;
use crate::db::{self, Volatile};
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::run::context::CaseLog;
use crate::model::DatabaseState;
use crate::target::{Pool, Template};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;

/// What is known of every template that a clone was looked at of, without its volatile columns. Whoever comes while the
/// first one is looked at waits for what it finds.
#[derive(Debug, Default)]
pub(in crate::engine) struct Known(std::sync::Mutex<BTreeMap<Of, Arc<Mutex<Option<Kept>>>>>);

/// The pool of its server, the template, and the columns that are left out: numbers of objects are a server's own.
type Of = (usize, Template, Volatile);

impl Known {
    fn of(&self, of: Of) -> Arc<Mutex<Option<Kept>>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of).or_default())
    }
}

/// The endpoints of a case whose databases are as they were when they were cloned, but for sequences.
pub(super) struct Untouched(BTreeSet<String>);

/// A clone that nobody has written to.
struct Intact<'s> {
    pool: &'s Arc<Pool>,
    template: &'s Template,
    database: &'s str,
}

impl Untouched {
    /// Where the harness has written itself, nobody waits until the server has counted that: none.
    pub(super) async fn of(stage: &Stage<'_>, log: &CaseLog<'_>, still: Option<Still>) -> Untouched {
        let has_written = log.events.source_writes().next().is_some();
        let mut endpoints = BTreeSet::new();
        for server in stage.servers().iter().filter(|_| still.is_some() && !has_written) {
            let untouched = server.pool.untouched(&server.databases).await;
            endpoints.extend(server.endpoints_of(&untouched));
        }
        Untouched(endpoints)
    }

    fn intact<'s>(&self, holding: &'s Holding) -> Option<Intact<'s>> {
        match &holding.place {
            Place::Postgres { pool, template: Some(template), database, .. } if self.0.contains(&holding.endpoint) => {
                Some(Intact { pool, template, database: database.name() })
            }
            _ => None,
        }
    }
}

/// The digest of what a database holds now: what is known of its template, or else what `look` finds.
pub(super) async fn or_look(
    stage: &Stage<'_>,
    holding: &Holding,
    untouched: &Untouched,
    look: impl Future<Output = Result<DatabaseState>>,
) -> Result<String> {
    let run = stage.context.run;
    let Some(intact) = untouched.intact(holding) else { return run.keep(look.await?) };
    let volatile = super::volatile(stage, holding);
    let is_whole = volatile.is_empty();
    let known = run.known.of((Arc::as_ptr(intact.pool).addr(), intact.template.clone(), volatile));
    let mut known = known.lock().await;
    if is_whole && known.is_none() {
        *known = Seen::before(intact.pool, intact.template).await.map(|seen| seen.keep(run)).transpose()?;
    }
    let Some(kept) = known.clone() else {
        let (state, of_template) = first_look(stage, holding, &intact, is_whole, look).await?;
        *known = of_template;
        return Ok(state);
    };
    drop(known); // who waits for it need not wait for more
    match has_its_sequences(stage, holding, &intact, &kept).await? {
        true => Ok(kept.state),
        false => run.keep(look.await?),
    }
}

/// What a clone holds, and what that tells of its template: nothing, where somebody has used its sequences already.
async fn first_look(
    stage: &Stage<'_>,
    holding: &Holding,
    intact: &Intact<'_>,
    is_whole: bool,
    look: impl Future<Output = Result<DatabaseState>>,
) -> Result<(String, Option<Kept>)> {
    let run = stage.context.run;
    let sequences = super::ask(stage, holding, async |connection| db::sequence_oids(connection).await).await?;
    // Before our own look, which reads them.
    let is_as_cloned = sequences.is_empty() || intact.pool.are_unread(intact.database, &sequences).await;
    let state = look.await?;
    if !is_as_cloned {
        return Ok((run.keep(state)?, None));
    }
    let kept = match is_whole && intact.template.lasts() {
        true => Seen::write_down(state, sequences, (stage, holding), (intact.pool, intact.template)).await?,
        false => Kept { state: run.keep(state)?, sequences },
    };
    Ok((kept.state.clone(), Some(kept)))
}

async fn has_its_sequences(stage: &Stage<'_>, holding: &Holding, intact: &Intact<'_>, kept: &Kept) -> Result<bool> {
    if kept.sequences.is_empty() || intact.pool.are_unread(intact.database, &kept.sequences).await {
        return Ok(true);
    }
    let Some(state) = stage.context.run.states().get(&kept.state).cloned() else { return Ok(false) };
    let found = super::ask(stage, holding, async |connection| db::postgres_next_values(connection).await).await?;
    Ok(found == state.sequences)
}
