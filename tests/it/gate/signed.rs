//! Bundles that a machine has signed: other people's programs agree, and who meddles is found out.

use super::forged::Forged;
use crate::cli::{GREEN, Scratch, run};
use rehearsal::evidence::attest::{Envelope, MachineKey, PAYLOAD_TYPE, Slot, pae, summary_of, test_result};
use rehearsal::gate::{Expected, Status, TrustedKey};
use rehearsal::model::{RunRecord, canonical};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(super) fn key(seed: u8) -> MachineKey {
    MachineKey::of_random(&[seed; 32]).unwrap()
}

pub(super) fn trusted(key: &MachineKey) -> TrustedKey {
    TrustedKey { name: "ci".to_owned(), key: key.public(), until: None, revoked: false }
}

fn expected(trusted: TrustedKey) -> Expected {
    Expected { trusted: vec![trusted], ..Expected::default() }
}

/// What the harness would sign of this bundle.
fn statement(forged: &Forged) -> Value {
    let record = RunRecord::from_events(&rehearsal::evidence::read(&forged.path("events.jsonl")).unwrap());
    let file = |name: &str| fs::read(forged.path(name)).unwrap();
    test_result(&record, &root(forged), &file("plan.json"), &file("environment.json"))
}

pub(super) fn root(forged: &Forged) -> String {
    canonical::sha256_hex(&fs::read(forged.path("SHA256SUMS")).unwrap())
}

/// What a decision of the gate rests on.
pub(super) fn inputs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(path, sha256)| ((*path).to_owned(), (*sha256).to_owned())).collect()
}

pub(super) fn put(forged: &Forged, slot: Slot, envelope: &Envelope) {
    forged.write(slot.file(), &serde_json::to_string(envelope).unwrap());
}

pub(super) fn signed_with(forged: &Forged, key: &MachineKey) -> Envelope {
    let envelope = Envelope::seal(&statement(forged), key).unwrap();
    put(forged, Slot::TestResult, &envelope);
    envelope
}

