//! The gate: a bundle under a policy. A rule that cannot be answered blocks, as one that fails does.
//!
//! What a policy asks for is read from the verifier's own files; what happened is read from the bundle, and believed only
//! where it verifies. Rules have the ids of `docs/evidence.md`.

use crate::Result;
use crate::engine;
use crate::gate::policy::Policy;
use crate::gate::signoff::{self, SignoffsAsked};
use crate::gate::{Expected, Verification, criteria, replicas, rules, scenarios, verify};
use crate::model::{RECORD_TIER, RunRecord, Stage, Verdict};
use crate::registry::Registry;
use crate::report::plain;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is asked of a bundle.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What has to be true.
    pub policy: &'a Policy,
    /// The checkout that it is about.
    pub here: &'a Path,
    /// By when signoffs have to be there.
    pub stage: Stage,
    /// The bundle must be the one with this root, 64 hexadecimal digits.
    pub root_sha256: Option<&'a str>,
    /// The release must be the one with this seal, 64 hexadecimal digits.
    pub seal_sha256: Option<&'a str>,
    /// Other runs, which must have come to the same.
    pub replicas: &'a [PathBuf],
}

impl<'a> Question<'a> {
    /// Of any root, before the cutover.
    pub fn new(policy: &'a Policy, here: &'a Path) -> Question<'a> {
        let stage = Stage::default();
        Question { policy, here, stage, root_sha256: None, seal_sha256: None, replicas: &[] }
    }

    /// What verifying has to expect.
    ///
    /// # Errors
    /// The environment: a key of the policy cannot be read.
    pub fn expected(&self) -> Result<Expected> {
        let max_age_s = self.policy.max_age_s().ok().flatten();
        Ok(Expected {
            max_age_s,
            trusted: self.policy.trusted()?,
            signoffs: self.signoffs_asked(),
            seal_sha256: self.seal_sha256.map(str::to_owned),
            tools: self.policy.tools.clone(),
            datasets: self.policy.datasets.clone(),
            ..Expected::default()
        })
    }

    /// Once the application is to be opened again, what happened for real is asked for, where that is what there is.
    fn is_about_a_record(&self, record: &RunRecord) -> bool {
        self.stage >= Stage::BeforeReopen && record.tier == RECORD_TIER
    }

    pub(super) fn signoffs_asked(&self) -> Option<SignoffsAsked> {
        let Policy { signoffs: Some(people), sha256, .. } = self.policy else { return None };
        let (people, policy_sha256) = (people.clone(), sha256.clone());
        Some(SignoffsAsked { people, policy_sha256, stage: self.stage, here: self.here.to_owned() })
    }
}

/// The answer to one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// Its id.
    pub rule: &'static str,
    /// What it asks, in words.
    pub asks: String,
    /// Pass, unknown or fail.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// By whom it was accepted although it is red, until when and why.
    pub waived: Option<String>,
}

/// The decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The policy's name and digest.
    pub policy: (String, String),
    /// Rule by rule, in the order of the page.
    pub rulings: Vec<Ruling>,
    /// What verifying it said.
    pub verification: Verification,
}

/// Asks the bundle in `root`.
///
/// # Errors
/// The environment: a file or a key of the policy cannot be read.
pub fn decide(registry: &Registry, root: &Path, question: &Question<'_>) -> Result<Decision> {
    let policy = question.policy;
    let verification = verify(registry, root, &question.expected()?)?;
    let here = engine::checkout(question.here);
    let is_record = question.is_about_a_record(&verification.record);
    let mut rulings = match is_record {
        true => rules::recorded(policy, &verification, here),
        false => rules::rehearsed(policy, &verification, here),
    };
    // The rehearsal that a record rests on has answered them.
    if !is_record {
        rulings.extend(policy.criteria.then(|| criteria::observed(&verification.record)));
        rulings.extend(policy.criteria.then(|| criteria::rule(question.stage, &verification.record)));
        rulings.extend(policy.replicas.map(|least| replicas::rule(registry, question, &verification, least)));
        rulings.extend(policy.same_scenarios.then(|| scenarios::rule(registry, question.here, &verification)));
    }
    rulings.extend(question.root_sha256.map(|root| rules::named(root, &verification)));
    rulings.extend(policy.signoffs.as_ref().map(|_| rules::signed_off(question.stage, &verification)));
    signoff::apply(&mut rulings, &verification.signoffs.accepted);
    Ok(Decision { policy: (policy.name.clone(), policy.sha256.clone()), rulings, verification })
}

/// The rule that asks for signoffs; it is red until the last one is there.
pub(super) const SIGNOFFS: &str = "GEN-09";

impl Ruling {
    /// Whether it stops nobody.
    pub fn passes(&self) -> bool {
        self.verdict == Verdict::Pass || self.waived.is_some()
    }
}

impl Decision {
    /// The worst of all rules that are not waived.
    pub fn verdict(&self) -> Verdict {
        Verdict::worst(self.rulings.iter().map(|ruling| if ruling.passes() { Verdict::Pass } else { ruling.verdict }))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Ruling { rule, asks, verdict, found, waived } in &self.rulings {
            let word = if waived.is_some() { "waived".to_owned() } else { verdict.to_string() };
            let [asks, found] = [asks, found].map(|text| plain(text));
            let _ = writeln!(text, "{word:<7}  {rule}  {asks}\n                 {found}"); // to a string
            let _ = waived.iter().try_for_each(|how| writeln!(text, "                 waived {}", plain(how)));
        }
        let root = self.verification.root_sha256.as_deref().unwrap_or("none");
        let word = if self.verdict() == Verdict::Pass { "PASSED" } else { "FAILED" };
        text + &format!("root     {root}\npolicy   {} {}\ngate     {word}", self.policy.0, self.policy.1)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "format": 1,
            "passed": self.verdict() == Verdict::Pass,
            "policy": { "name": self.policy.0, "sha256": self.policy.1 },
            "root_sha256": self.verification.root_sha256,
            "run": self.verification.record.run,
            "rules": self.rulings,
            "complaints": self.verification.json()["complaints"],
        })
    }
}
