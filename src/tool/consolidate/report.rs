//! The report: what was done to which table. It is on the disk as `running` before anything else is.

use super::build::Moved;
use super::{Action, Options};
use crate::tool::whole::write_whole;
use crate::{Error, Result, clock};
use serde::Serialize;
use std::path::Path;

/// One execution.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// What was asked for.
    pub action: Action,
    /// `running`, `ok` or `error`.
    pub status: &'static str,
    /// Whether it ended well.
    pub success: bool,
    /// Nothing is written to the data folder.
    pub dry_run: bool,
    /// Version of this tool.
    pub tool_version: &'static str,
    /// SHA-256 of the profile and its schemas.
    pub profile_digest: String,
    /// The folder.
    pub data_dir: String,
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// End; absent while it runs.
    pub finished_at: Option<String>,
    /// How long it took.
    pub duration_us: u64,
    /// Tables that were moved or compared.
    pub tables_migrated: usize,
    /// Rows in them.
    pub total_rows: u64,
    /// Per table, source by source.
    pub tables: Vec<TableResult>,
    /// What differs.
    pub issues: Vec<String>,
    /// What stays behind or gets a default, as declared; what was replaced.
    pub notes: Vec<String>,
    /// The files of a backup or a restore.
    pub files: Vec<FileResult>,
    /// The folder of the backup.
    pub backup: Option<String>,
    /// Why it did not go well.
    pub errors: Vec<String>,
}

/// One table of one source. `read = written + skipped`.
#[derive(Debug, Clone, Serialize)]
pub struct TableResult {
    /// The source.
    pub source: String,
    /// The table there.
    pub table: String,
    /// The target.
    pub target: String,
    /// The table there.
    pub into: String,
    /// Rows in the source.
    pub read: u64,
    /// Rows that went to the target.
    pub written: u64,
    /// Rows that stay behind.
    pub skipped: u64,
    /// Why they do.
    pub skipped_because: Option<String>,
    /// Order-free digest of the rows that went.
    pub digest: String,
}

/// One file of a backup or a restore.
#[derive(Debug, Clone, Serialize)]
pub struct FileResult {
    /// Its name.
    pub file: String,
    /// Its length in the backup.
    pub bytes: u64,
    /// What was done: `saved`, `restored`, `removed`.
    pub done: &'static str,
}

impl Report {
    pub(super) fn new(options: &Options) -> Report {
        Report {
            format: 1,
            action: options.action,
            status: "running",
            success: false,
            dry_run: matches!(options.action, Action::DryRun | Action::Verify | Action::Health),
            tool_version: env!("CARGO_PKG_VERSION"),
            profile_digest: String::new(),
            data_dir: String::new(),
            started_at: clock::now_utc(),
            finished_at: None,
            duration_us: 0,
            tables_migrated: 0,
            total_rows: 0,
            tables: Vec::new(),
            issues: Vec::new(),
            notes: Vec::new(),
            files: Vec::new(),
            backup: None,
            errors: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, moved: &[Moved]) {
        self.tables.extend(moved.iter().map(TableResult::of));
        self.tables_migrated = self.tables.len();
        self.total_rows = self.tables.iter().map(|table| table.written).sum();
    }

    pub(super) fn finish(&mut self, error: Option<&Error>, duration_us: u64) {
        self.finished_at = Some(clock::now_utc());
        self.duration_us = duration_us;
        self.success = error.is_none();
        self.status = if self.success { "ok" } else { "error" };
        self.errors = error.map_or_else(Vec::new, |error| error.to_string().lines().map(str::to_owned).collect());
    }

    /// Writes it as a whole, or leaves the older one.
    pub(super) fn save(&self, path: Option<&Path>) -> Result<()> {
        let Some(path) = path else { return Ok(()) };
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::bug("a report is JSON").caused_by(error))?;
        write_whole(path, &text)
    }
}

impl TableResult {
    fn of(moved: &Moved) -> TableResult {
        let step = &moved.step;
        let skipped = moved.read_rows.saturating_sub(moved.written_rows);
        let earlier = || "an earlier source has the key; `on_conflict = \"keep-first\"`".to_owned();
        TableResult {
            source: step.source.clone(),
            table: step.table.clone(),
            target: step.target.clone(),
            into: step.into.clone(),
            read: moved.read_rows,
            written: moved.written_rows,
            skipped,
            skipped_because: (skipped > 0).then(|| step.because.clone().unwrap_or_else(earlier)),
            digest: moved.digest.sum.to_string(),
        }
    }
}
