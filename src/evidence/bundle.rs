//! A run's directory: where each file of the evidence lies, and the sums that close it.

use super::redact::{self, Hit, Redactor};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::DatabaseState;
use crate::model::canonical::{self, sha256_hex};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as Io, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// The journal's name in a bundle.
pub const EVENTS: &str = "events.jsonl";
/// The sums' name in a bundle.
pub const SUMS: &str = "SHA256SUMS";
/// The sums while they are written: a bundle has all of them or none.
pub const SUMS_PART: &str = "SHA256SUMS.part";
/// What is added after sealing, and names the sums; so the sums cannot name it.
const AFTER_SEALING: [&str; 2] = ["attest", "signoffs"];

/// Whether the file at a path in a bundle is added after sealing, so that the sums cannot name it.
pub fn is_added_later(path: &str) -> bool {
    path.split_once('/').is_some_and(|(folder, _)| AFTER_SEALING.contains(&folder))
}
const MAX_PATH_BYTES: usize = 180;
const LATEST: &str = "latest";

/// A bundle that is being written.
#[derive(Debug)]
pub struct Open;
/// A bundle whose sums are written; nothing under them changes any more.
#[derive(Debug)]
pub struct Sealed;

/// The directory `run-<id>` of one run.
#[derive(Debug)]
pub struct Bundle<S> {
    root: PathBuf,
    run: String,
    state: PhantomData<S>,
}

impl<S> Bundle<S> {
    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The id: the time of its creation in UTC, such as `20261120T073839-123456`, so that ids sort by time.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Where the journal is.
    pub fn events(&self) -> PathBuf {
        self.root.join(EVENTS)
    }
}

impl Bundle<Open> {
    /// Makes `run-<id>` in `out_dir`, which is made too, and points the link `latest` to it.
    ///
    /// # Errors
    /// The environment: a directory or the link cannot be made.
    pub fn create(out_dir: &Path) -> Result<Bundle<Open>> {
        fs::create_dir_all(out_dir).map_err(|e| Error::io("create", out_dir, e))?;
        let (run, root) = create_run_dir(out_dir)?;
        let bundle = Bundle { root, run, state: PhantomData };
        bundle.write("README.txt", README.as_bytes())?;
        bundle.link_latest(out_dir)?;
        Ok(bundle)
    }

    /// The directory of a case, made if it is not there: `cases/<case>`.
    ///
    /// # Errors
    /// As [`Bundle::path`], and the environment.
    pub fn case_dir(&self, case: &str) -> Result<PathBuf> {
        let dir = self.path(&format!("cases/{case}"))?;
        fs::create_dir_all(&dir).map_err(|e| Error::io("create", &dir, e))?;
        Ok(dir)
    }

    /// Writes canonical JSON to a new file.
    ///
    /// # Errors
    /// As [`Bundle::write`]; a bug if the value holds a float.
    pub fn write_json(&self, path: &str, value: &impl Serialize) -> Result<()> {
        self.write(path, &canonical::to_file(value)?)
    }

