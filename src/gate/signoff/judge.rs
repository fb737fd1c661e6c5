//! Whether each signoff may be believed under a policy, and whether all that have to be there are.
//!
//! What cannot be known, such as who wrote the commit, counts against it.

use super::Signoffs;
use super::chain::{self, Signed};
use super::people::{People, Role};
use super::release;
use crate::engine;
use crate::evidence::attest::ssh::{self, Standing};
use crate::evidence::attest::{Answer, Signoff};
use crate::gate::age::CLOCK_SLACK_S;
use crate::gate::sealed::Sealed;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::{EnvironmentFile, RECORD_TIER, Stage};
use crate::{Result, clock};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What is expected of people.
#[derive(Debug, Clone)]
pub struct SignoffsAsked {
    pub(in crate::gate) people: People,
    /// SHA-256 of the policy.
    pub(in crate::gate) policy_sha256: String,
    pub(in crate::gate) stage: Stage,
    /// The verifier's own checkout, which knows who wrote a commit.
    pub(in crate::gate) here: PathBuf,
}

/// A signoff that may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its path in the bundle.
    pub file: String,
    /// What it says.
    pub signoff: Signoff,
    /// The fingerprint of its key.
    pub key: String,
}

/// What is known beside the signoffs.
pub(super) struct Facts {
    now_s: i64,
    /// Whoever started the run.
    runner: Option<String>,
    /// Whoever wrote the commits, or why that is not known.
    authors: std::result::Result<BTreeSet<String>, String>,
}

impl Facts {
    pub(super) fn gather(asked: &SignoffsAsked, environment: Option<&EnvironmentFile>) -> Facts {
        let commit = environment.and_then(|file| file.checkout.as_ref()).map(|checkout| checkout.commit.as_str());
        let since = asked.people.changes_since.as_deref();
        let authors = match commit {
            _ if !asked.people.not_author => Ok(BTreeSet::new()),
            None => Err("the run was in no git repository".to_owned()),
            Some(commit) => engine::authors(&asked.here, commit, since).map_err(|error| error.to_string()),
        };
        let runner = environment.and_then(|file| file.runner.clone());
        Facts { now_s: clock::unix_seconds(), runner, authors }
    }
}

/// Reads all signoffs and the seal of the release, and judges them where a policy asks for people. `seal_sha256`: the seal
/// that has to be there.
///
/// # Errors
/// The environment: there is no `ssh-keygen`, or no file of allowed signers.
pub(in crate::gate) fn check(
    sealed: &Sealed,
    told: &Told,
    asked: Option<&SignoffsAsked>,
    seal_sha256: Option<&str>,
    complaints: &mut Vec<Complaint>,
    follows: &mut Vec<Complaint>,
) -> Result<Signoffs> {
    let (signed, sha256) = chain::read(sealed, complaints);
    let seal_sha256 = release::check(sealed, &signed, seal_sha256, complaints, follows);
    let mut accepted = Vec::new();
    if let Some(asked) = asked {
        let facts = Facts::gather(asked, told.environment.as_ref());
        for signed in &signed {
            let found = judged(signed, asked, &facts, &accepted, complaints)?;
            accepted.extend(found);
        }
        let roles = asked.people.asked_at(asked.stage, told.record.tier == RECORD_TIER);
        complaints.extend(all_there(roles, &facts, &accepted));
        complaints.extend(waivers_hold(&facts, &accepted));
    }
    Ok(Signoffs { sha256, seal_sha256, accepted, shown: chain::shown(sealed) })
}

fn judged(
    signed: &Signed,
    asked: &SignoffsAsked,
    facts: &Facts,
    earlier: &[Accepted],
    complaints: &mut Vec<Complaint>,
) -> Result<Option<Accepted>> {
    let (file, signoff) = (&signed.file, &signed.signoff);
    let signers = asked.people.allowed_signers();
    std::fs::metadata(signers).map_err(|error| crate::Error::io("read the allowed signers", signers, error))?;
    let key = match ssh::standing(&signed.bytes, &signed.signature, signers, &signoff.signer)? {
        Standing::Good(key) => key,
        Standing::Stranger => {
            let expected = format!("a key of {} in {}", signoff.signer, signers.display());
            complaints.push(Complaint::new(Code::SignerUntrusted, file, expected, "a key of somebody else"));
            return Ok(None);
        }
        Standing::Bad => {
            let expected = format!("a signature over this file in {file}.sig");
            complaints.push(Complaint::new(Code::SigInvalid, file, expected, "none"));
            return Ok(None);
        }
    };
    let against = against(signoff, Some(&key), asked, facts, earlier);
    let is_accepted = signed.is_sound && against.is_empty();
    complaints.extend(against.into_iter().map(|(code, expected, found)| Complaint::new(code, file, expected, found)));
    Ok(is_accepted.then(|| Accepted { file: file.clone(), signoff: signoff.clone(), key }))
}

