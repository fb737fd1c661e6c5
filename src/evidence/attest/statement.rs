//! What is signed: in-toto statements about the root of a bundle. Each kind has its own file in `attest/`.

use crate::evidence::SUMS;
use crate::model::canonical::sha256_hex;
use crate::model::{RunRecord, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The type of every statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What names of ours hang on.
pub(super) const OURS: &str = "https://docs.rs/rehearsal";

/// Who says what: a file in `attest/`, and the type of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The harness: what happened.
    TestResult,
    /// The gate: whether that is enough, under which policy.
    Gate,
}

impl Slot {
    /// All of them.
    pub const ALL: [Slot; 2] = [Slot::TestResult, Slot::Gate];

    /// Its file in a bundle.
    pub fn file(self) -> &'static str {
        match self {
            Slot::TestResult => "attest/test-result.dsse.json",
            Slot::Gate => "attest/gate.dsse.json",
        }
    }

    /// The type of its predicate.
    pub fn predicate_type(self) -> &'static str {
        match self {
            Slot::TestResult => "https://in-toto.io/attestation/test-result/v0.1",
            Slot::Gate => "https://slsa.dev/verification_summary/v1",
        }
    }
}

/// What happened: the scenarios by verdict. What is unknown is a warning in the list, and no pass of the whole.
///
/// `plan` and `environment` are the bytes of the files of these names.
pub fn test_result(record: &RunRecord, root_sha256: &str, plan: &[u8], environment: &[u8]) -> Value {
    let named = |verdict: Verdict| -> Vec<&str> {
        let of = record.scenarios.iter().filter(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown) == verdict);
        of.map(|scenario| scenario.scenario.as_str()).collect()
    };
    let result = if record.verdict == Some(Verdict::Pass) { "PASSED" } else { "FAILED" };
    let file = |name: &str, bytes: &[u8]| json!({ "name": name, "digest": { "sha256": sha256_hex(bytes) } });
    let outcome = json!({ "name": "outcome", "digest": { "sha256": record.outcome_sha256 } });
    let predicate = json!({
        "result": result,
        "configuration": [file("plan.json", plan), file("environment.json", environment), outcome],
        "passedTests": named(Verdict::Pass),
        "warnedTests": named(Verdict::Unknown),
        "failedTests": named(Verdict::Fail),
    });
    statement(Slot::TestResult, root_sha256, predicate)
}

/// Whether it is enough: the verdict of a policy over a bundle. `inputs` are what it rests on, with their digests: the
/// envelope of the harness, if there is one, and the signoffs.
pub fn summary_of(
    root_sha256: &str,
    run: &str,
    policy: (&str, &str),
    inputs: &BTreeMap<String, String>,
    time: &str,
    passed: bool,
) -> Value {
    let input = |(path, sha256)| json!({ "uri": path, "digest": { "sha256": sha256 } });
    let predicate = json!({
        "verifier": { "id": format!("{OURS}/gate"), "version": { "rehearsal": env!("CARGO_PKG_VERSION") } },
        "timeVerified": time,
        "resourceUri": format!("rehearsal:run-{run}"),
        "policy": { "uri": format!("{OURS}/policy/{}", policy.0), "digest": { "sha256": policy.1 } },
        "inputAttestations": inputs.iter().map(input).collect::<Vec<_>>(),
        "verificationResult": if passed { "PASSED" } else { "FAILED" },
        "verifiedLevels": [],
    });
    statement(Slot::Gate, root_sha256, predicate)
}

fn statement(slot: Slot, root_sha256: &str, predicate: Value) -> Value {
    json!({
        "_type": STATEMENT,
        "subject": [{ "name": SUMS, "digest": { "sha256": root_sha256 } }],
        "predicateType": slot.predicate_type(),
        "predicate": predicate,
    })
}
