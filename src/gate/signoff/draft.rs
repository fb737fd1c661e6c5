//! The next signoff, before it is signed: refused where it could not be believed, for a file that is there stays.

use super::judge::{Facts, SignoffsAsked, against};
use crate::error::ErrorKind;
use crate::evidence::attest::{Answer, GateShown, PolicyShown, RuleShown, Signoff, Waiver};
use crate::gate::decide::SIGNOFFS;
use crate::gate::{Code, Decision, Policy, Question, Ruling};
use crate::{Error, Result, clock};

/// What somebody wants to sign.
#[derive(Debug, Clone)]
pub struct Request {
    /// In which role.
    pub role: String,
    /// Who.
    pub signer: String,
    /// What.
    pub decision: Answer,
    /// Why.
    pub reason: Option<String>,
    /// What is accepted although it is red, if anything is.
    pub waiving: Option<Waiving>,
}

/// Rules that are red, and accepted for one reason.
#[derive(Debug, Clone)]
pub struct Waiving {
    /// Their ids.
    pub rules: Vec<String>,
    /// Where it is followed up.
    pub ticket: String,
    /// Until when, RFC 3339 in UTC.
    pub expires: String,
}

/// The statement to be signed. `decision` is that of the gate under the same question.
///
/// # Errors
/// Evidence: the bundle does not verify. Refused: it was rejected, a red rule is not waived, or nobody would believe this
/// signoff. Usage: the policy asks for nobody, or a waiver has no reason.
pub fn draft(question: &Question<'_>, decision: &Decision, request: &Request) -> Result<Signoff> {
    let policy = question.policy;
    let Some(asked) = question.signoffs_asked() else {
        return Err(Error::usage(format!("policy {} asks nobody to sign: it has no [signoffs]", policy.name)));
    };
    let Some(role) = asked.people.role(&request.role) else {
        let names: Vec<&str> = asked.people.role.iter().map(|role| role.name.as_str()).collect();
        return Err(Error::usage(format!(
            "policy {} has no role {}; it has: {}",
            policy.name,
            request.role,
            names.join(", ")
        )));
    };
    is_in_order(decision)?;
    let waivers = waivers(decision, request)?;
    if request.decision == Answer::Approve {
        nothing_red(&asked, decision, &waivers)?;
    }
    let signoffs = &decision.verification.signoffs;
    let signoff = Signoff {
        decision: request.decision,
        meaning: role.meaning.clone(),
        role: role.name.clone(),
        stage: role.stage,
        signer: request.signer.clone(),
        time: clock::now_utc(),
        reason: request.reason.clone(),
        policy: PolicyShown { name: policy.name.clone(), sha256: policy.sha256.clone() },
        gate: GateShown::of(decision.rulings.iter().filter(|ruling| ruling.rule != SIGNOFFS).map(shown).collect())?,
        seen: signoffs.shown.clone(),
        previous: signoffs.last_sha256().cloned(),
        waivers,
    };
    would_be_believed(&asked, policy, decision, &signoff)?;
    Ok(signoff)
}

fn shown(ruling: &Ruling) -> RuleShown {
    let (rule, asks, found) = (ruling.rule.to_owned(), ruling.asks.clone(), ruling.found.clone());
    RuleShown { rule, asks, verdict: ruling.verdict, found }
}

fn is_in_order(decision: &Decision) -> Result<()> {
    let complaints = &decision.verification.complaints;
    let is_open = |code: Code| matches!(code, Code::SignoffMissing | Code::WaiverExpired);
    if let Some(complaint) = complaints.iter().find(|complaint| !is_open(complaint.code)) {
        let text = format!(
            "nothing is signed, for the bundle does not verify: {} {}: {}",
            complaint.code, complaint.file, complaint.found
        );
        return Err(Error::new(ErrorKind::Evidence, text));
    }
    let rejected =
        decision.verification.signoffs.accepted.iter().find(|accepted| accepted.signoff.decision == Answer::Reject);
    match rejected {
        None => Ok(()),
        Some(rejected) => {
            Err(Error::refused(format!("{} has rejected this run, which holds: run it again", rejected.signoff.signer)))
        }
    }
}

fn waivers(decision: &Decision, request: &Request) -> Result<Vec<Waiver>> {
    let Some(waiving) = &request.waiving else { return Ok(Vec::new()) };
    let reason = request.reason.clone().filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| Error::usage("a waiver needs a reason: --reason \"why this may be red\""))?;
    let waiver = |rule: &String| {
        let red = decision.rulings.iter().any(|ruling| ruling.rule == rule && !ruling.passes());
        let (ticket, expires) = (waiving.ticket.clone(), waiving.expires.clone());
        match red {
            true => Ok(Waiver { rule: rule.clone(), reason: reason.clone(), ticket, expires }),
            false => Err(Error::refused(format!("there is nothing to waive: {rule} is not red, or not asked"))),
        }
    };
    waiving.rules.iter().map(waiver).collect()
}

fn nothing_red(asked: &SignoffsAsked, decision: &Decision, waivers: &[Waiver]) -> Result<()> {
    let is_waived = |ruling: &&Ruling| waivers.iter().any(|waiver| waiver.rule == ruling.rule);
    let red =
        decision.rulings.iter().filter(|ruling| !ruling.passes() && ruling.rule != SIGNOFFS && !is_waived(ruling));
    let red: Vec<String> = red
        .map(|ruling| {
            format!("{} ({}), which {} may waive", ruling.rule, ruling.found, asked.people.may_waive(ruling.rule))
        })
        .collect();
    match red.is_empty() {
        true => Ok(()),
        false => Err(Error::refused(format!(
            "the gate is red: {}; repair it, --waive it, or --reject the run",
            red.join("; ")
        ))),
    }
}

fn would_be_believed(asked: &SignoffsAsked, policy: &Policy, decision: &Decision, signoff: &Signoff) -> Result<()> {
    let facts = Facts::gather(asked, decision.verification.environment.as_ref());
    let against = against(signoff, None, asked, &facts, &decision.verification.signoffs.accepted);
    match against.first() {
        None => Ok(()),
        Some((code, expected, found)) => {
            Err(Error::refused(format!("{code}: {found}; policy {} expects {expected}", policy.name)))
        }
    }
}
