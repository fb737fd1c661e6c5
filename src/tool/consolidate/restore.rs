//! `restore`: the databases of a backup come back as they were, and what the migration made goes.
//!
//! All files are beside before the first is replaced. From then on an intent says so: an interrupted restore is seen by
//! every command, and running it again ends it. Of each file the log and the journal go before it is replaced, or
//! SQLite would apply those of the later file to the earlier one.

use super::backup::{self, MANIFEST, Manifest};
use super::migrate::{WORKSHOP, remove_sides};
use super::receipt::{self, NAME, Receipt};
use super::report::FileResult;
use super::{Run, holders, place};
use crate::tool::whole::{remove_file, remove_folder, sync, write_whole};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

const INTENT: &str = ".restoring.json";
const BESIDE: &str = ".restoring";

/// Whether a restore stopped half-way.
pub(super) fn is_interrupted(data_dir: &Path) -> bool {
    data_dir.join(INTENT).exists()
}

/// Why nothing else can be done before a restore is done again.
pub(super) fn interrupted(run: &Run) -> Option<Error> {
    let intent = run.place.file(INTENT);
    let backup = std::fs::read_to_string(&intent).ok()?;
    Some(Error::refused(format!(
        "{}: a restore of {} was interrupted: run `restore` again with that folder",
        run.place.data_dir.display(),
        backup.trim()
    )))
}

pub(super) fn restore(run: &Run) -> Result<()> {
    let word = &run.profile.confirm_restore;
    if run.options.confirm_restore.as_ref() != Some(word) {
        return Err(Error::refused(format!(
            "a restore takes away what was written since the backup: confirm it with --confirm-restore {word}"
        )));
    }
    let _alone = run.lock()?;
    let folder = match &run.options.backup_dir {
        Some(folder) => place::absolute(folder)?,
        None => latest(run)?,
    };
    let manifest = read(&folder)?;
    holders::nobody_holds(&reached(run, &manifest).map(|name| run.place.file(name)).collect::<Vec<_>>())?;
    lost(run, &manifest);
    let beside = run.place.file(BESIDE);
    remove_folder(&beside)?;
    let copied = copy(&folder, &manifest, &beside);
    if let Err(error) = copied.and_then(|()| exchange(run, &folder, &manifest, &beside)) {
        if !run.place.file(INTENT).exists() {
            remove_folder(&beside)?;
        }
        return Err(error);
    }
    run.report().backup = Some(folder.display().to_string());
    Ok(())
}

/// The newest backup that is whole, by name.
fn latest(run: &Run) -> Result<PathBuf> {
    let all = run.place.file("backup");
    let entries = std::fs::read_dir(&all).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = entries.filter(|folder| folder.join(MANIFEST).is_file()).max();
    newest.ok_or_else(|| Error::environment(format!("no backup in {}: say --backup-dir", all.display())))
}

/// Reads a manifest and proves every file of it.
fn read(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
    let unknown = |error| Error::environment(format!("{} is no manifest of a backup", path.display())).caused_by(error);
    let manifest: Manifest = serde_json::from_slice(&text).map_err(unknown)?;
    for (name, saved) in &manifest.files {
        let file = folder.join(name);
        if name.contains('/') || backup::length(&file)? != saved.bytes || backup::sha256(&file)? != saved.sha256 {
            return Err(Error::refused(format!("{}: it is not what was saved", file.display())));
        }
        if let Some(content) = &saved.content
            && backup::reopened(&file)? != *content
        {
            return Err(Error::refused(format!("{}: it does not hold what was saved", file.display())));
        }
    }
    Ok(manifest)
}

/// The files that a restore replaces or removes, those that are not there included.
fn reached<'a>(run: &'a Run, manifest: &'a Manifest) -> impl Iterator<Item = &'a str> {
    let saved = manifest.files.keys().filter(|name| *name != NAME);
    saved.map(String::as_str).chain(made(run, manifest))
}

/// Targets that were not there when the backup was made.
fn made<'a>(run: &'a Run, manifest: &'a Manifest) -> impl Iterator<Item = &'a str> {
    let names = run.profile.target.values().map(|target| target.file.as_str());
    names.filter(|name| !manifest.files.contains_key(*name))
}

/// Says what is taken away for good.
fn lost(run: &Run, manifest: &Manifest) {
    let receipt = Receipt::read(&run.place.data_dir).ok().flatten();
    for name in reached(run, manifest) {
        let Ok((now, _)) = receipt::content(&run.place.file(name)) else { continue };
        let saved = manifest.files.get(name).and_then(|saved| saved.content.as_ref());
        let migrated = receipt.as_ref().and_then(|receipt| receipt.targets.get(name));
        let note = match (saved, migrated) {
            (Some(saved), _) if *saved == now => continue,
            (_, Some(migrated)) if *migrated == now => continue,
            (_, Some(_)) => format!("{name} was written since it was migrated: that is lost"),
            (Some(_), None) => format!("{name} was written since it was saved: that is lost"),
            (None, None) => format!("{name} is not in the backup"),
        };
        (run.progress)(&note);
        run.report().notes.push(note);
    }
}

fn copy(folder: &Path, manifest: &Manifest, beside: &Path) -> Result<()> {
    std::fs::create_dir(beside).map_err(|error| Error::io("create", beside, error))?;
    for name in manifest.files.keys() {
        let to = beside.join(name);
        std::fs::copy(folder.join(name), &to).map_err(|error| Error::io("write", &to, error))?;
        sync(&to)?;
    }
    sync(beside)
}

fn exchange(run: &Run, folder: &Path, manifest: &Manifest, beside: &Path) -> Result<()> {
    let data_dir = &run.place.data_dir;
    write_whole(&run.place.file(INTENT), folder.display().to_string().as_bytes())?;
    for (name, saved) in &manifest.files {
        let place = run.place.file(name);
        remove_sides(&place)?;
        std::fs::rename(beside.join(name), &place).map_err(|error| Error::io("replace", &place, error))?;
        run.report().files.push(FileResult { file: name.clone(), bytes: saved.bytes, done: "restored" });
    }
    for file in made(run, manifest) {
        let place = run.place.file(file);
        remove_sides(&place)?;
        if place.exists() {
            run.report().files.push(FileResult { file: file.to_owned(), bytes: 0, done: "removed" });
        }
        remove_file(&place)?;
    }
    if !manifest.files.contains_key(NAME) {
        remove_file(&Receipt::path(data_dir))?;
    }
    remove_folder(&run.place.file(WORKSHOP))?;
    remove_folder(beside)?;
    sync(data_dir)?;
    remove_file(&run.place.file(INTENT))?;
    sync(data_dir)
}