/// What speaks against a signoff, whoever's key it is signed with: code, expected, found.
pub(super) fn against(
    signoff: &Signoff,
    key: Option<&str>,
    asked: &SignoffsAsked,
    facts: &Facts,
    earlier: &[Accepted],
) -> Vec<(Code, String, String)> {
    let mut against = Vec::new();
    if signoff.policy.sha256 != asked.policy_sha256 {
        let found = format!("signed under {} {}", signoff.policy.name, signoff.policy.sha256);
        against.push((Code::PolicyMismatch, format!("policy {}", asked.policy_sha256), found));
    }
    let role = asked.people.role(&signoff.role);
    if !role.is_some_and(|role| role.admits(&signoff.signer)) {
        let found = format!("{} is not to sign as {}", signoff.signer, signoff.role);
        against.push((Code::SignerUntrusted, "a role and a person of the policy".to_owned(), found));
    }
    if clock::seconds_of(&signoff.time).is_none_or(|signed_s| signed_s > facts.now_s + CLOCK_SLACK_S) {
        against.push((Code::FromFuture, "a time before now".to_owned(), signoff.time.clone()));
    }
    let own = |text: String| (Code::SignoffSelf, "somebody who judges another's work".to_owned(), text);
    against.extend(selves(signoff, key, asked, facts, earlier).into_iter().map(own));
    let entitled = |rule: &String| role.is_some_and(|role| role.may_waive.contains(rule));
    let unsigned = signoff.waivers.iter().filter(|waiver| !entitled(&waiver.rule));
    against.extend(unsigned.map(|waiver| {
        let expected = format!("{} waived by {}", waiver.rule, asked.people.may_waive(&waiver.rule));
        (Code::WaiverUnsigned, expected, format!("a waiver by {} as {}", signoff.signer, signoff.role))
    }));
    against
}

/// In which ways the signer would judge their own work, or decide twice.
fn selves(
    signoff: &Signoff,
    key: Option<&str>,
    asked: &SignoffsAsked,
    facts: &Facts,
    earlier: &[Accepted],
) -> Vec<String> {
    let (people, signer) = (&asked.people, &signoff.signer);
    let names = people.names(signer);
    let is_signer = |name: &str| names.contains(&name.to_lowercase());
    let mut found = Vec::new();
    match &facts.runner {
        Some(runner) if people.not_runner && is_signer(runner) => found.push(format!("{signer} has started the run")),
        None if people.not_runner => found.push("the bundle does not say who has started the run".to_owned()),
        _ => {}
    }
    match &facts.authors {
        Ok(authors) if authors.iter().any(|author| is_signer(author)) => {
            found.push(format!("{signer} has written what was rehearsed"));
        }
        Err(why) => found.push(format!("who has written what was rehearsed is not known here: {why}")),
        Ok(_) => {}
    }
    for Accepted { signoff: other, key: with, .. } in earlier {
        let is_same = is_signer(&other.signer);
        if is_same && other.role != signoff.role {
            found.push(format!("{signer} has signed as {} already", other.role));
        } else if !is_same && key == Some(with) {
            found.push(format!("{signer} signs with the key of {}", other.signer));
        }
    }
    found
}

/// Every role that is asked at the stage has approved, and nobody has rejected.
fn all_there<'a>(roles: impl Iterator<Item = &'a Role>, facts: &Facts, accepted: &[Accepted]) -> Vec<Complaint> {
    let missing = |role: &Role, found: String| {
        let expected = format!("an approval as {}, {} at the latest", role.name, role.stage);
        Complaint::new(Code::SignoffMissing, "signoffs", expected, found)
    };
    let absent = roles.filter_map(|role| {
        let own = accepted.iter().map(|accepted| &accepted.signoff).rfind(|signoff| signoff.role == role.name);
        match own {
            None => Some(missing(role, "nothing".to_owned())),
            Some(signoff) if is_over(role, signoff, facts) => {
                Some(missing(role, format!("one that held until it was too old: signed {}", signoff.time)))
            }
            Some(_) => None,
        }
    });
    let rejected = accepted.iter().filter(|accepted| accepted.signoff.decision == Answer::Reject).map(|accepted| {
        let Signoff { signer, role, reason, .. } = &accepted.signoff;
        let found = format!("{signer} rejects as {role}: {}", reason.as_deref().unwrap_or("no reason given"));
        Complaint::new(Code::SignoffMissing, &accepted.file, "no reject; it holds until there is a new run", found)
    });
    absent.chain(rejected).collect()
}

fn is_over(role: &Role, signoff: &Signoff, facts: &Facts) -> bool {
    let age_s = clock::seconds_of(&signoff.time).map_or(i64::MAX, |signed_s| facts.now_s - signed_s);
    role.valid_s().ok().flatten().is_some_and(|valid_s| age_s > valid_s)
}

/// A waiver that is over is complained about, unless somebody has renewed it.
fn waivers_hold(facts: &Facts, accepted: &[Accepted]) -> Vec<Complaint> {
    let all =
        || accepted.iter().flat_map(|accepted| accepted.signoff.waivers.iter().map(move |waiver| (accepted, waiver)));
    let renewed = |rule: &str| all().any(|(_, waiver)| waiver.rule == rule && waiver.holds(facts.now_s));
    let over = all().filter(|(_, waiver)| !waiver.holds(facts.now_s) && !renewed(&waiver.rule));
    over.map(|(accepted, waiver)| {
        let found = format!("{} was waived until {} ({})", waiver.rule, waiver.expires, waiver.ticket);
        Complaint::new(Code::WaiverExpired, &accepted.file, "a waiver that still holds", found)
    })
    .collect()
}
