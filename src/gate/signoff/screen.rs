//! What a signer is shown: one screen, with what speaks against it first.

use crate::evidence::attest::Signoff;
use crate::gate::decide::SIGNOFFS;
use crate::gate::{Decision, Ruling};
use crate::model::{Checkout, Verdict};
use crate::report::plain;
use std::fmt::Write as _;

/// The screen for a signoff that is about to be signed. Rules that are green have one line together.
pub fn screen(decision: &Decision, signoff: &Signoff) -> String {
    let verification = &decision.verification;
    let record = &verification.record;
    let headline = record.verdict.unwrap_or(Verdict::Unknown).headline();
    let mut lines = vec![
        ("run", format!("{headline}, {}, tier {}, started {}", record.run, record.tier, record.started)),
        ("commit", commit(decision)),
        ("data", datasets(decision)),
        ("cases", cases(decision)),
        ("signed", verification.signature()),
    ];
    let (green, red): (Vec<&Ruling>, Vec<&Ruling>) =
        decision.rulings.iter().partition(|ruling| ruling.verdict == Verdict::Pass);
    lines.extend(red.iter().filter(|ruling| ruling.rule != SIGNOFFS).map(|ruling| ("RED", told(ruling, signoff))));
    lines.push(("green", green.iter().map(|ruling| ruling.rule).collect::<Vec<_>>().join(" ")));
    lines.extend(verification.signoffs.accepted.iter().map(|accepted| {
        let Signoff { signer, decision, role, time, .. } = &accepted.signoff;
        ("before", format!("{signer} {} as {role}, {time}", decision.verb()))
    }));
    let (signer, verb, role) = (&signoff.signer, signoff.decision.verb(), &signoff.role);
    lines.push(("now", format!("{signer} {verb} as {role}, policy {}", signoff.policy.name)));
    lines.push(("meaning", signoff.meaning.clone()));
    lines.push(("root", verification.root_sha256.clone().unwrap_or_default()));
    let mut text = String::new();
    for (name, line) in lines {
        let _ = writeln!(text, "{name:<8}  {}", plain(&line)); // to a string
    }
    text
}

fn told(ruling: &Ruling, signoff: &Signoff) -> String {
    let own = signoff.waivers.iter().find(|waiver| waiver.rule == ruling.rule);
    let own = own.map(|waiver| format!("by you until {}, {}: {}", waiver.expires, waiver.ticket, waiver.reason));
    let waived = own.or_else(|| ruling.waived.clone()).map_or(String::new(), |how| format!("; waived {how}"));
    format!("{} {}: {}{waived}", ruling.rule, ruling.asks, ruling.found)
}

fn commit(decision: &Decision) -> String {
    let environment = decision.verification.environment.as_ref();
    let runner = environment.and_then(|file| file.runner.as_deref()).unwrap_or("nobody knows whom");
    match environment.and_then(|file| file.checkout.as_ref()) {
        Some(Checkout { commit, clean }) => {
            format!("{commit}, {}, run by {runner}", if *clean { "clean" } else { "with changes" })
        }
        None => format!("none: it was in no git repository, run by {runner}"),
    }
}

fn datasets(decision: &Decision) -> String {
    let mut names: Vec<&str> = decision.verification.record.scenarios.iter().map(|s| s.dataset.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    format!("{}; generated rows are not those of production", names.join(", "))
}

fn cases(decision: &Decision) -> String {
    let cases: Vec<Verdict> = decision.verification.record.cases().map(|(_, case)| case.verdict()).collect();
    let green = cases.iter().filter(|verdict| **verdict == Verdict::Pass).count();
    let scenarios = decision.verification.record.scenarios.len();
    format!("{green} of {} green, in {scenarios} scenarios", cases.len())
}
