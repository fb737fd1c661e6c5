//! Who says so: the envelopes of a bundle, and the keys that the verifier trusts.

use crate::evidence::attest::{Envelope, PAYLOAD_TYPE, PublicKey, STATEMENT, Slot, test_result};
use crate::gate::sealed::Sealed;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::canonical::sha256_hex;
use serde_json::Value;
use std::collections::BTreeMap;

/// A key that the verifier trusts; never read from a bundle.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// Where it comes from, for people.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// The last moment, RFC 3339 in UTC, at which a run of it may have ended.
    pub until: Option<String>,
    /// Whether nothing of it is believed any more.
    pub revoked: bool,
}

/// Checks the envelopes that there are. Answers with the name of the trusted key that signed what happened.
pub(super) fn check(
    sealed: &Sealed,
    told: &Told,
    trusted: &[TrustedKey],
    complaints: &mut Vec<Complaint>,
    follows: &mut Vec<Complaint>,
) -> Option<String> {
    let mut signer = None;
    for slot in Slot::ALL {
        let Some(bytes) = sealed.bytes(slot.file()) else { continue };
        if let Some(complaint) = Complaint::ambiguous(Code::SigInvalid, slot.file(), bytes) {
            complaints.push(complaint);
            continue;
        }
        match serde_json::from_slice::<Envelope>(bytes) {
            Ok(envelope) => {
                let by = signed_by(slot, &envelope, told, trusted, complaints);
                content(slot, &envelope, sealed, complaints);
                follows.extend(untrue(slot, &envelope, sealed, told));
                signer = signer.or(by.filter(|_| slot == Slot::TestResult));
            }
            Err(error) => {
                complaints.push(Complaint::new(Code::SigInvalid, slot.file(), "a DSSE envelope", error.to_string()));
            }
        }
    }
    if !trusted.is_empty() && sealed.bytes(Slot::TestResult.file()).is_none() {
        let file = Slot::TestResult.file();
        complaints.push(Complaint::new(Code::SignerUntrusted, file, "a signature of a trusted key", "UNSIGNED"));
    }
    signer
}

/// The name of the trusted key that has signed it. Without any trusted key nothing can be said.
fn signed_by(
    slot: Slot,
    envelope: &Envelope,
    told: &Told,
    trusted: &[TrustedKey],
    complaints: &mut Vec<Complaint>,
) -> Option<String> {
    if trusted.is_empty() {
        return None;
    }
    let mut complain = |code, expected: &str, found: String| {
        complaints.push(Complaint::new(code, slot.file(), expected, found));
        None
    };
    let answers = trusted.iter().filter_map(|trusted| Some((trusted, envelope.verifies(&trusted.key)?)));
    let Some((by, verifies)) = answers.max_by_key(|(_, verifies)| *verifies) else {
        let ids: Vec<&str> = envelope.signatures.iter().map(|signature| signature.keyid.as_str()).collect();
        return complain(Code::SignerUntrusted, "a signature of a trusted key", format!("keys {}", ids.join(", ")));
    };
    let ended = told.events.last().map(|event| event.t.as_str()).unwrap_or_default();
    match by {
        _ if !verifies => complain(Code::SigInvalid, "a signature over this payload", format!("not by {}", by.name)),
        TrustedKey { revoked: true, name, .. } => {
            complain(Code::KeyRevoked, "a key that is still trusted", format!("{name} was revoked"))
        }
        TrustedKey { until: Some(until), name, .. } if until.as_str() < ended => {
            complain(Code::KeyExpired, "a key that was valid when the run ended", format!("{name}, until {until}"))
        }
        by => Some(by.name.clone()),
    }
}

/// Whether what was signed is of the right type, and about this bundle.
fn content(slot: Slot, envelope: &Envelope, sealed: &Sealed, complaints: &mut Vec<Complaint>) {
    let mut complain = |code, expected: &str, found: String| {
        complaints.push(Complaint::new(code, slot.file(), expected, found));
    };
    let Some(statement) = envelope.statement() else {
        return complain(Code::SigInvalid, "a payload that is a statement", "no base64 of JSON".to_owned());
    };
    let text = |pointer: &str| statement.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let types = [
        (PAYLOAD_TYPE, envelope.payload_type.clone()),
        (STATEMENT, text("/_type")),
        (slot.predicate_type(), text("/predicateType")),
    ];
    for (expected, found) in types {
        if expected != found {
            return complain(Code::TypeConfusion, expected, found);
        }
    }
    let root = sealed.sums.as_deref().map(sha256_hex).unwrap_or_default();
    let subject = text("/subject/0/digest/sha256");
    if subject != root {
        return complain(Code::SubjectMismatch, &root, subject);
    }
    if slot == Slot::Gate {
        let inputs = inputs(&statement);
        let other = inputs.iter().find(|(path, sha256)| sealed.sha256.get(*path) != Some(sha256));
        let own = Slot::TestResult.file();
        if let Some((path, sha256)) = other {
            complain(
                Code::GateInputMismatch,
                &format!("{path} as the gate has seen it, {sha256}"),
                "another, or none".into(),
            );
        } else if sealed.bytes(own).is_some() && !inputs.contains_key(own) {
            complain(Code::GateInputMismatch, "a decision over the envelope of this bundle", "one over none".into());
        }
    }
}

/// Where the harness has signed something else than its journal says.
fn untrue(slot: Slot, envelope: &Envelope, sealed: &Sealed, told: &Told) -> Option<Complaint> {
    let statement = envelope.statement().filter(|_| slot == Slot::TestResult)?;
    let root = sealed.sums.as_deref().map(sha256_hex).unwrap_or_default();
    let is_about_it = statement.pointer("/subject/0/digest/sha256")?.as_str()? == root;
    let is_of_type = statement["predicateType"] == slot.predicate_type() && statement["_type"] == STATEMENT;
    let file = |name: &str| sealed.bytes(name).unwrap_or_default();
    let expected = test_result(&told.record, &root, file("plan.json"), file("environment.json"));
    let is_untrue = is_about_it && is_of_type && envelope.payload_type == PAYLOAD_TYPE && statement != expected;
    let found = || format!("result {}", statement["predicate"]["result"].as_str().unwrap_or_default());
    is_untrue.then(|| Complaint::new(Code::DerivedMismatch, slot.file(), "what the journal says happened", found()))
}

/// What a decision of the gate rests on: digests by path.
fn inputs(statement: &Value) -> BTreeMap<String, String> {
    let inputs = statement.pointer("/predicate/inputAttestations").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |input: &Value| (text(&input["uri"]), text(&input["digest"]["sha256"]));
    inputs.into_iter().flatten().map(pair).collect()
}