    /// Writes a new file, whose directory is made if it is not there.
    ///
    /// # Errors
    /// As [`Bundle::path`], and the environment; also when the file exists: evidence is not overwritten.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(path)?;
        make_parent(&path).and_then(|()| write_new(&path, bytes)).map_err(|e| Error::io("write", &path, e))?;
        Ok(())
    }

    /// Writes `states/<digest>.json` unless it is there; several threads may come with one state.
    ///
    /// `digest` is [`canonical::sha256`] of the state.
    ///
    /// # Errors
    /// The environment; a bug if the digest is another state's.
    pub fn write_state(&self, digest: &str, state: &DatabaseState) -> Result<()> {
        let bytes = canonical::to_file(state)?;
        if sha256_hex(&bytes) != digest {
            return Err(Error::bug(format!("state {digest} has the digest of something else")));
        }
        let path = self.path(&format!("states/{digest}.json"))?;
        match make_parent(&path).and_then(|()| write_new(&path, &bytes)) {
            Err(e) if e.kind() == Io::AlreadyExists => Ok(()),
            Err(e) => Err(Error::io("write", &path, e)),
            Ok(_) => Ok(()),
        }
    }

    /// The place of a file or directory by its path in the bundle, which need not exist.
    ///
    /// # Errors
    /// Evidence: the path has characters outside `[A-Za-z0-9._/-]`, is longer than 180 bytes, or leaves the bundle.
    pub fn path(&self, path: &str) -> Result<PathBuf> {
        check_path(path)?;
        Ok(self.root.join(path))
    }

    /// Looks for secrets in all that is written so far, and masks them, but for the journal: a masked line would break
    /// its chain, so it masks before it writes ([`Journal::redacting`](super::Journal::redacting)).
    ///
    /// To be asked before `run.finished`: a run with a hit is inconclusive. Sorted by file and offset.
    ///
    /// # Errors
    /// The environment: a file cannot be read or written.
    pub fn mask_secrets(&self, redactor: &Redactor) -> Result<Vec<Hit>> {
        let hits = redact::mask_files(&self.root, redactor, EVENTS)?;
        let relative =
            |hit: Hit| Hit { file: hit.file.strip_prefix(&self.root).unwrap_or(&hit.file).to_owned(), ..hit };
        Ok(hits.into_iter().map(relative).collect())
    }

    /// Closes the bundle with `SHA256SUMS` over every file but itself, `attest/` and `signoffs/`, sorted by path.
    ///
    /// The journal must have got its last line before. An incomplete run is sealed like any other.
    ///
    /// # Errors
    /// Evidence: something is not a regular file, or its path is not a bundle's. Environment: it cannot be read.
    pub fn seal(self) -> Result<Bundle<Sealed>> {
        let mut sums = String::new();
        for path in files(&self.root)? {
            let file = self.root.join(&path);
            let sealed = File::open(&file).and_then(|file| file.sync_data()).and_then(|()| fs::read(&file));
            let bytes = sealed.map_err(|e| Error::io("read", &file, e))?;
            sums.push_str(&format!("{}  {path}\n", sha256_hex(&bytes)));
        }
        let (path, part) = (self.root.join(SUMS), self.root.join(SUMS_PART));
        let written = write_new(&part, sums.as_bytes()).and_then(|file| file.sync_data());
        let sealed = written.and_then(|()| fs::rename(&part, &path));
        sealed.map_err(|e| Error::io("write", &path, e))?;
        Ok(Bundle { root: self.root, run: self.run, state: PhantomData })
    }

    /// The new link takes the place of the old one in one act: a reader finds one of the two.
    fn link_latest(&self, out_dir: &Path) -> Result<()> {
        let name = format!("run-{}", self.run);
        let fresh = out_dir.join(format!(".{LATEST}-{}", self.run));
        let link = out_dir.join(LATEST);
        std::os::unix::fs::symlink(&name, &fresh).map_err(|e| Error::io("link", &fresh, e))?;
        fs::rename(&fresh, &link).map_err(|e| {
            let _ = fs::remove_file(&fresh);
            Error::io("replace the link", &link, e)
        })
    }
}

impl Bundle<Sealed> {
    /// The sealed bundle in `root`, or the one that a link such as `latest` leads to. Nothing of it is verified.
    ///
    /// # Errors
    /// Evidence: there are no sums, so it is not sealed. Environment: there is no such directory.
    pub fn open(root: &Path) -> Result<Bundle<Sealed>> {
        let root = root.canonicalize().map_err(|e| Error::io("open", root, e))?;
        if !root.join(SUMS).is_file() {
            let what = format!("{} is not sealed: it has no {SUMS}; run it again", root.display());
            return Err(Error::new(ErrorKind::Evidence, what));
        }
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let run = name.strip_prefix("run-").unwrap_or(&name).to_owned();
        Ok(Bundle { root, run, state: PhantomData })
    }

