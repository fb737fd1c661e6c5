//! The seal of a release: what it names has to be there, whoever would like it to be gone. No policy is asked here.

use super::chain::{self, Signed};
use crate::error::ErrorKind;
use crate::evidence::attest::{Signoff, Waiver};
use crate::evidence::{self, Bundle, OF_RELEASE, RELEASE_PAGE, Redactor, SEAL, SEAL_TOKEN, SUMS, is_added_later, seal};
use crate::gate::sealed::{self, Sealed};
use crate::gate::{Code, Complaint, Decision};
use crate::model::Verdict;
use crate::model::canonical::sha256_hex;
use crate::report::{Approval, release_page};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Complains about what was taken away since the release. `expected`: SHA-256 of the seal, as it was told then. Answers
/// with that of the seal that is there. What this build would write otherwise goes to `follows`.
pub(super) fn check(
    sealed: &Sealed,
    signed: &[Signed],
    expected: Option<&str>,
    complaints: &mut Vec<Complaint>,
    follows: &mut Vec<Complaint>,
) -> Option<String> {
    let found = sealed.sha256.get(SEAL);
    if let Some(expected) = expected.filter(|expected| found.is_none_or(|found| found != expected)) {
        let found = found.map_or("nothing: it was not released, or somebody has taken the seal away", String::as_str);
        complaints.push(gone(SEAL, expected, found));
    }
    let listed = match (sealed.bytes(SEAL), sealed.bytes(SEAL).and_then(sealed::parse)) {
        (None, _) => {
            let stray = OF_RELEASE.into_iter().filter(|path| sealed.sha256.contains_key(*path));
            complaints.extend(stray.map(|path| gone(path, "signoffs/SEAL beside it", "nothing")));
            return None;
        }
        (Some(_), None) => {
            complaints.push(Complaint::new(Code::Schema, SEAL, "`<sha256>  <path>`, sorted by path", "other lines"));
            return found.cloned();
        }
        (Some(_), Some(listed)) => listed,
    };
    all_there(sealed, &listed, complaints);
    page(sealed, signed, &listed, follows);
    stamp(sealed, complaints);
    found.cloned()
}

fn all_there(sealed: &Sealed, listed: &[(String, String)], complaints: &mut Vec<Complaint>) {
    let root = sealed.sums.as_deref().map(sha256_hex);
    for (path, sha256) in listed {
        let found = if path == SUMS { root.as_ref() } else { sealed.sha256.get(path) };
        if found != Some(sha256) {
            let found = found.map_or("nothing: it was taken away after the release", String::as_str);
            complaints.push(gone(path, sha256, found));
        }
    }
    let names_root = listed.iter().any(|(path, _)| path == SUMS);
    if !names_root {
        complaints.push(gone(SEAL, "the digest of SHA256SUMS in it", "none"));
    }
}

/// The page follows from the report and from the signoffs that the seal names.
fn page(sealed: &Sealed, signed: &[Signed], listed: &[(String, String)], follows: &mut Vec<Complaint>) {
    let is_listed = |signed: &&Signed| listed.iter().any(|(path, _)| *path == signed.file);
    let signed: Vec<&Signed> = signed.iter().filter(is_listed).collect();
    let expected = written(sealed, &signed);
    let found = sealed.sha256.get(RELEASE_PAGE);
    if found != expected.as_deref().map(sha256_hex).as_ref() {
        let found = found.map_or("nothing", String::as_str);
        let expected = "what report.html and the signoffs give";
        follows.push(Complaint::new(Code::DerivedMismatch, RELEASE_PAGE, expected, found));
    }
}

/// A time stamp holds the digest of what it is about. By whom it is, is asked of `openssl ts`.
fn stamp(sealed: &Sealed, complaints: &mut Vec<Complaint>) {
    let (Some(token), Some(seal)) = (sealed.bytes(SEAL_TOKEN), sealed.bytes(SEAL)) else { return };
    let digest = Sha256::digest(seal);
    if !token.windows(digest.len()).any(|part| part == &digest[..]) {
        complaints.push(Complaint::new(Code::SubjectMismatch, SEAL_TOKEN, "a time stamp over the seal", "another one"));
    }
}

fn gone(path: &str, expected: &str, found: &str) -> Complaint {
    Complaint::new(Code::SignoffChain, path, expected, found)
}

/// Writes `release.html` and the seal into a bundle that the gate lets pass; answers with SHA-256 of the seal.
///
/// # Errors
/// Refused: the gate is red, or nobody has signed. Environment: files cannot be read or written.
pub fn release(bundle: &Bundle<evidence::Sealed>, decision: &Decision) -> Result<String> {
    let signoffs = &decision.verification.signoffs;
    if decision.verdict() != Verdict::Pass || signoffs.accepted.is_empty() {
        let why = "the gate is red, or its policy asks nobody to sign";
        return Err(Error::refused(format!("nothing was released: {why}")));
    }
    if let Some(seal_sha256) = &signoffs.seal_sha256 {
        return Ok(seal_sha256.clone());
    }
    let read = || Sealed::read(bundle.root(), &Redactor::new([] as [&str; 0]), &mut Vec::new());
    let sealed = read()?;
    let (signed, _) = chain::read(&sealed, &mut Vec::new());
    let page = written(&sealed, &signed.iter().collect::<Vec<_>>());
    let page = page.ok_or_else(|| Error::new(ErrorKind::Evidence, "report.html has no place for approvals"))?;
    bundle.attach(RELEASE_PAGE, &page)?;
    let seal = seal(&bundle.root_sha256()?, &added(&read()?));
    bundle.attach(SEAL, &seal)?;
    Ok(sha256_hex(&seal))
}

/// The bytes of `release.html`; nothing where there is no report of ours.
fn written(sealed: &Sealed, signed: &[&Signed]) -> Option<Vec<u8>> {
    let report = std::str::from_utf8(sealed.bytes("report.html")?).ok()?;
    let root = sealed.sums.as_deref().map(sha256_hex)?;
    let approvals: Vec<Approval> = signed.iter().map(|signed| approval(&signed.file, &signed.signoff)).collect();
    release_page(report, &root, &approvals).map(String::into_bytes)
}

fn approval(file: &str, signoff: &Signoff) -> Approval {
    let waived = |waiver: &Waiver| {
        format!("accepts {} until {}, {}: {}", waiver.rule, waiver.expires, waiver.ticket, waiver.reason)
    };
    Approval {
        file: file.to_owned(),
        role: signoff.role.clone(),
        signer: signoff.signer.clone(),
        verb: signoff.decision.verb(),
        meaning: signoff.meaning.clone(),
        time: signoff.time.clone(),
        policy: signoff.policy.name.clone(),
        reasons: signoff.reason.iter().cloned().chain(signoff.waivers.iter().map(waived)).collect(),
    }
}

/// The digests of all that was added since the bundle was sealed, by path.
fn added(sealed: &Sealed) -> BTreeMap<String, String> {
    let added = sealed.sha256.iter().filter(|(path, _)| is_added_later(path));
    added.map(|(path, sha256)| (path.clone(), sha256.clone())).collect()
}
