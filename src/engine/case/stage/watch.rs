//! The file shim of a case: it watches the directories of the case where one of its databases is a file.

use super::own::DATABASES;
use super::{Holding, PARTS, Place, Stage};
use crate::engine::case::power::Story;
use crate::engine::case::relocate;
use crate::engine::files::{self, Detail, FileOp, Shim, replay};
use crate::engine::{House, Traces};
use crate::process::Spawn;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// See the module.
pub(super) struct Watch {
    shim: Shim,
    /// The path of each endpoint below the case's directory.
    files: BTreeMap<String, String>,
    /// The files when the record began; only where the record is checked.
    before: Mutex<Option<replay::Files>>,
}

impl Watch {
    /// Nothing where all databases are on servers, or where there is no shim.
    pub(super) async fn over(house: &House, dir: &Path, holdings: &[Holding]) -> Result<Option<Watch>> {
        let path = |holding: &Holding| match &holding.place {
            Place::Sqlite { path } => {
                Some((holding.endpoint.clone(), path.strip_prefix(dir).ok()?.to_string_lossy().into_owned()))
            }
            Place::Postgres { .. } => None,
        };
        let files: BTreeMap<String, String> = holdings.iter().filter_map(path).collect();
        if files.is_empty() || !Shim::is_there() {
            return Ok(None);
        }
        let shim = Shim::install(dir, house.shim().await?)?;
        Ok(Some(Watch { shim, files, before: Mutex::default() }))
    }
}

impl Stage<'_> {
    /// The shim, and the path that it knows an endpoint by; nothing where the endpoint is no file and no server with
    /// a shim in it.
    pub(in crate::engine) fn shim(&self, endpoint: &str) -> Option<(&Shim, &str)> {
        if self.proxy(endpoint).is_some() {
            return self.own(endpoint)?.shim.as_ref().map(|shim| (shim, DATABASES));
        }
        let watch = self.watch.as_ref()?;
        Some((&watch.shim, watch.files.get(endpoint)?))
    }

    /// What the child does to files will be seen; `traced`: from outside, whatever it is.
    pub(in crate::engine) fn watch(&self, child: &mut Spawn, traced: bool) -> Result<()> {
        self.watch.iter().try_for_each(|watch| watch.shim.watch(child, traced))
    }

    /// A record begins, and nothing is armed. With content what there is before is kept, so that the record can be
    /// checked.
    pub(in crate::engine) fn begin_file_record(&self, detail: Detail) -> Result<()> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let before = (detail == Detail::Content).then(|| replay::read(&self.dir, &PARTS)).transpose()?;
        *watch.before.lock().unwrap_or_else(PoisonError::into_inner) = before;
        watch.shim.record(detail)
    }

    /// What was done to files since the last call, in order.
    pub(in crate::engine) fn take_file_ops(&self) -> Result<Vec<FileOp>> {
        self.watch.as_ref().map_or(Ok(Vec::new()), |watch| watch.shim.take())
    }

    /// The points of each file among the endpoints.
    pub(in crate::engine) fn file_traces(&self, ops: &[FileOp]) -> Traces {
        self.watch.as_ref().map(|watch| files::traces(ops, &watch.files)).unwrap_or_default()
    }

    /// What a record with content begins at, and what it is to lead to; nothing where there is none. Once for each
    /// record.
    pub(in crate::engine) fn take_file_states(&self) -> Result<Option<FileStates>> {
        let Some(watch) = &self.watch else { return Ok(None) };
        let before = watch.before.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(before) = before else { return Ok(None) };
        let (after, programs) = (replay::read(&self.dir, &PARTS)?, watch.shim.attached()?);
        Ok(Some(FileStates { before, after, programs }))
    }

    /// What a step did to files, as something to make losses of power from.
    pub(in crate::engine) fn story(&self, before: replay::Files, ops: Vec<FileOp>) -> Story {
        let files = self.watch.as_ref().map(|watch| watch.files.clone()).unwrap_or_default();
        Story { root: self.dir.clone(), files, before, ops }
    }

    /// The tool's directories hold `files` and nothing else; they lay below `root` before.
    pub(in crate::engine) fn hold_files(&self, root: &Path, files: &replay::Files) -> Result<()> {
        for part in PARTS.map(|part| self.dir.join(part)) {
            fs::remove_dir_all(&part).map_err(|error| Error::io("remove", &part, error))?;
            fs::create_dir_all(&part).map_err(|error| Error::io("create", &part, error))?;
        }
        files.iter().try_for_each(|(name, bytes)| relocate::put(name, bytes, root, &self.dir))
    }

    /// No file fault strikes any more.
    pub(in crate::engine) fn disarm_files(&self) -> Result<()> {
        let of_files = self.watch.iter().map(|watch| &watch.shim);
        let of_server = self.own.iter().filter_map(|own| own.shim.as_ref());
        of_files.chain(of_server).try_for_each(Shim::disarm)
    }
}

/// The files at both ends of a record.
pub(in crate::engine) struct FileStates {
    pub(in crate::engine) before: replay::Files,
    pub(in crate::engine) after: replay::Files,
    /// How many programs were watched.
    pub(in crate::engine) programs: u32,
}
