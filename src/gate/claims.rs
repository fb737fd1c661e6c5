//! What steps said of themselves, beside how they ended. A green case must not rest on a report that says otherwise.

use crate::check::stale_findings;
use crate::evidence::EVENTS;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::{Body, CaseRecord, Phase, Verdict};

/// Complains about claims of green cases.
pub(super) fn check(told: &Told, complaints: &mut Vec<Complaint>) {
    for (_, case) in told.record.cases().filter(|(_, case)| case.verdict() == Verdict::Pass) {
        complaints.extend(stale(case));
        complaints.extend(mismatched(case));
    }
}

fn stale(case: &CaseRecord) -> Vec<Complaint> {
    let findings = case.events.iter().filter_map(stale_findings).flatten();
    let complaint = |finding: crate::model::Finding| {
        let found = format!("{} of {}: {}", finding.difference.object, case.case, finding.difference.found);
        Complaint::new(Code::ClaimStale, EVENTS, finding.difference.expected, found)
    };
    findings.map(complaint).collect()
}

/// The last claim after each end of a step agrees with it. Injured steps may say what they like.
fn mismatched(case: &CaseRecord) -> Vec<Complaint> {
    let claims = case.events.iter().filter_map(|event| match event {
        Body::Claim { step, phase, ok, note, .. } if !is_injured(*phase) => Some((step, *phase, *ok, note)),
        _ => None,
    });
    let disagreeing = claims.filter_map(|(step, phase, ok, note)| {
        let success = succeeded(case, step, phase)?;
        let agrees = if success { ok == Some(true) } else { ok != Some(true) };
        let says = ok.map_or("nothing", |ok| if ok { "ok" } else { "not ok" });
        let how = if success { "succeeded" } else { "failed" };
        let found = format!("its report says {says}: {note}");
        let expected = format!("a report that agrees: `{step}` ({phase}) of {} {how}", case.case);
        (!agrees).then(|| Complaint::new(Code::ClaimMismatch, EVENTS, expected, found))
    });
    disagreeing.collect()
}

fn is_injured(phase: Phase) -> bool {
    matches!(phase, Phase::Injured | Phase::Relapse)
}

fn succeeded(case: &CaseRecord, step: &str, phase: Phase) -> Option<bool> {
    case.events.iter().rev().find_map(|event| match event {
        Body::StepFinished { step: of, phase: at, success, .. } if of == step && *at == phase => Some(*success),
        _ => None,
    })
}
