//! What the runbooks demand, as one rule of the gate: whatever blocks, and has to be answered by now.

use crate::gate::decide::Ruling;
use crate::gate::rules::ruling;
use crate::model::{Ruled, RunRecord, Severity, Stage, Verdict, checklist};

/// The rule. Where no scenario has a runbook there is nothing to answer, and nothing was shown.
pub(super) fn rule(stage: Stage, record: &RunRecord) -> Ruling {
    let is_asked = |ruled: &Ruled| {
        ruled.rule.severity == Severity::Block && !ruled.is_answered_elsewhere() && ruled.rule.stage <= stage
    };
    let asked: Vec<Ruled> = checklist(record).into_iter().filter(is_asked).collect();
    let red = |verdict: Verdict| {
        let ids: Vec<&str> =
            asked.iter().filter(|ruled| ruled.verdict() == verdict).map(|ruled| ruled.rule.id.as_str()).collect();
        (!ids.is_empty()).then(|| format!("{verdict}: {}", ids.join(", ")))
    };
    let against: Vec<String> = [Verdict::Fail, Verdict::Unknown].into_iter().filter_map(red).collect();
    let found = if against.is_empty() { format!("{} green", asked.len()) } else { against.join("; ") };
    let verdict = Verdict::worst(asked.iter().map(Ruled::verdict));
    ruling("GEN-18", format!("the criteria of the runbooks that block {stage} are green"), verdict, found)
}

/// Nothing blocks on what a step says of itself alone.
pub(super) fn observed(record: &RunRecord) -> Ruling {
    let rules = checklist(record);
    let blocking = || rules.iter().filter(|ruled| ruled.rule.severity == Severity::Block);
    let claimed: Vec<&str> =
        blocking().filter(|ruled| ruled.rule.observed.is_none()).map(|ruled| ruled.rule.id.as_str()).collect();
    let (verdict, found) = match claimed.is_empty() {
        true => (Verdict::Pass, format!("{} of {}", blocking().count(), blocking().count())),
        false => (Verdict::Fail, format!("claimed only: {}", claimed.join(", "))),
    };
    ruling("GEN-11", "every criterion that blocks was observed, and not only claimed", verdict, found)
}
