//! The report: what was done to which table, written so that it can never claim more than happened.

use super::layout::Job;
use super::{Action, Differences, Options};
use crate::model::RowSum;
use crate::tool::whole::write_whole;
use crate::{Error, Result, clock};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One execution of the migrator.
///
/// `results` has one entry for each table, source by source in the order of the profile. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// What was asked for.
    pub action: Action,
    /// Whether all went well; `running` in the report of a process that was killed.
    pub status: Status,
    /// Nothing is written to any database.
    pub dry_run: bool,
    /// Version of this tool.
    pub tool_version: &'static str,
    /// SHA-256 of the profile.
    pub profile_digest: String,
    /// The databases, sources first; empty until they were reached.
    pub databases: Vec<Database>,
    /// Start.
    pub started_at: String,
    /// End; absent while it runs.
    pub finished_at: Option<String>,
    /// Tables to handle.
    pub job_count: usize,
    /// Sums over `results`.
    pub summary: Summary,
    /// Per table.
    pub results: Vec<TableResult>,
    /// Why it did not go well.
    pub error: Option<String>,
}

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not ended, or killed.
    Running,
    /// Ended well: exit code 0.
    Ok,
    /// Anything else.
    Error,
}

/// Which database a variable led to, without secrets.
#[derive(Debug, Clone, Serialize)]
pub struct Database {
    /// `target`, or the source's name.
    pub name: String,
    /// The variable.
    pub variable: String,
    /// Host and port, database name and user, as the driver will use them.
    pub address: String,
    /// The server's version.
    pub server_version: String,
    /// The cluster's identifier and the database's oid.
    pub identity: String,
}

/// Sums over the tables.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Summary {
    /// Tables to handle.
    pub tables_total: usize,
    /// Tables with status `ok`.
    pub tables_ok: usize,
    /// Tables with status `mismatch` or `error`.
    pub tables_failed: usize,
    /// Rows in the target's tables after a migration or verification; removed rows after a rollback.
    pub rows: u64,
}

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TableStatus {
    /// Done, and equal if it was compared.
    Ok,
    /// Not touched.
    Planned,
    /// The two sides differ.
    Mismatch,
    /// It did not work; see `error`.
    Error,
}

/// One table.
///
/// Counts are rows. Checksums are the sum modulo 2^128 of the xxh3-128 digests of the rows, as COPY gives them in
/// `checksum_form`, columns sorted (key first). After `migrate` alone the target was not read again: no checksum.
#[derive(Debug, Clone, Serialize)]
pub struct TableResult {
    /// The source's name.
    pub source: String,
    /// Schema in the target.
    pub schema: String,
    /// Table.
    pub table: String,
    /// How it stands.
    pub status: TableStatus,
    /// Rows in the source's snapshot.
    pub source_count: Option<u64>,
    /// Rows in the target.
    pub target_count: Option<u64>,
    /// Checksum of the source's snapshot.
    pub source_checksum: Option<RowSum>,
    /// Checksum of the target.
    pub target_checksum: Option<RowSum>,
    /// `binary` or `text`.
    pub checksum_form: Option<&'static str>,
    /// Rows in the target before.
    pub target_count_before: Option<u64>,
    /// Rows in the target after.
    pub target_count_after: Option<u64>,
    /// Time spent on this table, in microseconds.
    pub duration_us: u64,
    /// What differs, when something does.
    pub differences: Option<Differences>,
    /// What went wrong.
    pub error: Option<String>,
}

impl TableResult {
    pub(super) fn planned(job: &Job) -> TableResult {
        TableResult {
            source: job.source_name.clone(),
            schema: job.schema.clone(),
            table: job.table.clone(),
            status: TableStatus::Planned,
            source_count: None,
            target_count: None,
            source_checksum: None,
            target_checksum: None,
            checksum_form: None,
            target_count_before: None,
            target_count_after: None,
            duration_us: 0,
            differences: None,
            error: None,
        }
    }

    /// `schema.table`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    pub(super) fn failed(&mut self, error: impl ToString) {
        self.status = TableStatus::Error;
        self.error = Some(error.to_string());
    }
}

impl Report {
    pub(super) fn count(&mut self) {
        let with = |wanted: &[TableStatus]| self.results.iter().filter(|row| wanted.contains(&row.status)).count();
        let rows = |row: &TableResult| match self.action {
            Action::Rollback => row.target_count_before,
            _ => row.target_count,
        };
        self.summary = Summary {
            tables_total: self.results.len(),
            tables_ok: with(&[TableStatus::Ok]),
            tables_failed: with(&[TableStatus::Mismatch, TableStatus::Error]),
            rows: self.results.iter().filter_map(rows).sum(),
        };
        self.job_count = self.results.len();
    }
}

/// The report while it grows, and its file.
pub(super) struct Ledger {
    report: Mutex<Report>,
    path: Option<PathBuf>,
}

impl Ledger {
    pub(super) fn new(options: &Options) -> Ledger {
        let report = Report {
            format: 1,
            action: options.action,
            status: Status::Running,
            dry_run: options.dry_run || options.action == Action::Plan,
            tool_version: env!("CARGO_PKG_VERSION"),
            profile_digest: String::new(),
            databases: Vec::new(),
            started_at: clock::now_utc(),
            finished_at: None,
            job_count: 0,
            summary: Summary::default(),
            results: Vec::new(),
            error: None,
        };
        Ledger { report: Mutex::new(report), path: options.report_path.clone() }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.lock());
    }

    pub(super) fn row(&self, index: usize, change: impl FnOnce(&mut TableResult)) {
        self.update(|report| change(&mut report.results[index]));
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Report) -> T) -> T {
        look(&self.lock())
    }

    /// Writes what is known so far.
    pub(super) fn save(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let report = self.read(Report::clone);
        let mut text = serde_json::to_vec_pretty(&report).map_err(|e| Error::bug("report to JSON").caused_by(e))?;
        text.push(b'\n');
        write_whole(path, &text)
    }

    pub(super) fn finish(&self, error: Option<&Error>) -> Report {
        self.update(|report| {
            report.count();
            report.finished_at = Some(clock::now_utc());
            report.status = if error.is_none() { Status::Ok } else { Status::Error };
            report.error = error.map(Error::to_string);
        });
        self.read(Report::clone)
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
