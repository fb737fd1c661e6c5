//! What the databases among some files recover to, and whether that was seen before.

use crate::db::sqlite;
use crate::engine::case::power::Story;
use crate::engine::case::relocate;
use crate::engine::files::replay::Files;
use crate::engine::run::context::Rehearsed;
use crate::model::canonical;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// See the module.
pub(super) struct Recovered<'a> {
    story: &'a Story,
    volatile: BTreeMap<String, BTreeSet<String>>,
    /// Where databases are opened; as long a path as that of the story.
    dir: PathBuf,
    /// The state of a database, by all that it recovers from.
    known: BTreeMap<u128, String>,
    seen: BTreeSet<u128>,
}

impl<'a> Recovered<'a> {
    pub(super) fn new(context: &Rehearsed<'_>, story: &'a Story) -> Result<Recovered<'a>> {
        let house = &context.run.house;
        let dir = house.case_dir(house.next_case())?;
        let volatile = context.scenario.volatile_columns();
        Ok(Recovered { story, volatile, dir, known: BTreeMap::new(), seen: BTreeSet::new() })
    }

    /// Whether nothing that was asked for holds the same: each database by what it recovers to, each other file by its
    /// bytes.
    pub(super) fn is_new(&mut self, files: &Files) -> Result<bool> {
        let mut whole = Xxh3::new();
        for name in files.keys().chain(self.story.files.values()).collect::<BTreeSet<_>>() {
            let content = match files.get(name) {
                Some(_) if is_beside(name) => continue,
                Some(bytes) if !self.is_database(name, bytes) => format!("{:032x}", bytes.hash()),
                found => self.state(name, found.is_some(), files)?,
            };
            whole.update(format!("{name} {content}\n").as_bytes());
        }
        Ok(self.seen.insert(whole.digest128()))
    }

    /// From now on everything is new.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    fn is_database(&self, name: &str, bytes: &[u8]) -> bool {
        bytes.starts_with(b"SQLite format 3\0") || self.story.files.values().any(|file| file == name)
    }

    fn state(&mut self, name: &str, is_there: bool, files: &Files) -> Result<String> {
        if !is_there {
            return Ok("missing".to_owned());
        }
        let takes_part =
            |other: &&String| other.as_str() == name || other.starts_with(&format!("{name}-")) || is_super(other);
        let parts: Vec<&String> = files.keys().filter(takes_part).collect();
        let mut whole = Xxh3::new();
        for part in &parts {
            whole.update(format!("{part} {:032x}\n", files[*part].hash()).as_bytes());
        }
        let key = whole.digest128();
        if let Some(state) = self.known.get(&key) {
            return Ok(state.clone());
        }
        parts.iter().try_for_each(|part| relocate::put(part, &files[*part], &self.story.root, &self.dir))?;
        let state = sqlite::found_state(&self.dir.join(name), &self.volatile)?;
        // However it is damaged: nobody goes on with it.
        let state = if state.is_damaged() { "damaged".to_owned() } else { canonical::sha256(&state)? };
        parts.iter().try_for_each(|part| remove(&self.dir.join(part)))?;
        self.known.insert(key, state.clone());
        Ok(state)
    }
}

impl Drop for Recovered<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir); // the session's end does it otherwise
    }
}

/// Whether a file is part of a database of another name.
fn is_beside(name: &str) -> bool {
    ["-wal", "-journal", "-shm"].iter().any(|end| name.ends_with(end)) || is_super(name)
}

/// A super-journal, as SQLite names it.
fn is_super(name: &str) -> bool {
    name.rsplit_once("-mj").is_some_and(|(_, rest)| rest.len() == 9 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
