//! The receipt: which targets a migration has made, and whether it was through with putting them in their places.
//!
//! It lies beside the data. While it says `publishing`, what is under the names of the targets may be a mixture of old
//! and new, and nobody may take it for a migration; the next run makes all of it anew.

use super::snapshot::Snapshot;
use crate::db::sqlite::connection_state;
use crate::model::DatabaseState;
use crate::model::canonical::sha256_hex;
use crate::tool::whole::write_whole;
use crate::{Error, Result};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Its name in the data folder.
pub(super) const NAME: &str = ".consolidation.json";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt {
    pub(super) format: u32,
    pub(super) state: State,
    pub(super) profile_digest: String,
    /// Digest of everything that each target holds, by file.
    pub(super) targets: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Publishing,
    Done,
}

impl Receipt {
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(NAME)
    }

    /// Nothing where there is none.
    ///
    /// # Errors
    /// It cannot be read, or says something unknown.
    pub(super) fn read(data_dir: &Path) -> Result<Option<Receipt>> {
        let path = Receipt::path(data_dir);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| Error::io("read", &path, error))?,
        };
        let unknown = |error| Error::environment(format!("{} is not a receipt", path.display())).caused_by(error);
        serde_json::from_slice(&text).map(Some).map_err(unknown)
    }

    pub(super) fn write(&self, data_dir: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::bug("a receipt is JSON").caused_by(error))?;
        write_whole(&Receipt::path(data_dir), &text)
    }
}

/// Digest of everything that a file holds, and whether that is no row at all. Read without a trace.
///
/// # Errors
/// It cannot be read, as when it is damaged or in use.
pub(super) fn content(path: &Path) -> Result<(String, bool)> {
    let scratch = tempfile::tempdir().map_err(|error| Error::environment("no temporary folder").caused_by(error))?;
    let snapshot = Snapshot::take(path, scratch.path(), PATIENCE)?;
    content_of(&snapshot.connection).map_err(|error| error.within(path.display()))
}

/// The same of an open database.
pub(super) fn content_of(connection: &Connection) -> Result<(String, bool)> {
    let state = connection_state(connection, &BTreeMap::new())?;
    Ok((digest_of(&state)?, state.tables.values().all(|table| table.rows == 0)))
}

/// The same of a state.
pub(super) fn digest_of(state: &DatabaseState) -> Result<String> {
    let text = serde_json::to_vec(state).map_err(|error| Error::bug("a state is JSON").caused_by(error))?;
    Ok(sha256_hex(&text))
}

const PATIENCE: Duration = Duration::from_secs(1);
