//! Clones that nobody has written to hold what any other clone of their template held.
//!
//! [`still`](super::still) says that nobody is there, the server's counts that nothing was written since the database was
//! made (docs/decisions/013-untouched-clones.md). Only where somebody has read its sequences, their next values are read
//! again. What a clone of a template held is written down with the template, for the runs to come.

use super::seen::{Kept, Seen};
use super::still::Still;
use crate::db::{self, Volatile};
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::run::context::CaseLog;
use crate::model::DatabaseState;
use crate::target::{Pool, Template};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// What is known of every template that a clone was looked at of, without its volatile columns. Whoever comes while the
/// first one is looked at waits for what it finds.
#[derive(Debug, Default)]
pub(in crate::engine) struct Known(Mutex<BTreeMap<Of, Arc<OnceCell<Kept>>>>);

/// The version of the server, the template and the columns that are left out: two versions describe one definition in
/// their own words.
type Of = (String, Template, Volatile);

impl Known {
    fn of(&self, of: Of) -> Arc<OnceCell<Kept>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of).or_default())
    }
}

/// The endpoints of a case whose databases are as they were when they were cloned, but for sequences.
pub(super) struct Untouched(BTreeSet<String>);

/// A clone that nobody has written to.
struct Clone<'s> {
    pool: &'s Pool,
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

    fn clone<'s>(&self, holding: &'s Holding) -> Option<Clone<'s>> {
        match &holding.place {
            Place::Postgres { pool, template: Some(template), database: Some(database), .. }
                if self.0.contains(&holding.endpoint) =>
            {
                Some(Clone { pool, template, database: database.name() })
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
    let Some(clone) = untouched.clone(holding) else { return run.keep(look.await?) };
    let volatile = super::volatile(stage, holding);
    let is_whole = volatile.is_empty();
    let known = run.known.of((clone.pool.cluster().server_version().to_owned(), clone.template.clone(), volatile));
    let mut look = Some(look);
    let kept = known.get_or_try_init(|| seen(stage, holding, &clone, is_whole, &mut look)).await?;
    match look {
        Some(look) if !has_its_sequences(stage, holding, &clone, kept).await? => run.keep(look.await?),
        _ => Ok(kept.state.clone()),
    }
}

/// What an earlier run has written down of the template; or else what `look` finds, which is written down for later ones.
async fn seen(
    stage: &Stage<'_>,
    holding: &Holding,
    clone: &Clone<'_>,
    is_whole: bool,
    look: &mut Option<impl Future<Output = Result<DatabaseState>>>,
) -> Result<Kept> {
    let (run, pool, template) = (stage.context.run, clone.pool, clone.template);
    if is_whole && let Some(seen) = Seen::before(pool, template).await {
        return seen.keep(run, is_whole);
    }
    let state = look.take().ok_or_else(|| Error::bug("a database was looked at twice"))?.await?;
    let seen = Seen::now(state, stage, holding).await?;
    if is_whole {
        seen.write_down(pool, template).await?;
    }
    seen.keep(run, is_whole)
}

async fn has_its_sequences(stage: &Stage<'_>, holding: &Holding, clone: &Clone<'_>, kept: &Kept) -> Result<bool> {
    if kept.sequences.is_empty() || clone.pool.are_unread(clone.database, &kept.sequences).await {
        return Ok(true);
    }
    let Some(state) = stage.context.run.states().get(&kept.state).cloned() else { return Ok(false) };
    let found = super::ask(stage, holding, async |connection| db::postgres_next_values(connection).await).await?;
    Ok(found == state.sequences)
}