    /// Writes a file that names the root, such as a signature, in place of an earlier one: `path` is in `attest/` or
    /// `signoffs/`.
    ///
    /// # Errors
    /// As [`Bundle::path`], and the environment. A bug if the sums would have to name it.
    pub fn attach(&self, path: &str, bytes: &[u8]) -> Result<()> {
        if !is_added_later(path) {
            return Err(Error::bug(format!("{path} cannot be added to a sealed bundle")));
        }
        check_path(path)?;
        let (path, part) = (self.root.join(path), self.root.join(format!("{path}.part")));
        let written = make_parent(&path).and_then(|()| fs::write(&part, bytes));
        written.and_then(|()| fs::rename(&part, &path)).map_err(|e| Error::io("write", &path, e))
    }

    /// SHA-256 of `SHA256SUMS`, 64 hexadecimal digits: the one name of all that is in the bundle.
    ///
    /// # Errors
    /// Environment: the file cannot be read.
    pub fn root_sha256(&self) -> Result<String> {
        let path = self.root.join(SUMS);
        fs::read(&path).map(|bytes| sha256_hex(&bytes)).map_err(|e| Error::io("read", &path, e))
    }
}

/// Two runs that start in one microsecond get two ids: who comes second takes the next microsecond.
fn create_run_dir(out_dir: &Path) -> Result<(String, PathBuf)> {
    loop {
        let run = run_id(&clock::now_utc());
        let root = out_dir.join(format!("run-{run}"));
        match fs::create_dir(&root) {
            Ok(()) => return Ok((run, root)),
            Err(e) if e.kind() == Io::AlreadyExists => {}
            Err(e) => return Err(Error::io("create", &root, e)),
        }
    }
}

/// `2026-11-20T07:38:39.123456Z` without what a path does not like.
fn run_id(now_utc: &str) -> String {
    now_utc.replace(['-', ':', 'Z'], "").replace('.', "-")
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Not synced: a kill loses nothing that was written, and only sealing must outlive the machine.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// All files that the sums cover, by their paths in the bundle, sorted by bytes.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut dirs = vec![String::new()];
    while let Some(dir) = dirs.pop() {
        let entries = fs::read_dir(root.join(&dir)).map_err(|e| Error::io("list", &root.join(&dir), e))?;
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("list", &root.join(&dir), e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            if AFTER_SEALING.contains(&path.as_str()) {
                continue;
            }
            check_path(&path)?;
            let kind = entry.file_type().map_err(|e| Error::io("read", &entry.path(), e))?;
            match (kind.is_dir(), kind.is_file()) {
                (true, _) => dirs.push(path),
                (_, true) => found.push(path),
                _ => return Err(bad_path(&path, "is neither a regular file nor a directory")),
            }
        }
    }
    found.sort();
    Ok(found)
}

fn check_path(path: &str) -> Result<()> {
    path_problem(path).map_or(Ok(()), |why| Err(bad_path(path, why)))
}

/// Why a path cannot be one of a bundle's, if it cannot.
pub fn path_problem(path: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    if path.len() > MAX_PATH_BYTES {
        return Some("is longer than 180 bytes");
    }
    if !path.bytes().all(legal) {
        return Some("has characters other than A-Z a-z 0-9 . _ / -");
    }
    let is_bad = path.split('/').any(|part| matches!(part, "" | "." | ".."));
    is_bad.then_some("has a part that is empty, `.` or `..`")
}

fn bad_path(path: &str, why: &str) -> Error {
    Error::new(ErrorKind::Evidence, format!("{path:?} cannot be part of a bundle: it {why}"))
}

/// What `README.txt` says in every bundle.
pub const README: &str = "\
Evidence of a rehearsal. To verify it without the program that wrote it, run in this directory:

1. No file was changed since sealing:
   sha256sum -c --strict SHA256SUMS
2. No line of the journal was changed, moved or left out (prints nothing):
   prev=$(printf '%064d' 0); while IFS= read -r line; do
     case $line in *\"\\\"prev\\\":\\\"$prev\\\"\"*) ;; *) echo \"broken: $line\";; esac
     prev=$(printf %s \"$line\" | sha256sum | cut -d' ' -f1); done < events.jsonl
3. The last line of events.jsonl is of type run.finished and holds the verdict; without it the run is incomplete.
4. states/<digest>.json is what a database held; its own SHA-256 is its name.
5. shards/<k>-of-<n>/, where there are any, are bundles of their own: do the same in each.
";
