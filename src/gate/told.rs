//! What a bundle tells: its journal, and what was frozen before the first step.

use crate::evidence::{EVENTS, Flaw, FlawKind, chained};
use crate::gate::sealed::Sealed;
use crate::gate::{Code, Complaint};
use crate::model::{
    AskedFile, Body, DatabaseState, EnvironmentFile, Event, PlanFile, RunRecord, States, canonical, is_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The format that this build reads and writes.
const FORMAT: u32 = 1;

/// What can be read of a bundle.
pub(super) struct Told {
    pub(super) events: Vec<Event>,
    pub(super) record: RunRecord,
    pub(super) states: States,
    pub(super) plan: Option<PlanFile>,
    pub(super) environment: Option<EnvironmentFile>,
    pub(super) asked: Option<AskedFile>,
    /// Whether the journal is whole to its end.
    pub(super) is_whole: bool,
}

impl Told {
    /// `strict`: whatever this build would have written otherwise is complained about too.
    pub(super) fn read(sealed: &Sealed, strict: bool, complaints: &mut Vec<Complaint>) -> Told {
        let (events, is_whole) = journal(sealed, strict, complaints);
        let plan = frozen::<PlanFile>(sealed, "plan.json", |plan| plan.format, strict, complaints);
        let environment = frozen::<EnvironmentFile>(sealed, "environment.json", |file| file.format, strict, complaints);
        let asked = frozen::<AskedFile>(sealed, "scenarios.json", |file| file.format, strict, complaints);
        let record = RunRecord::from_events(&events);
        complaints.extend(begun(&events, plan.as_ref()));
        complaints.extend(misnamed(&record));
        Told { record, asked, states: states(sealed, complaints), events, plan, environment, is_whole }
    }
}

/// A journal begins with `run.started` of a format that we read and of the tier that was asked for, and says so once.
fn begun(events: &[Event], plan: Option<&PlanFile>) -> Option<Complaint> {
    let complaint = |expected: String, found: String| Some(Complaint::new(Code::Schema, EVENTS, expected, found));
    let begins = events.iter().filter(|event| matches!(event.body, Body::RunStarted { .. })).count();
    match events.first().map(|event| &event.body) {
        None => None,
        Some(Body::RunStarted { format, tier, .. }) if begins == 1 => match plan {
            _ if *format != FORMAT => complaint(format!("run.started of format {FORMAT}"), format!("format {format}")),
            Some(plan) if plan.tier != *tier => complaint(format!("tier {}, as in plan.json", plan.tier), tier.clone()),
            _ => None,
        },
        Some(_) => complaint("run.started once, and first".to_owned(), format!("{begins} of it, or later")),
    }
}

fn journal(sealed: &Sealed, strict: bool, complaints: &mut Vec<Complaint>) -> (Vec<Event>, bool) {
    let Some(bytes) = sealed.bytes(EVENTS) else {
        complaints.push(Complaint::new(Code::FileMissing, EVENTS, "the journal", "nothing"));
        return (Vec::new(), false);
    };
    let (events, flaw) = chained(bytes);
    complaints.extend(flaw.iter().map(of_flaw));
    let doubled = bytes.split(|byte| *byte == b'\n').zip(1..).find_map(|(line, number)| {
        let complaint = Complaint::ambiguous(Code::Schema, EVENTS, line)?;
        Some(Complaint { found: format!("line {number}: {}", complaint.found), ..complaint })
    });
    complaints.extend(doubled);
    if strict {
        let lines = bytes.split(|byte| *byte == b'\n').zip(&events);
        let other = lines.zip(1..).find(|((line, event), _)| serde_json::to_vec(event).ok().as_deref() != Some(line));
        complaints.extend(other.map(|(_, number)| {
            let found = format!("line {number} has fields of another version, or is spelled otherwise");
            Complaint::new(Code::Schema, EVENTS, "exactly what this version writes", found)
        }));
    }
    (events, flaw.is_none())
}

fn of_flaw(flaw: &Flaw) -> Complaint {
    let (code, expected) = match flaw.kind {
        FlawKind::Broken => (Code::ChainBroken, "a chain of lines, each with the digest of the one before"),
        FlawKind::Truncated => (Code::ChainTruncated, "a journal that ends with run.finished"),
        FlawKind::NotAnEvent => (Code::Schema, "an event of format 1"),
    };
    Complaint::new(code, EVENTS, expected, flaw.to_string())
}

/// Letters of other alphabets look like ours. No scenario and no case has them.
fn misnamed(record: &RunRecord) -> Option<Complaint> {
    let scenarios = record.scenarios.iter().map(|scenario| &scenario.scenario);
    let mut names = scenarios.chain(record.cases().map(|(_, case)| &case.case));
    let other = names.find(|name| !name.split('/').all(is_name))?;
    let expected = "names of letters, digits, `.`, `_` and `-`";
    Some(Complaint::new(Code::Schema, EVENTS, expected, format!("`{}`", other.escape_unicode())))
}

/// A file that was written before the run; none is a complaint.
fn frozen<T: DeserializeOwned + Serialize>(
    sealed: &Sealed,
    path: &str,
    format: impl Fn(&T) -> u32,
    strict: bool,
    complaints: &mut Vec<Complaint>,
) -> Option<T> {
    let Some(bytes) = sealed.bytes(path) else {
        complaints.push(Complaint::new(Code::FileMissing, path, "what was to be done, and where", "nothing"));
        return None;
    };
    let schema = |found: String| Complaint::new(Code::Schema, path, "canonical JSON of format 1", found);
    let value: T = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            complaints.push(schema(error.to_string()));
            return None;
        }
    };
    if let Some(complaint) = Complaint::ambiguous(Code::Schema, path, bytes) {
        complaints.push(complaint);
    } else if format(&value) != FORMAT {
        complaints.push(schema(format!("format {}", format(&value))));
    } else if strict && canonical::to_file(&value).ok().as_deref() != Some(bytes) {
        complaints.push(schema("fields of another version, or it is spelled otherwise".to_owned()));
    }
    Some(value)
}

/// The states that can be read. Whether one is what its name says is asked here, so that no other is believed.
fn states(sealed: &Sealed, complaints: &mut Vec<Complaint>) -> States {
    let mut states = States::new();
    for (path, sha256) in &sealed.sha256 {
        let Some(name) = path.strip_prefix("states/").and_then(|name| name.strip_suffix(".json")) else { continue };
        if name != sha256 {
            complaints.push(Complaint::new(Code::DerivedMismatch, path, "a name that is its own SHA-256", sha256));
            continue;
        }
        complaints.extend(sealed.bytes(path).and_then(|bytes| Complaint::ambiguous(Code::Schema, path, bytes)));
        match sealed.bytes(path).map(serde_json::from_slice::<DatabaseState>) {
            Some(Ok(state)) => drop(states.insert(name.to_owned(), Arc::new(state))),
            Some(Err(error)) => {
                complaints.push(Complaint::new(Code::Schema, path, "the state of a database", error.to_string()));
            }
            None => {}
        }
    }
    states
}
