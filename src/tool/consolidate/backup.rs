//! `backup`: every database of the data folder as one file, with what was committed and not checkpointed; looked at
//! again, and known by its digests. The folder appears as a whole or not at all.

use super::receipt::{self, NAME, content_of};
use super::report::FileResult;
use super::snapshot::Snapshot;
use super::{Run, check, place};
use crate::model::canonical;
use crate::tool::whole::{beside, remove_folder, sync, write_whole};
use crate::{Error, Result, clock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The list of what is in a backup, in the folder itself.
pub(super) const MANIFEST: &str = "manifest.json";

/// See [`MANIFEST`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) created_at: String,
    pub(super) profile_digest: String,
    pub(super) files: BTreeMap<String, Saved>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Digest of all that it holds; nothing for what is no database.
    pub(super) content: Option<String>,
}

pub(super) fn backup(run: &Run) -> Result<()> {
    let _alone = run.lock()?;
    if let Some(leftover) = super::restore::interrupted(run) {
        return Err(leftover);
    }
    let folder = match &run.options.backup_dir {
        Some(folder) => place::absolute(folder)?,
        None => default_folder(run),
    };
    if folder.exists() {
        return Err(Error::refused(format!("{} is there already: a backup has a folder of its own", folder.display())));
    }
    let part = beside(&folder, ".part");
    let is_first = folder.parent().is_some_and(|parent| !parent.exists());
    remove_folder(&part)?; // of a run that was killed
    std::fs::create_dir_all(&part).map_err(|error| Error::io("create", &part, error))?;
    let outcome = run.has_space(&part, 1).and_then(|()| fill(run, &part)).and_then(|()| {
        sync(&part)?;
        std::fs::rename(&part, &folder).map_err(|error| Error::io("create", &folder, error))?;
        sync(folder.parent().unwrap_or(&folder))
    });
    remove_folder(&part)?;
    if outcome.is_err() && is_first {
        // The folder of backups, which we made ourselves.
        let _ = folder.parent().map(std::fs::remove_dir);
    }
    run.report().backup = outcome.is_ok().then(|| folder.display().to_string());
    outcome
}

fn default_folder(run: &Run) -> PathBuf {
    let digits: String = clock::now_utc().chars().filter(char::is_ascii_digit).take(14).collect();
    run.place.file("backup").join(format!("{}_{}", &digits[..8], &digits[8..]))
}

fn fill(run: &Run, part: &Path) -> Result<()> {
    let missing = run.profile.source.values().map(|source| run.place.file(&source.file)).find(|path| !path.exists());
    if let Some(path) = missing {
        return Err(Error::environment(format!("{}: it is missing", path.display())));
    }
    let mut files = BTreeMap::new();
    for name in databases(run)? {
        let saved = save(run, &name, part)?;
        run.report().files.push(FileResult { file: name.clone(), bytes: saved.bytes, done: "saved" });
        (run.progress)(&format!("{name}: {} bytes", saved.bytes));
        files.insert(name, saved);
    }
    let receipt = run.place.file(NAME);
    if receipt.exists() {
        let copy = part.join(NAME);
        std::fs::copy(&receipt, &copy).map_err(|error| Error::io("copy", &receipt, error))?;
        files.insert(NAME.to_owned(), Saved { bytes: length(&copy)?, sha256: sha256(&copy)?, content: None });
    }
    let manifest =
        Manifest { format: 1, created_at: clock::now_utc(), profile_digest: run.profile.digest.clone(), files };
    let text =
        serde_json::to_vec_pretty(&manifest).map_err(|error| Error::bug("a manifest is JSON").caused_by(error))?;
    write_whole(&part.join(MANIFEST), &text)
}

/// The databases of the data folder: the sources, whatever has become of them, and every other `*.db` that is not empty.
pub(super) fn databases(run: &Run) -> Result<Vec<String>> {
    let folder = &run.place.data_dir;
    let entries = std::fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
    let named = |path: &Path| run.profile.source.values().any(|source| path.ends_with(&source.file));
    let is_database = |path: &PathBuf| {
        let is_empty = path.metadata().is_ok_and(|about| about.len() == 0);
        let is_other = || path.is_file() && !is_empty && path.extension().is_some_and(|extension| extension == "db");
        named(path) || is_other()
    };
    let paths = entries.flatten().map(|entry| entry.path()).filter(is_database);
    let mut names: Vec<String> =
        paths.filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

fn save(run: &Run, name: &str, part: &Path) -> Result<Saved> {
    let (path, copy, scratch) = (run.place.file(name), part.join(name), part.join("scratch"));
    let snapshot = Snapshot::copied(&path, &scratch, run.options.patience)?;
    let within = |error: Error| error.within(path.display());
    snapshot.check().map_err(within)?;
    std::fs::rename(&snapshot.file, &copy).map_err(|error| Error::io("write", &copy, error))?;
    sync(&copy)?;
    let content = content_of(&snapshot.connection).map_err(within)?.0;
    if reopened(&copy)? != content {
        return Err(Error::refused(format!("{}: the copy in {} is not the same", path.display(), copy.display())));
    }
    remove_folder(&scratch)?;
    Ok(Saved { bytes: length(&copy)?, sha256: sha256(&copy)?, content: Some(content) })
}

/// The content of a saved file, found sound.
pub(super) fn reopened(copy: &Path) -> Result<String> {
    check::sound(copy).and_then(|state| receipt::digest_of(&state))
}

pub(super) fn length(path: &Path) -> Result<u64> {
    path.metadata().map(|about| about.len()).map_err(|error| Error::io("read", path, error))
}

pub(super) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut block).map_err(|error| Error::io("read", path, error))? {
            0 => return Ok(canonical::hex(&hash.finalize())),
            length => hash.update(&block[..length]),
        }
    }
}
