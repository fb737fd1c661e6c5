//! What a clone of a template held, written down with the template for the runs to come, and what is known by that.

use crate::Result;
use crate::db;
use crate::engine::case::stage::{Holding, Stage};
use crate::engine::run::context::Run;
use crate::model::{DatabaseState, SequenceUse};
use crate::target::{Pool, Template};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// All that is asked of a database of which no column is left out.
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

    /// Keeps what `holding` holds, and writes it down for the runs to come; where its sequences cannot be read, nothing is.
    pub(super) async fn write_down(
        state: DatabaseState,
        sequences: Vec<i64>,
        (stage, holding): (&Stage<'_>, &Holding),
        (pool, template): (&Pool, &Template),
    ) -> Result<Kept> {
        let run = stage.context.run;
        let uses = super::ask(stage, holding, async |connection| db::sequence_uses(connection).await).await;
        let Ok(uses) = uses else { return Ok(Kept { state: run.keep(state)?, sequences }) };
        let seen = Seen { state, uses, sequences };
        if let Ok(text) = serde_json::to_string(&seen) {
            pool.remark(template, &text).await;
        }
        seen.keep(run)
    }

    /// Keeps all of it.
    pub(super) fn keep(self, run: &Run) -> Result<Kept> {
        let state = run.keep(self.state)?;
        run.uses.keep(&state, self.uses);
        Ok(Kept { state, sequences: self.sequences })
    }
}
