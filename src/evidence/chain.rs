//! Reading `events.jsonl`: the chain from line to line, and the first thing that is wrong with it.

use crate::error::{Error, ErrorKind, Result};
use crate::model::canonical::sha256_hex;
use crate::model::{Body, Event};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// What is wrong with a journal, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// The family.
    pub kind: FlawKind,
    /// What it does, as in `line 3 is torn`.
    pub what: String,
}

/// The families of flaws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlawKind {
    /// A line was changed, moved, left out or added.
    Broken,
    /// The end is missing: the run was cut off.
    Truncated,
    /// A line is in its place in the chain, and no event of this format.
    NotAnEvent,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} {}", self.line, self.what)
    }
}

/// Reads a journal that is whole: the chain holds from the first line to `run.finished`.
///
/// # Errors
/// Evidence: names the first line at which the chain, the count or the text is broken, or says that the end is
/// missing. Environment: the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Event>> {
    match read_intact(path)? {
        (_, Some(error)) => Err(error),
        (events, None) => Ok(events),
    }
}

/// Reads what is whole from the beginning of a journal, and says what is wrong after it, if anything is.
///
/// # Errors
/// Environment: the file cannot be read.
pub fn read_intact(path: &Path) -> Result<(Vec<Event>, Option<Error>)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let (events, flaw) = chained(&bytes);
    let error = |flaw: Flaw| Error::new(ErrorKind::Evidence, format!("{}: {flaw}", path.display()));
    Ok((events, flaw.map(error)))
}

/// The events of a journal's bytes as far as they are whole, and the first flaw after them.
pub fn chained(bytes: &[u8]) -> (Vec<Event>, Option<Flaw>) {
    let mut chain = Chain { events: Vec::new(), last_sha256: no_line() };
    let broken = bytes.split_inclusive(|byte| *byte == b'\n').find_map(|line| chain.add(line).err());
    let flaw = broken.or_else(|| chain.end().err());
    (chain.events, flaw)
}

/// What stands for the line before the first.
pub(super) fn no_line() -> String {
    "0".repeat(64)
}

/// What binds a line to the one before it.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: String,
}

struct Chain {
    events: Vec<Event>,
    last_sha256: String,
}

impl Chain {
    fn add(&mut self, line: &[u8]) -> Result<(), Flaw> {
        use FlawKind::{Broken, NotAnEvent, Truncated};
        let line = line.strip_suffix(b"\n").ok_or_else(|| self.flaw(Truncated, "is torn: it has no end"))?;
        let not_an_event = |kind, error| self.flaw(kind, format!("is not an event of this format: {error}"));
        let link: Link = serde_json::from_slice(line).map_err(|error| not_an_event(Broken, error))?;
        if link.seq != self.events.len() as u64 + 1 {
            return Err(self.flaw(Broken, format!("has number {}: a line is missing or moved", link.seq)));
        }
        if link.prev != self.last_sha256 {
            return Err(self.flaw(Broken, "does not follow the line before: one of the two was changed"));
        }
        let event: Event = serde_json::from_slice(line).map_err(|error| not_an_event(NotAnEvent, error))?;
        if event.mono_us < self.events.last().map_or(0, |last| last.mono_us) {
            return Err(self.flaw(Broken, "is earlier than the line before"));
        }
        self.last_sha256 = sha256_hex(line);
        self.events.push(event);
        Ok(())
    }

    fn end(&self) -> Result<(), Flaw> {
        let finished = self.events.iter().position(|event| matches!(event.body, Body::RunFinished { .. }));
        match finished {
            Some(index) if index + 1 == self.events.len() => Ok(()),
            Some(index) => {
                let what = format!("is not reached rightly: line {} ends the run", index + 1);
                Err(self.flaw(FlawKind::Broken, what))
            }
            None => {
                let what = "is missing: the journal ends before `run.finished`, so the run is incomplete";
                Err(self.flaw(FlawKind::Truncated, what))
            }
        }
    }

    fn flaw(&self, kind: FlawKind, what: impl Into<String>) -> Flaw {
        Flaw { line: self.events.len() + 1, kind, what: what.into() }
    }
}
