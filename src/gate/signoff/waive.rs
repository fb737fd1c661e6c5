//! Rules that are red and were accepted by somebody who may: they stop nobody, and are still told.

use super::judge::Accepted;
use super::people::NEVER_WAIVED;
use crate::clock;
use crate::evidence::attest::{Answer, Waiver};
use crate::gate::Ruling;
use crate::model::Verdict;

/// Marks the rules that are waived. Only accepted signoffs are asked: their signers may waive what they do.
pub(in crate::gate) fn apply(rulings: &mut [Ruling], accepted: &[Accepted]) {
    let red = rulings.iter_mut().filter(|ruling| ruling.verdict != Verdict::Pass);
    for ruling in red.filter(|ruling| !NEVER_WAIVED.contains(&ruling.rule)) {
        ruling.waived = accepted.iter().rev().find_map(|accepted| waived(ruling.rule, accepted));
    }
}

fn waived(rule: &str, accepted: &Accepted) -> Option<String> {
    let signoff = &accepted.signoff;
    let now_s = clock::unix_seconds();
    let holds = |waiver: &&Waiver| waiver.rule == rule && waiver.holds(now_s);
    let waiver = signoff.waivers.iter().find(holds).filter(|_| signoff.decision == Answer::Approve)?;
    let Waiver { reason, ticket, expires, .. } = waiver;
    Some(format!("by {} as {} until {expires}, {ticket}: {reason}", signoff.signer, signoff.role))
}
