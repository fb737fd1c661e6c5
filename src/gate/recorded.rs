//! A record of the real migration, judged anew: its checks must answer as they did.

use crate::engine::record::{judged, word};
use crate::evidence::EVENTS;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::RECORD_TIER;

/// Complains about every case of a record whose answers do not follow from what is on record of it.
pub(super) fn check(told: &Told, complaints: &mut Vec<Complaint>) {
    if told.record.tier != RECORD_TIER {
        return;
    }
    let Some(cutover) = &told.record.cutover else {
        complaints.push(Complaint::new(Code::Schema, EVENTS, "cutover.started in a record", "none"));
        return;
    };
    for (scenario, case) in told.record.cases().filter(|(_, case)| case.outcome.is_some()) {
        let checks = judged(cutover, &scenario.sources, case, &told.states);
        if checks != case.checks || Some(word(&checks)) != case.outcome {
            let expected = format!("{} of {}, asked again", word(&checks), case.case);
            let found = case.outcome.map_or("nothing", |word| word.word());
            let found = format!("{found}, or other answers");
            complaints.push(Complaint::new(Code::DerivedMismatch, EVENTS, expected, found));
        }
    }
}
