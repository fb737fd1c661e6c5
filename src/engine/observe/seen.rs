//! What a clone of a template held, written down with the template for the runs to come, and what is known by that.

use crate::db;
use crate::engine::case::stage::{Holding, Stage};
use crate::engine::run::context::Run;
use crate::model::{DatabaseState, SequenceUse};
use crate::target::{Pool, Template};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// All that is asked of a database.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    state: DatabaseState,
    uses: Vec<SequenceUse>,
    /// Object ids, which are the same in each clone.
    sequences: Vec<i64>,
}

/// What of it stays at hand.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The digest of the state.
    pub(super) state: String,
    pub(super) sequences: Vec<i64>,
}

/// The sequences that feed columns, by the digest of a state; of one run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Uses(Mutex<BTreeMap<String, Vec<SequenceUse>>>);

impl Uses {
    /// Those of a state, where they are known.
    pub(super) fn of(&self, state: &str) -> Option<Vec<SequenceUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(state).cloned()
    }

    fn keep(&self, state: &str, uses: Vec<SequenceUse>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(state.to_owned(), uses);
    }
}

impl Seen {
    /// What an earlier run has seen of a template, if one has.
    pub(super) async fn before(pool: &Pool, template: &Template) -> Option<Seen> {
        serde_json::from_str(&pool.remarked(template).await?).ok()
    }

    /// What `holding` holds beside its `state`.
    pub(super) async fn now(state: DatabaseState, stage: &Stage<'_>, holding: &Holding) -> Result<Seen> {
        let beside = async |connection: &mut PgConnection| {
            Ok((db::sequence_oids(connection).await?, db::sequence_uses(connection).await?))
        };
        let (sequences, uses) = super::ask(stage, holding, beside).await?;
        Ok(Seen { state, uses, sequences })
    }

    /// For the runs to come.
    pub(super) async fn write_down(&self, pool: &Pool, template: &Template) -> Result<()> {
        let text = serde_json::to_string(self).map_err(|error| Error::bug("it is no JSON").caused_by(error))?;
        pool.remark(template, &text).await;
        Ok(())
    }

    /// Keeps the state; and what depends on every column of it, where none was left out.
    pub(super) fn keep(self, run: &Run, is_whole: bool) -> Result<Kept> {
        let state = run.keep(self.state)?;
        if is_whole {
            run.uses.keep(&state, self.uses);
        }
        Ok(Kept { state, sequences: self.sequences })
    }
}
