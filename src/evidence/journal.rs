//! `events.jsonl`: what happened, in order, each line bound to the one before by its digest.
//!
//! The chain binds every line but the last one; that one is bound by `SHA256SUMS`. A journal that was cut at a line's
//! end is told by the missing `run.finished`.

use super::chain::no_line;
use super::redact::Redactor;
use crate::clock::{self, Stopwatch};
use crate::error::{Error, Result};
use crate::model::canonical::sha256_hex;
use crate::model::{Body, Event, RunRecord, ScenarioRecord};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sees each event after it is on file, in order. It runs under the journal's lock and must not call the journal.
pub type Observer = Box<dyn FnMut(&Event) + Send>;

/// The one writer of `events.jsonl`.
pub struct Journal {
    path: PathBuf,
    redactor: Option<Redactor>,
    writer: Mutex<Writer>,
}

struct Writer {
    file: File,
    watch: Stopwatch,
    events: Vec<Event>,
    /// The events so far, folded.
    record: RunRecord,
    last_sha256: String,
    observer: Option<Observer>,
    failed: Option<String>,
}

impl Journal {
    /// Begins a journal at `path`, which must not exist yet; the run's time starts here.
    ///
    /// # Errors
    /// The environment: the file exists or cannot be created.
    pub fn create(path: &Path, observer: Option<Observer>) -> Result<Journal> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        Ok(Journal::over(file.map_err(|e| Error::io("create the journal", path, e))?, path, observer))
    }

    fn over(file: File, path: &Path, observer: Option<Observer>) -> Journal {
        let writer = Writer {
            file,
            watch: Stopwatch::start(),
            events: Vec::new(),
            record: RunRecord::default(),
            last_sha256: no_line(),
            observer,
            failed: None,
        };
        Journal { path: path.to_owned(), redactor: None, writer: Mutex::new(writer) }
    }

    /// Masks secrets in the texts of every event from here on, before it is written or shown to anybody.
    #[must_use]
    pub fn redacting(mut self, redactor: Redactor) -> Journal {
        self.redactor = Some(redactor);
        self
    }

    /// Writes the next line; what must not be lost (a fault that struck, the end of a case or run) is synced.
    ///
    /// # Errors
    /// The environment: the line could not be written. From then on every call fails, so that there is no gap.
    pub fn append(&self, body: Body) -> Result<()> {
        let body = self.redact(body)?;
        let mut writer = self.lock();
        if let Some(why) = &writer.failed {
            return Err(self.error(&format!("an earlier line of the journal is not written: {why}")));
        }
        writer.append(body).map_err(|source| {
            writer.failed = Some(source.to_string());
            self.error("the journal cannot be written; free space there and run again").caused_by(source)
        })
    }

    /// All events so far, in order.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// The run so far, as reports see it.
    pub fn record(&self) -> RunRecord {
        self.lock().record.clone()
    }

    /// Asks what is on record of a scenario that has begun. `ask` must not call the journal.
    pub fn of_scenario<T>(&self, scenario: &str, ask: impl FnOnce(Option<&ScenarioRecord>) -> T) -> T {
        let writer = self.lock();
        ask(writer.record.scenarios.iter().rfind(|record| record.scenario == scenario))
    }

    /// Microseconds since the run started.
    pub fn elapsed_us(&self) -> u64 {
        self.lock().watch.elapsed_us()
    }

    fn redact(&self, body: Body) -> Result<Body> {
        let Some(redactor) = &self.redactor else { return Ok(body) };
        let what = "a secret of this run is spelled like a word of the journal, such as `pass`; give it another value";
        let clash = |e: serde_json::Error| self.error(what).caused_by(e);
        let mut value = serde_json::to_value(&body).map_err(clash)?;
        redactor.mask_json(&mut value);
        serde_json::from_value(value).map_err(clash)
    }

    fn error(&self, what: &str) -> Error {
        Error::environment(what).within(self.path.display())
    }

    /// An observer that panicked has left the writer whole: it runs last.
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn append(&mut self, body: Body) -> std::io::Result<()> {
        let event = Event {
            seq: self.events.len() as u64 + 1,
            prev: self.last_sha256.clone(),
            t: clock::now_utc(),
            mono_us: self.watch.elapsed_us(),
            body,
        };
        let mut line = serde_json::to_vec(&event)?;
        let sha256 = sha256_hex(&line);
        line.push(b'\n');
        self.file.write_all(&line)?;
        if must_last(&event.body) {
            self.file.sync_data()?;
        }
        self.last_sha256 = sha256;
        self.record.add(&event);
        self.events.push(event);
        if let (Some(observer), Some(event)) = (&mut self.observer, self.events.last()) {
            observer(event);
        }
        Ok(())
    }
}

fn must_last(body: &Body) -> bool {
    matches!(body, Body::FaultFired { .. } | Body::CaseFinished { .. } | Body::RunFinished { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// Here and not among the integration tests, because a device cannot be created anew.
    #[test]
    fn a_full_disk_is_named_and_every_later_line_is_refused() {
        let full = Path::new("/dev/full");
        let file = OpenOptions::new().write(true).open(full).unwrap();
        let journal = Journal::over(file, full, None);
        let note = || Body::Note { case: None, text: "x".to_owned() };

        let first = journal.append(note()).unwrap_err();
        assert_eq!(first.kind(), ErrorKind::Environment);
        assert!(first.to_string().starts_with("/dev/full: the journal cannot be written"), "{first}");
        assert!(first.to_string().contains("No space left"), "{first}");

        let second = journal.append(note()).unwrap_err().to_string();
        assert!(
            second.starts_with("/dev/full: an earlier line of the journal is not written: No space left"),
            "{second}"
        );
        assert_eq!(journal.events(), []);
    }
}
