//! Clones that nobody has written to hold what any other clone of their template held.
//!
//! [`still`](super::still) says that nobody is there, the server's counts that nothing was written since the database was
//! made (docs/decisions/013-untouched-clones.md). Only the next values of its sequences are read then, where it has some.

use super::still::Still;
use crate::db::{self, Volatile};
use crate::engine::case::stage::{Holding, Place, Stage};
use crate::engine::run::context::CaseLog;
use crate::target::Template;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The digest of the state of every template that a clone was looked at of, without its volatile columns. Whoever comes
/// while the first one is looked at waits for what it finds.
#[derive(Debug, Default)]
pub(in crate::engine) struct Known(Mutex<BTreeMap<Of, Arc<OnceCell<String>>>>);

/// The version of the server, the template and the columns that are left out: two versions describe one definition in
/// their own words.
type Of = (String, Template, Volatile);

impl Known {
    fn of(&self, of: Of) -> Arc<OnceCell<String>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of).or_default())
    }
}

/// The endpoints of a case whose databases are as they were when they were cloned, but for sequences.
pub(super) struct Untouched(BTreeSet<String>);

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

    fn template(&self, holding: &Holding) -> Option<(String, Template)> {
        match &holding.place {
            Place::Postgres { pool, template: Some(template), .. } if self.0.contains(&holding.endpoint) => {
                Some((pool.cluster().server_version().to_owned(), template.clone()))
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
    look: impl Future<Output = Result<String>>,
) -> Result<String> {
    let Some((server, template)) = untouched.template(holding) else { return look.await };
    let known = stage.context.run.known.of((server, template, super::volatile(stage, holding)));
    let mut look = Some(look);
    let first = known.get_or_try_init(async || match look.take() {
        Some(look) => look.await,
        None => Err(Error::bug("a database was looked at twice")),
    });
    let state = first.await?.clone();
    match look {
        Some(look) if !has_its_sequences(stage, holding, &state).await? => look.await,
        _ => Ok(state),
    }
}

async fn has_its_sequences(stage: &Stage<'_>, holding: &Holding, state: &str) -> Result<bool> {
    let Some(state) = stage.context.run.states().get(state).cloned() else { return Ok(false) };
    if state.sequences.is_empty() {
        return Ok(true);
    }
    let found = super::ask(stage, holding, async |connection| db::postgres_next_values(connection).await).await?;
    Ok(found == state.sequences)
}
