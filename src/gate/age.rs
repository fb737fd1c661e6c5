//! How old a run is, by what it says itself. Whoever ran it may have set the clock meanwhile.

use crate::clock;
use crate::evidence::EVENTS;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint, Expected};
use crate::model::Event;

/// How far the clock of the machine that ran may be ahead of ours.
pub(in crate::gate) const CLOCK_SLACK_S: i64 = 300;

/// The latest time of all counts against the future. Against age counts the end, or the beginning and the microseconds
/// since then, whichever is earlier.
pub(super) fn check(told: &Told, expected: &Expected) -> Option<Complaint> {
    let seconds = |event: &Event| clock::seconds_of(&event.t);
    if let Some(other) = told.events.iter().find(|event| seconds(event).is_none()) {
        return Some(Complaint::new(Code::Schema, EVENTS, "times in RFC 3339", format!("`{}`", other.t)));
    }
    let (first, last) = (told.events.first()?, told.events.last()?);
    let lasted_s = i64::try_from((last.mono_us - first.mono_us) / 1_000_000).unwrap_or(i64::MAX);
    let ended_s = seconds(last)?.min(seconds(first)?.saturating_add(lasted_s));
    let latest = told.events.iter().max_by_key(|event| seconds(event))?;
    let age_s = clock::unix_seconds().saturating_sub(ended_s);
    match expected.max_age_s {
        _ if seconds(latest)? > clock::unix_seconds() + CLOCK_SLACK_S => {
            let found = format!("one at {}", latest.t);
            Some(Complaint::new(Code::FromFuture, EVENTS, "times before now", found))
        }
        Some(max_s) if age_s > max_s => {
            let found = format!("it began at {} and took {lasted_s} s: it ended {age_s} s ago", first.t);
            Some(Complaint::new(Code::Stale, EVENTS, format!("at most {max_s} s of age"), found))
        }
        _ => None,
    }
}
