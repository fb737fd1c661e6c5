//! The files of a bundle as they lie there: each read once, hashed, and searched for secrets.

use crate::evidence::{Redactor, SUMS, is_added_later, path_problem};
use crate::gate::{Code, Complaint};
use crate::model::canonical::sha256_hex;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How many bytes a bundle may hold: sixteen times what the limits of what is captured lead to, and little enough to be
/// read on any machine.
const MAX_BYTES: u64 = 1 << 30;

/// What lies in a bundle.
pub(super) struct Sealed {
    /// SHA-256 of each regular file but the sums, by path.
    pub(super) sha256: BTreeMap<String, String>,
    /// The bytes of the files that are read again.
    bytes: BTreeMap<String, Vec<u8>>,
    /// The sums, if the bundle was sealed.
    pub(super) sums: Option<Vec<u8>>,
}

impl Sealed {
    /// Reads all of `root`, and complains about what is no regular file and about secrets.
    pub(super) fn read(root: &Path, redactor: &Redactor, complaints: &mut Vec<Complaint>) -> Result<Sealed> {
        let mut sealed = Sealed { sha256: BTreeMap::new(), bytes: BTreeMap::new(), sums: None };
        let mut room = MAX_BYTES;
        for path in regular_files(root, complaints)? {
            let file = root.join(&path);
            let length = std::fs::metadata(&file).map_err(|error| Error::io("read", &file, error))?.len();
            let Some(rest) = room.checked_sub(length) else {
                complaints.push(special(&path, &format!("has {length} bytes, and a bundle at most {MAX_BYTES}")));
                continue;
            };
            room = rest;
            let bytes = std::fs::read(&file).map_err(|error| Error::io("read", &file, error))?;
            let leaks = redactor.find(&bytes);
            let leak = |at: &usize| Complaint::new(Code::SecretLeak, &path, "no secret", format!("one at byte {at}"));
            complaints.extend(leaks.iter().map(leak));
            if path == SUMS {
                sealed.sums = Some(bytes);
                continue;
            }
            sealed.sha256.insert(path.clone(), sha256_hex(&bytes));
            if !path.starts_with("cases/") || path.ends_with("/diff.jsonl") {
                sealed.bytes.insert(path, bytes);
            }
        }
        Ok(sealed)
    }

    /// The bytes of a file that is not a log.
    pub(super) fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.bytes.get(path).map(Vec::as_slice)
    }

    /// Compares what lies there with the sums. A bundle without sums was never sealed.
    pub(super) fn check_sums(&self, complaints: &mut Vec<Complaint>) {
        let Some(sums) = &self.sums else {
            complaints.push(Complaint::new(Code::FileMissing, SUMS, "the sums of a sealed bundle", "nothing"));
            return;
        };
        let Some(listed) = parse(sums) else {
            let found = "other lines, or not sorted by path";
            complaints.push(Complaint::new(Code::Schema, SUMS, "`<sha256>  <path>`, sorted by path", found));
            return;
        };
        for (path, sha256) in &listed {
            match self.sha256.get(path) {
                None => complaints.push(Complaint::new(Code::FileMissing, path, sha256, "nothing")),
                Some(found) if found != sha256 => {
                    complaints.push(Complaint::new(Code::SumMismatch, path, sha256, found));
                }
                Some(_) => {}
            }
        }
        let listed: BTreeSet<&String> = listed.iter().map(|(path, _)| path).collect();
        let is_extra = |path: &&String| !listed.contains(path) && !is_added_later(path);
        let extra = self.sha256.keys().filter(is_extra);
        complaints.extend(extra.map(|path| Complaint::new(Code::FileExtra, path, "no such file", "one without a sum")));
    }
}

/// Digests and paths of sums; nothing where they are not exactly as we write them.
pub(super) fn parse(sums: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(sums).ok()?;
    let entry = |line: &str| {
        let (sha256, path) = line.split_once("  ")?;
        let is_hex = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (is_hex && path_problem(path).is_none()).then(|| (path.to_owned(), sha256.to_owned()))
    };
    // Not `lines`, which would pass over a carriage return: for `sha256sum` that is part of the name.
    let entries: Vec<(String, String)> = text.split_terminator('\n').map(entry).collect::<Option<_>>()?;
    let is_sorted = entries.is_sorted_by(|a, b| a.0 < b.0);
    (is_sorted && (text.is_empty() || text.ends_with('\n'))).then_some(entries)
}

/// All regular files by their paths in the bundle, sorted; the rest is complained about and left alone.
fn regular_files(root: &Path, complaints: &mut Vec<Complaint>) -> Result<BTreeSet<String>> {
    let (mut found, mut dirs) = (BTreeSet::new(), vec![String::new()]);
    while let Some(dir) = dirs.pop() {
        let folder = root.join(&dir);
        for entry in std::fs::read_dir(&folder).map_err(|error| Error::io("list", &folder, error))? {
            let entry = entry.map_err(|error| Error::io("list", &folder, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            let kind = entry.file_type().map_err(|error| Error::io("read", &entry.path(), error))?;
            match (path_problem(&path), kind.is_dir(), kind.is_file()) {
                (Some(why), _, _) => complaints.push(special(&path, why)),
                (None, true, _) => dirs.push(path),
                (None, _, true) => {
                    found.insert(path);
                }
                (None, false, false) => complaints.push(special(&path, "is neither a file nor a directory")),
            }
        }
    }
    Ok(found)
}

fn special(path: &str, why: &str) -> Complaint {
    Complaint::new(Code::SpecialFile, path, "a regular file with a plain name", format!("it {why}"))
}
