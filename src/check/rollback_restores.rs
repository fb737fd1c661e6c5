//! `rollback-restores`: after a rollback no migrated row is left, and everything else in the target is as it was before.
//!
//! Everything else: tables that were not migrated, the next value of every sequence, the whole catalog.

use crate::check::{Check, Judgement, finding, findings_at};
use crate::model::{DatabaseState, Finding, History, Moment, Phase, Role};

/// See the module.
pub(super) struct RollbackRestores;

impl Check for RollbackRestores {
    fn name(&self) -> &'static str {
        "rollback-restores"
    }

    fn about(&self) -> &'static str {
        "After a rollback no migrated row is left, and everything else in the target is as it was before."
    }

    fn judge(&self, history: &History) -> Option<Judgement> {
        let mut asked = false;
        let mut findings = Vec::new();
        for endpoint in history.plan.target_endpoints() {
            for moment in moments(history, &endpoint) {
                asked = true;
                let (Some(before), Some(after)) =
                    (history.golden_state(&Moment::Start, &endpoint), history.state(&moment, &endpoint))
                else {
                    return Some(Judgement::unknown(format!("the state of {endpoint} {moment}")));
                };
                findings.extend(what_is_left(history, &endpoint, &moment, before, after));
            }
        }
        asked.then(|| Judgement::from_findings(findings))
    }
}

/// After each rollback that was not injured; for an injured one, once it is recovered.
fn moments(history: &History, endpoint: &str) -> Vec<Moment> {
    let is_rollback = |step: &str| history.plan.step(step).is_some_and(|step| step.role == Role::Rollback);
    let ends_undone = history.case.step_ends().last().is_some_and(|last| is_rollback(&last.step));
    let promised = |moment: &Moment| match moment {
        Moment::After { phase: Phase::Injured | Phase::Relapse, .. } => false,
        Moment::Start | Moment::Guarded { .. } => false,
        Moment::After { step, .. } => is_rollback(step),
        Moment::End => ends_undone,
    };
    history.case.moments(endpoint).into_iter().filter(|moment| promised(moment)).cloned().collect()
}

fn what_is_left(
    history: &History,
    endpoint: &str,
    moment: &Moment,
    before: &DatabaseState,
    after: &DatabaseState,
) -> Vec<Finding> {
    let copies = history.copies().into_iter().filter(|copy| copy.target == endpoint);
    let migrated: Vec<String> = copies.map(|copy| copy.target_table).collect();
    let place = format!("{endpoint} {moment}");
    let rows = |table: &String| after.tables.get(table).map_or(0, |digest| digest.rows);
    let remaining = migrated
        .iter()
        .filter(|table| rows(table) > 0)
        .map(|table| finding(&place, format!("table {table}"), "0 rows", format!("{} rows", rows(table))));
    let others = |state: &DatabaseState| {
        let mut state = state.clone();
        state.tables.retain(|table, _| !migrated.contains(table));
        state
    };
    remaining.chain(findings_at(moment, endpoint, others(after).differences(&others(before)))).collect()
}
