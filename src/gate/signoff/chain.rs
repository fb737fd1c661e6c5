//! The files in `signoffs/`: each names the one before, the root, and what its signer has seen. No policy is asked here.

use crate::evidence::OF_RELEASE;
use crate::evidence::attest::{GateShown, SHOWN, STATEMENT, Signoff};
use crate::gate::sealed::Sealed;
use crate::gate::{Code, Complaint};
use crate::model::canonical::sha256_hex;
use std::collections::{BTreeMap, BTreeSet};

/// One of them, as it lies there.
pub(super) struct Signed {
    pub(super) file: String,
    pub(super) bytes: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) signoff: Signoff,
    /// Whether nothing was wrong with it so far.
    pub(super) is_sound: bool,
}

/// The digests of what a signer is shown.
pub(super) fn shown(sealed: &Sealed) -> BTreeMap<String, String> {
    let digest = |path: &str| Some((path.to_owned(), sealed.sha256.get(path)?.clone()));
    SHOWN.into_iter().filter_map(digest).collect()
}

/// The statements in order, and SHA-256 of each by its path; complains about all that is not as it has to be.
pub(super) fn read(sealed: &Sealed, complaints: &mut Vec<Complaint>) -> (Vec<Signed>, BTreeMap<String, String>) {
    let files: BTreeSet<&String> =
        sealed.sha256.keys().filter(|path| path.starts_with(&format!("{}/", Signoff::FOLDER))).collect();
    let files = files.into_iter().filter(|path| !OF_RELEASE.contains(&path.as_str()));
    let (statements, others): (Vec<&String>, Vec<&String>) = files.partition(|path| path.ends_with(".json"));
    let is_signature = |path: &&String| path.strip_suffix(".sig").is_some_and(|of| sealed.sha256.contains_key(of));
    let stray = others.into_iter().filter(|path| !is_signature(path));
    complaints.extend(stray.map(|path| chain(path, "a signoff, or the .sig of one", "another file")));
    let root = sealed.sums.as_deref().map(sha256_hex).unwrap_or_default();
    let (mut signed, mut digests) = (Vec::new(), BTreeMap::new());
    for (path, nth) in statements.into_iter().zip(1..) {
        let before = complaints.len();
        let found = statement(path, sealed, complaints);
        if let Some((subject, signoff)) = found {
            links(path, nth, &signoff, digests.values().next_back(), complaints);
            subjects(path, &root, &subject, &signoff, sealed, complaints);
            let bytes = |path: &str| sealed.bytes(path).unwrap_or_default().to_vec();
            let (bytes, signature, is_sound) = (bytes(path), bytes(&format!("{path}.sig")), complaints.len() == before);
            signed.push(Signed { file: path.clone(), bytes, signature, signoff, is_sound });
        }
        digests.extend(sealed.sha256.get(path).map(|sha256| (path.clone(), sha256.clone())));
    }
    (signed, digests)
}

/// The root that it speaks of, and what it says.
fn statement(path: &str, sealed: &Sealed, complaints: &mut Vec<Complaint>) -> Option<(String, Signoff)> {
    let bytes = sealed.bytes(path)?;
    if let Some(complaint) = Complaint::ambiguous(Code::Schema, path, bytes) {
        complaints.push(complaint);
        return None;
    }
    let value = serde_json::from_slice(bytes);
    let types = value.as_ref().map(Signoff::types).unwrap_or_default();
    let expected = [STATEMENT.to_owned(), Signoff::predicate_type()];
    if value.is_ok() && types != expected {
        complaints.push(Complaint::new(Code::TypeConfusion, path, expected.join(" of "), types.join(" of ")));
        return None;
    }
    match value.and_then(|value| Signoff::parse(&value)) {
        Ok(found) => Some(found),
        Err(error) => {
            complaints.push(Complaint::new(Code::Schema, path, "a signoff of version 1", error.to_string()));
            None
        }
    }
}

/// Its place in the chain.
fn links(path: &str, nth: usize, signoff: &Signoff, before: Option<&String>, complaints: &mut Vec<Complaint>) {
    let name = Signoff::path(nth, &signoff.role);
    if path != name {
        complaints.push(chain(path, &name, "another number or role in its name"));
    }
    if signoff.previous.as_ref() != before {
        let text = |sha256: Option<&String>| sha256.map_or("no signoff before it".to_owned(), String::clone);
        complaints.push(chain(path, &text(before), &text(signoff.previous.as_ref())));
    }
}

/// What it is about: this bundle, and what there was to see.
fn subjects(
    path: &str,
    root: &str,
    subject: &str,
    signoff: &Signoff,
    sealed: &Sealed,
    complaints: &mut Vec<Complaint>,
) {
    let mut complain = |expected: &str, found: &str| {
        complaints.push(Complaint::new(Code::SignoffSubject, path, expected, found));
    };
    if subject != root {
        complain(root, &format!("a signoff on {subject}; a new run is signed anew"));
    }
    let shown = shown(sealed);
    if signoff.seen != shown {
        let other = |path: &&str| signoff.seen.get(*path) != shown.get(*path);
        let other = SHOWN.into_iter().find(other).unwrap_or("a file that no signer is shown");
        complain("the digests of what lies here", &format!("other ones, such as of {other}"));
    }
    let gate = GateShown::of(signoff.gate.rules.clone()).map(|gate| gate.sha256).unwrap_or_default();
    if signoff.gate.sha256 != gate {
        complain(&gate, &signoff.gate.sha256);
    }
}

fn chain(path: &str, expected: &str, found: &str) -> Complaint {
    Complaint::new(Code::SignoffChain, path, expected, found)
}