/// What somebody does to a signed bundle, by whom the verifier swears, and the codes.
type Attack = (&'static str, &'static [&'static str], fn(&Forged) -> TrustedKey);

pub(super) const ATTACKS: &[Attack] = &[
    ("takes the signature away", &["SIGNER_UNTRUSTED"], |_| trusted(&key(1))),
    ("signs with a key of its own", &["SIGNER_UNTRUSTED"], |forged| {
        signed_with(forged, &key(2));
        trusted(&key(1))
    }),
    ("signs with a key of its own under the name of another", &["SIG_INVALID"], |forged| {
        let mut envelope = signed_with(forged, &key(2));
        envelope.signatures[0].keyid = key(1).public().id();
        put(forged, Slot::TestResult, &envelope);
        trusted(&key(1))
    }),
    ("writes no envelope", &["SIG_INVALID"], |forged| {
        forged.write(Slot::TestResult.file(), "{}");
        trusted(&key(1))
    }),
    ("changes a word that was signed", &["DERIVED_MISMATCH", "SIG_INVALID"], |forged| {
        let envelope = signed_with(forged, &key(1));
        let mut other = statement(forged);
        other["predicate"]["result"] = "FAILED".into();
        let payload = Envelope::seal(&other, &key(3)).unwrap().payload;
        put(forged, Slot::TestResult, &Envelope { payload, ..envelope });
        trusted(&key(1))
    }),
    ("lets the genuine key sign another result", &["DERIVED_MISMATCH"], |forged| {
        let mut other = statement(forged);
        other["predicate"]["passedTests"] = serde_json::json!(["survives", "and-more"]);
        put(forged, Slot::TestResult, &Envelope::seal(&other, &key(1)).unwrap());
        trusted(&key(1))
    }),
    ("takes the signature of another bundle", &["SUBJECT_MISMATCH"], |forged| {
        let mut other = statement(forged);
        other["subject"][0]["digest"]["sha256"] = "0".repeat(64).into();
        put(forged, Slot::TestResult, &Envelope::seal(&other, &key(1)).unwrap());
        trusted(&key(1))
    }),
    ("seals anew what it has changed", &["SUBJECT_MISMATCH"], |forged| {
        signed_with(forged, &key(1));
        let events = rehearsal::evidence::read(&forged.path("events.jsonl")).unwrap();
        let injured = events.iter().filter_map(|event| event.body.case()).find(|case| case.contains("/0001-")).unwrap();
        forged.write(&format!("cases/{injured}/run-copy.stdout.log"), "all is well\n").sum();
        trusted(&key(1))
    }),
    ("puts the envelope of the gate in the place of the harness's", &["TYPE_CONFUSION"], |forged| {
        let summary = summary_of(&root(forged), "x", ("ci", "0"), &inputs(&[]), "2026-11-29T10:00:00Z", true);
        put(forged, Slot::TestResult, &Envelope::seal(&summary, &key(1)).unwrap());
        trusted(&key(1))
    }),
    ("puts the envelope of the harness in the place of the gate's", &["TYPE_CONFUSION"], |forged| {
        let envelope = signed_with(forged, &key(1));
        put(forged, Slot::Gate, &envelope);
        trusted(&key(1))
    }),
    ("rests the decision of the gate on another envelope", &["GATE_INPUT_MISMATCH"], |forged| {
        signed_with(forged, &key(1));
        let inputs = inputs(&[(Slot::TestResult.file(), "another envelope")]);
        let summary = summary_of(&root(forged), "x", ("ci", "0"), &inputs, "2026-11-29T10:00:00Z", true);
        put(forged, Slot::Gate, &Envelope::seal(&summary, &key(1)).unwrap());
        trusted(&key(1))
    }),
    ("rests the decision of the gate on no envelope", &["GATE_INPUT_MISMATCH"], |forged| {
        signed_with(forged, &key(1));
        let summary = summary_of(&root(forged), "x", ("ci", "0"), &inputs(&[]), "2026-11-29T10:00:00Z", true);
        put(forged, Slot::Gate, &Envelope::seal(&summary, &key(1)).unwrap());
        trusted(&key(1))
    }),
    ("says that the payload is of another type", &["SIG_INVALID", "TYPE_CONFUSION"], |forged| {
        let envelope = signed_with(forged, &key(1));
        put(forged, Slot::TestResult, &Envelope { payload_type: "text/plain".to_owned(), ..envelope });
        trusted(&key(1))
    }),
    ("signs with a key that was good last year", &["KEY_EXPIRED"], |forged| {
        signed_with(forged, &key(1));
        TrustedKey { until: Some("2025-12-31T23:59:59Z".to_owned()), ..trusted(&key(1)) }
    }),
    ("signs with a key that was stolen", &["KEY_REVOKED"], |forged| {
        signed_with(forged, &key(1));
        TrustedKey { revoked: true, ..trusted(&key(1)) }
    }),
];

#[test]
fn a_signed_bundle_verifies_and_says_by_whom() {
    let forged = Forged::new();
    let unsigned = forged.verify(&Expected::default());
    assert_eq!((unsigned.status(), unsigned.signature().as_str()), (Status::Verified, "UNSIGNED"));
    signed_with(&forged, &key(1));
    let verification = forged.verify(&expected(trusted(&key(1))));
    assert_eq!((verification.complaints.len(), verification.signature().as_str()), (0, "by ci"));
    assert_eq!(forged.verify(&Expected::default()).status(), Status::Verified, "nobody is asked for");
}

#[test]
fn each_attack_on_a_signature_is_found_out_by_its_code() {
    for (what, codes, work) in ATTACKS {
        let forged = Forged::new();
        let expected = expected(work(&forged));
        assert_eq!(forged.codes(&expected), *codes, "{what}: {}", forged.verify(&expected).text());
    }
}

#[test]
fn the_same_key_over_the_same_bundle_gives_the_same_bytes() {
    let forged = Forged::new();
    assert_eq!(signed_with(&forged, &key(1)), signed_with(&forged, &key(1)));
}

// ---- other people's programs

fn shell(dir: &Path, script: &str) -> crate::cli::Said {
    run(dir, &std::env::vars_os().collect(), &["sh", "-eu", "-c", script])
}

#[test]
fn a_key_is_made_once_signs_a_run_and_openssl_agrees() {
    let scratch = Scratch::with("looks", GREEN);
    scratch.rehearse(&["key", "new", "ci.key"]).has(0, "ci.key.pub");
    scratch.rehearse(&["key", "new", "ci.key"]).has(2, "nothing is overwritten");
    scratch.rehearse(&["run", "--key", "ci.key"]).has(0, "GO");
    let bundle = scratch.bundle();
    let at = bundle.display().to_string();
    scratch.rehearse(&["verify", &at, "--trust", "ci.key.pub"]).has(0, "signed by ci.key.pub");
    scratch.rehearse(&["verify", &at, "--trust", "ci.key"]).has(2, "is no public P-256 key");
    let here = scratch.dir.path();
    shell(here, "test \"$(stat -c %a ci.key)\" = 600").has(0, "");
    shell(here, "openssl pkey -in ci.key -pubout | cmp - ci.key.pub").has(0, "");

    let envelope: Envelope = serde_json::from_slice(&fs::read(bundle.join(Slot::TestResult.file())).unwrap()).unwrap();
    fs::write(here.join("pae"), pae(PAYLOAD_TYPE, &envelope.payload_bytes().unwrap())).unwrap();
    fs::write(here.join("sig.b64"), &envelope.signatures[0].sig).unwrap();
    let script = "base64 -d sig.b64 > sig && openssl dgst -sha256 -verify ci.key.pub -signature sig pae";
    shell(here, script).has(0, "Verified OK");
    fs::write(here.join("pae"), pae("text/plain", &envelope.payload_bytes().unwrap())).unwrap();
    shell(here, script).has(1, "Verification failure");
}

#[test]
fn the_key_of_a_ci_system_comes_in_a_variable_and_stays_out_of_the_bundle() {
    let mut scratch = Scratch::with("looks", GREEN);
    scratch.rehearse(&["key", "new", "ci.key"]).has(0, "key");
    let pem = fs::read_to_string(scratch.dir.path().join("ci.key")).unwrap();
    scratch.env.insert("REHEARSE_KEY".into(), pem.clone().into());
    scratch.rehearse(&["run"]).has(0, "GO");
    let at = scratch.bundle().display().to_string();
    scratch.rehearse(&["verify", &at, "--trust", "ci.key.pub"]).has(0, "signed by ci.key.pub");
    scratch.keeps_out(pem.lines().nth(1).unwrap());
    scratch.env.insert("REHEARSE_KEY".into(), "sesame".into());
    let said = scratch.rehearse(&["run"]);
    said.has(2, "REHEARSE_KEY is no P-256 key");
    assert!(!said.stderr.contains("sesame"), "{said:?}");
}

/// Reads the envelope and the key, and verifies both as other people would.
const PYTHON: &str = r#"
import json, sys
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
envelope = json.load(open(sys.argv[1]))
keyid = envelope["signatures"][0]["keyid"]
key = SSlibKey(keyid, "ecdsa", "ecdsa-sha2-nistp256", {"public": open(sys.argv[2]).read()})
parsed = Envelope.from_dict(envelope)
parsed.verify([key], 1)
statement = json.loads(parsed.payload)
assert statement["_type"] == "https://in-toto.io/Statement/v1", statement
assert statement["predicate"]["result"] == "PASSED", statement
print("agrees")
"#;

#[test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
fn securesystemslib_agrees() {
    let forged = Forged::new();
    let here = forged.root();
    shell(&here, "python3 -c 'import securesystemslib, cryptography'").has(0, ""); // .ci/install installs them
    signed_with(&forged, &key(1));
    forged.write("../key.pub", &key(1).public().pem()).write("../check.py", PYTHON);
    shell(&here, "python3 ../check.py attest/test-result.dsse.json ../key.pub").has(0, "agrees");
    forged.edit(Slot::TestResult.file(), |text| text.replace("\"payload\":\"e", "\"payload\":\"f"));
    assert_ne!(shell(&here, "python3 ../check.py attest/test-result.dsse.json ../key.pub").code, Some(0));
}

/// Reads the payload as the reference library of in-toto does.
const IN_TOTO: &str = r#"
import base64, json, sys
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
payload = base64.b64decode(json.load(open(sys.argv[1]))["payload"])
message = json_format.Parse(payload, statement_pb2.Statement())
Statement.copy_from_pb(message).validate()
print("agrees on", message.predicate_type)
"#;

#[test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
fn the_library_of_in_toto_agrees() {
    let forged = Forged::new();
    let here = forged.root();
    shell(&here, "python3 -c 'import in_toto_attestation'").has(0, ""); // .ci/install installs it
    signed_with(&forged, &key(1));
    let summary = summary_of(&root(&forged), "x", ("ci", &"0".repeat(64)), &inputs(&[]), "2026-11-29T10:00:00Z", true);
    put(&forged, Slot::Gate, &Envelope::seal(&summary, &key(1)).unwrap());
    forged.write("../check.py", IN_TOTO);
    for slot in Slot::ALL {
        let said = shell(&here, &format!("python3 ../check.py {}", slot.file()));
        said.has(0, &format!("agrees on {}", slot.predicate_type()));
    }
    let mut other = statement(&forged);
    other["subject"] = serde_json::json!([]);
    put(&forged, Slot::TestResult, &Envelope::seal(&other, &key(1)).unwrap());
    assert_ne!(shell(&here, "python3 ../check.py attest/test-result.dsse.json").code, Some(0));
}
