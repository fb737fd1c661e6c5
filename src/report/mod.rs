//! Reports: pure functions of the history. One file per format, one line each to register.
//!
//! A report reads no clock, no file and no database: the same record gives the same bytes.

mod annotations;
mod case;
mod checklist;
mod diagnosis;
mod explanation;
mod heat;
mod html;
mod json;
mod junit;
mod lanes;
mod live;
mod markdown;
mod marks;
mod markup;
mod matrix;
mod origin;
mod phases;
mod plan;
mod red;
mod release;
mod tally;
mod terminal;
mod timeline;
mod trace;
mod way_back;
mod words;
mod writers;

pub use annotations::{annotation, annotations};
pub use html::Html;
pub use json::Json;
pub use junit::Junit;
pub use live::Live;
pub use markdown::Markdown;
pub use plan::plan;
pub use release::{Approval, release_page};
pub use tally::{CheckTally, KindTally, ParityTally, Tally};
pub use terminal::summary;
pub use trace::Trace;
pub(crate) use words::plain;

use crate::model::{RunRecord, States};

/// One format of a report.
pub trait Report: Sync {
    /// Its name, that of its source file.
    fn name(&self) -> &'static str;
    /// Its file in a bundle.
    fn file(&self) -> &'static str;
    /// The whole file.
    fn render(&self, record: &RunRecord, states: &States) -> Vec<u8>;
}

/// Every format, in the order in which they are written.
pub static REPORTS: &[&dyn Report] = &[&Json, &Junit, &Markdown, &Html, &Trace];
