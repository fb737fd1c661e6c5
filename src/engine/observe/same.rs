//! Files that need not be read as databases again, because files with the same bytes were.
//!
//! What a SQLite file holds is in its bytes and in those of its log. Cases of a sweep begin with copies of the same
//! files, and end in few states: opening each, checking it and reading its rows cost more than the rest of a look. A
//! journal beside it may name another file, on which it depends what it holds: such a file is always read.

use crate::Result;
use crate::db::Volatile;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// The digests of the states of files, by their bytes; of one run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Same(Mutex<HashMap<u128, String>>);

/// Larger ones are read: hashing them costs what reading does.
const LARGEST_BYTES: u64 = 1 << 20;

impl Same {
    /// The digest of the state of the file at `path`, found by `read` where it is not known.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn digest(
        &self,
        path: &Path,
        volatile: &Volatile,
        read: impl FnOnce() -> Result<String>,
    ) -> Result<String> {
        let Some(key) = key(path, volatile) else { return read() };
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let digest = read()?;
        if self::key(path, volatile) == Some(key) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, digest.clone());
        }
        Ok(digest)
    }
}

/// Nothing for what is not there, is large, or depends on more than itself.
fn key(path: &Path, volatile: &Volatile) -> Option<u128> {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    if beside("-journal").exists() || path.metadata().ok()?.len() > LARGEST_BYTES {
        return None;
    }
    let mut hash = Xxh3::new();
    for part in [std::fs::read(path).ok()?, std::fs::read(beside("-wal")).unwrap_or_default()] {
        hash.update(&part.len().to_le_bytes());
        hash.update(&part);
    }
    hash.update(&[u8::from(beside("-wal").exists())]);
    hash.update(format!("{volatile:?}").as_bytes());
    Some(hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs;

    #[rstest]
    #[case::the_same_was_written_again("a.db", b"abc", 1)]
    #[case::a_byte_is_another("a.db", b"abd", 2)]
    #[case::a_log_came("a.db-wal", b"", 2)]
    #[case::a_journal_came("a.db-journal", b"", 2)]
    #[case::it_is_large("a.db", &[0; 2 << 20], 2)]
    fn a_file_is_read_once_for_its_bytes(#[case] name: &str, #[case] bytes: &[u8], #[case] expected: u32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let same = Same::default();
        let mut reads = 0;
        for (name, bytes) in [("a.db", &b"abc"[..]), (name, bytes)] {
            fs::write(folder.path().join(name), bytes).unwrap();
            let read = || {
                reads += 1;
                Ok("digest".to_owned())
            };
            assert_eq!(same.digest(&path, &Volatile::new(), read).unwrap(), "digest");
        }
        assert_eq!(reads, expected);
    }

    #[test]
    fn what_is_not_there_is_always_looked_for() {
        let same = Same::default();
        let gone = Path::new("/nowhere/a.db");
        for digest in ["missing", "missing still"] {
            assert_eq!(same.digest(gone, &Volatile::new(), || Ok(digest.to_owned())).unwrap(), digest);
        }
    }
}
