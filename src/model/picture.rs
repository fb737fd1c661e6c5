//! What a target may show of its sources, where the harness wrote to them while the tool was at work (`src.write`).

use crate::model::{Body, CaseEvents, DatabaseState, History, Moment, Role};

/// A write of ours to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceWrite<'a> {
    /// The endpoint.
    pub endpoint: &'a str,
    /// Digest of the state before.
    pub before: &'a str,
    /// Digest of the state after.
    pub after: &'a str,
}

/// All sources at one moment: after so many of our writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture(usize);

impl Picture {
    /// Before any write.
    pub const START: Picture = Picture(0);
}

impl CaseEvents {
    /// Our writes to sources, in order.
    pub fn source_writes(&self) -> impl Iterator<Item = SourceWrite<'_>> {
        self.events.iter().filter_map(|event| match event {
            Body::SourceWritten { endpoint, before, after, .. } => Some(SourceWrite { endpoint, before, after }),
            _ => None,
        })
    }
}

impl<'a> History<'a> {
    /// The pictures that a target may show at `moment`, oldest first: the sources after any of our writes, but not older
    /// than they were when the last step began that brings data.
    pub fn pictures(&self, moment: &Moment) -> Vec<Picture> {
        let (mut written, mut began, mut seen) = (0, 0, (0, 0));
        for event in &self.case.events {
            match event {
                Body::SourceWritten { .. } => written += 1,
                Body::StepStarted { role: Role::Apply | Role::Cutover, .. } => began = written,
                Body::Probe { moment: at, .. } if at == moment => seen = (began, written),
                _ => {}
            }
        }
        (seen.0..=seen.1).map(Picture).collect()
    }

    /// What a source held in a picture.
    pub fn source_in(&self, picture: Picture, endpoint: &str) -> Option<&'a DatabaseState> {
        let written = self.case.source_writes().take(picture.0).filter(|write| write.endpoint == endpoint).last();
        let digest = match written {
            Some(write) => write.after,
            None => self.golden.probe(&Moment::Start, endpoint)?,
        };
        self.states.get(digest).map(AsRef::as_ref)
    }

    /// Whether we wrote to this source.
    pub fn is_written(&self, endpoint: &str) -> bool {
        self.case.source_writes().any(|write| write.endpoint == endpoint)
    }
}
