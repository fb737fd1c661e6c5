//! One rehearsal of a candidate: golden runs on its data, and the cases where the failure may have gone.

use super::candidate::Candidate;
use super::written::Written;
use super::{Shrink, written};
use crate::dataset::Dataset;
use crate::engine::{Finished, Hunt, Library, Options, Rehearsal, Tier};
use crate::model::{Address, CaseRecord, Outcome, Scenario, Token, Verdict};
use crate::process::Executable;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Rehearses candidates; nothing of it is evidence.
pub(super) struct Trial<'a> {
    what: &'a Shrink<'a>,
    executable: Executable,
    /// For fixtures and bundles; it ends with the session.
    dir: PathBuf,
    /// The folder of the whole dataset.
    folder: PathBuf,
}

impl<'a> Trial<'a> {
    pub(super) fn new(what: &'a Shrink<'a>, executable: Executable, dir: PathBuf, folder: PathBuf) -> Trial<'a> {
        Trial { what, executable, dir, folder }
    }

    /// The word of the failure as the token has it; `None` if it does not fail.
    pub(super) async fn first(&self, candidate: &Candidate) -> Result<Option<Outcome>> {
        let scenario = Scenario { expect: None, ..self.what.scenario.clone() };
        let only = Some(Token { address: candidate.address.clone(), ..self.what.token.clone() });
        let finished = self.run(self.what.library, &scenario, Options { only, ..self.options() }).await?;
        Ok(failing(&finished).next().and_then(|case| case.outcome))
    }

    /// Where a candidate fails with this word; of several places the earliest.
    pub(super) async fn fails(&self, candidate: &Candidate, hunt: &Hunt, word: Outcome) -> Result<Option<Address>> {
        let library = self.library(candidate)?;
        let scenario = candidate.scenario(self.what.scenario, &self.name());
        let options = match candidate.address.points().len() {
            1 => Options { hunt: Some(hunt.clone()), ..self.options() },
            // A chain is kept as it is.
            _ => Options { only: Some(self.unbound(&candidate.address)), ..self.options() },
        };
        let finished = self.run(&library, &scenario, options).await?;
        let found = failing(&finished).filter(|case| case.outcome == Some(word));
        Ok(found.filter_map(|case| case.address.clone()).min_by_key(|address| address.first().place.nth))
    }

    /// The token of the scenario that was written, which must fail like all before it.
    pub(super) async fn written(&self, written: &Written, word: Outcome) -> Result<String> {
        let known = self.what.registry.known();
        let entries = self.what.library.select(&known, std::slice::from_ref(&written.scenario))?;
        let scenario = entries.into_iter().next().and_then(|entry| entry.scenario.ok());
        let scenario = scenario.ok_or_else(|| Error::bug(format!("{} is no scenario", written.file.display())))?;
        let finished = self.run(self.what.library, &scenario, self.options()).await?;
        let case = failing(&finished).find(|case| case.outcome == Some(word));
        case.and_then(|case| case.token.clone()).ok_or_else(|| {
            let text = "fails while it is made small, and not when it is run as a scenario; it is written, to look at";
            Error::environment(format!("{}: it {text}", written.file.display()))
        })
    }

    async fn run(&self, library: &Library, scenario: &Scenario, options: Options) -> Result<Finished> {
        let rehearsal = Rehearsal::open(self.what.registry.clone(), self.executable.clone(), options)?;
        rehearsal.run(library, std::slice::from_ref(scenario)).await
    }

    fn options(&self) -> Options {
        Options { tier: Tier::Nightly, out: Some(self.dir.join("bundles")), ..Options::quick() }
    }

    /// A token that says nothing of tool and statements: both may be others on other data.
    fn unbound(&self, address: &Address) -> Token {
        let mut token = Token { address: address.clone(), ..self.what.token.clone() };
        token.digests.tool = "-".to_owned();
        token
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The data of a candidate.
    pub(super) fn dataset(&self, candidate: &Candidate) -> Result<Dataset> {
        let library = self.library(candidate)?;
        Dataset::find(&library.fixtures, &format!("{}-{}", self.name(), candidate.rows), self.what.scenario.seed)
    }

    /// The library in which the dataset is cut, and everything beside it is as it was.
    fn library(&self, candidate: &Candidate) -> Result<Library> {
        if candidate.cut.is_nothing() {
            return Ok(self.what.library.clone());
        }
        let fixtures = self.dir.join("fixtures");
        let _ = std::fs::remove_dir_all(&fixtures); // links and copies of ours
        std::fs::create_dir_all(&fixtures).map_err(|error| Error::io("create", &fixtures, error))?;
        for path in beside(&self.folder)? {
            let link = fixtures.join(path.file_name().unwrap_or_default());
            std::os::unix::fs::symlink(&path, &link).map_err(|error| Error::io("link", &link, error))?;
        }
        written::cut_copy(&self.folder, &fixtures.join(self.name()), &candidate.cut)?;
        Ok(Library { fixtures: vec![fixtures], ..self.what.library.clone() })
    }
}

fn beside(folder: &Path) -> Result<Vec<PathBuf>> {
    let parent = folder.parent().unwrap_or(folder);
    let parent = parent.canonicalize().map_err(|error| Error::io("read", parent, error))?;
    let entries = std::fs::read_dir(&parent).map_err(|error| Error::io("read", &parent, error))?;
    let others = entries.flatten().map(|entry| entry.path()).filter(|path| path.file_name() != folder.file_name());
    Ok(others.collect())
}

fn failing(finished: &Finished) -> impl Iterator<Item = &CaseRecord> {
    let injured = finished.record.scenarios.iter().flat_map(|scenario| scenario.injured());
    injured.filter(|case| case.verdict() == Verdict::Fail)
}
