//! `files-recorded`: what the file shim recorded of a step is all that the step did to files.
//!
//! Asked of golden runs with databases in files. The record, replayed on the files from before, must give the files of
//! after, byte for byte. A file that it does not lead to was written where no fault could have struck: by a static
//! executable, by a program that emptied its environment, by the stdio of a C program, through a mapping. That is
//! unknown, never green.

use crate::check::{Check, Judgement, finding};
use crate::model::{Body, FileRecord, History, Verdict};

/// See the module.
pub(super) struct FilesRecorded;

impl Check for FilesRecorded {
    fn name(&self) -> &'static str {
        "files-recorded"
    }

    fn about(&self) -> &'static str {
        "What the file shim recorded of a step is all that the step did to files."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let records: Vec<&FileRecord> = history.case.events.iter().filter_map(record).collect();
        if !history.is_golden() || records.is_empty() {
            return None;
        }
        let missed = records.iter().flat_map(|record| record.missed.iter().map(move |file| (record, file)));
        let findings: Vec<_> = missed
            .map(|(record, file)| finding(format!("during {}", record.step), file, "recorded", why(record)))
            .collect();
        let verdict = if findings.is_empty() { Verdict::Pass } else { Verdict::Unknown };
        Some(Judgement { verdict, findings })
    }
}

fn record(event: &Body) -> Option<&FileRecord> {
    match event {
        Body::Files(record) => Some(record),
        _ => None,
    }
}

fn why(record: &FileRecord) -> &'static str {
    match record.watched {
        true => {
            "written past the file shim: by a static executable or a Go program that the tool starts, or a program \
             without LD_PRELOAD (say `traced = true` in the step), by stdio of C, or through a mapping"
        }
        false => {
            "nobody was watched: the tool starts a static executable or a Go program, or began without LD_PRELOAD; say \
             `traced = true` in the step"
        }
    }
}
