//! How a SQLite file was left by whoever used it last: its journal mode, and the log beside it.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde::Deserialize;
use std::path::Path;

/// See the module. Without anything said, a file in DELETE mode with nothing beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// Its journal mode.
    pub journal: Journal,
    /// File name and text of SQL whose effects are committed in `-wal` and not in the file itself.
    pub unmerged: Vec<(String, String)>,
    /// Beside the file lies a `-wal` all of which is in the file already.
    pub stale_wal: bool,
}

/// A journal mode that stays in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Journal {
    /// A rollback journal, removed after each transaction.
    #[default]
    Delete,
    /// A write-ahead log.
    Wal,
}

/// Leaves the finished file at `path` so.
///
/// # Errors
/// The file of SQL, or nothing where it is the mode, and SQLite's words.
pub(super) fn leave(path: &Path, side: &Side) -> Result<(), (String, rusqlite::Error)> {
    if *side == Side::default() {
        return Ok(());
    }
    let plain = |error| ("journal mode".to_owned(), error);
    let connection = Connection::open(path).map_err(plain)?;
    // What the last one to close would put into the file is meant to stay in the log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, side.keeps_log()).map_err(plain)?;
    connection.execute_batch("pragma journal_mode = wal; pragma wal_autocheckpoint = 0").map_err(plain)?;
    if side.stale_wal {
        let touched = "pragma user_version = 1; pragma user_version = 0; pragma wal_checkpoint(passive)";
        connection.execute_batch(touched).map_err(plain)?;
    }
    for (file, sql) in &side.unmerged {
        connection.execute_batch(sql).map_err(|error| (file.clone(), error))?;
    }
    connection.close().map_err(|(_, error)| plain(error))
}

impl Side {
    fn keeps_log(&self) -> bool {
        self.stale_wal || !self.unmerged.is_empty()
    }
}
