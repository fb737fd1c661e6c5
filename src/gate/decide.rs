//! The gate: a bundle under a policy. A rule that cannot be answered blocks, as one that fails does.
//!
//! What a policy asks for is read from the verifier's own files; what happened is read from the bundle, and believed only
//! where it verifies. Rules have the ids of `docs/evidence.md`.

use crate::Result;
use crate::engine;
use crate::gate::policy::Policy;
use crate::gate::{Code, Complaint, Expected, Verification, verify};
use crate::model::{Checkout, PlanFile, RunRecord, Verdict};
use crate::registry::Registry;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

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

/// Applies `policy` to the bundle in `root`. `here` is the checkout that it is about.
///
/// # Errors
/// The environment: a file or a key of the policy cannot be read.
pub fn decide(registry: &Registry, root: &Path, policy: &Policy, here: &Path) -> Result<Decision> {
    let expected =
        Expected { max_age_s: policy.max_age_s().ok().flatten(), trusted: policy.trusted()?, ..Expected::default() };
    let verification = verify(registry, root, &expected)?;
    let rulings = rulings(policy, &verification, engine::checkout(here));
    Ok(Decision { policy: (policy.name.clone(), policy.sha256.clone()), rulings, verification })
}

fn rulings(policy: &Policy, verification: &Verification, here: Option<Checkout>) -> Vec<Ruling> {
    let record = &verification.record;
    let plan = verification.plan.as_ref();
    let mut rulings = vec![evidence(verification), complete(verification), green(verification)];
    if policy.same_commit {
        rulings.push(commit(verification, here));
    }
    if policy.clean_tree {
        rulings.push(clean(verification));
    }
    if policy.whole_plan {
        rulings.push(whole(plan, record));
    }
    if let Some(tier) = &policy.tier {
        let verdict = of(policy.allows_tier(&record.tier));
        rulings.push(ruling("GEN-12", format!("the tier is {tier} or more thorough"), verdict, &record.tier));
    }
    rulings.extend(policy.scenarios.iter().map(|pattern| scenario(pattern, record)));
    if policy.signed {
        let verdict = of(verification.signer.is_some());
        rulings.push(ruling(
            "GEN-13",
            "a machine that the policy names has signed it",
            verdict,
            verification.signature(),
        ));
    }
    rulings
}

fn ruling(rule: &'static str, asks: impl Into<String>, verdict: Verdict, found: impl Into<String>) -> Ruling {
    Ruling { rule, asks: asks.into(), verdict, found: found.into() }
}

fn of(holds: bool) -> Verdict {
    if holds { Verdict::Pass } else { Verdict::Fail }
}

/// Everything that verifying asks, but for what has rules of its own.
fn evidence(verification: &Verification) -> Ruling {
    let own = |complaint: &&Complaint| {
        !matches!(complaint.code, Code::PlanIncomplete | Code::FaultNotFired | Code::CatalogueDowngraded)
    };
    let codes = words(verification.complaints.iter().filter(own));
    ruling(
        "GEN-00",
        "the evidence is what was sealed, fresh, and without secrets",
        of(codes.is_empty()),
        or_none(codes),
    )
}

fn complete(verification: &Verification) -> Ruling {
    let codes = [Code::PlanIncomplete, Code::FaultNotFired, Code::CatalogueDowngraded];
    let found = words(verification.complaints.iter().filter(|complaint| codes.contains(&complaint.code)));
    let planned: u64 =
        verification.record.scenarios.iter().flat_map(|s| &s.faults).map(|(_, _, coverage)| coverage.visited).sum();
    let asks = format!("each of {planned} planned cases has one result, and each green one its proof");
    ruling("GEN-01", asks, of(found.is_empty()), or_none(found))
}

fn green(verification: &Verification) -> Ruling {
    let verdict = verification.record.verdict.unwrap_or(Verdict::Unknown);
    ruling("GEN-06", "the run is GO: nothing failed, and nothing is unknown", verdict, verdict.headline())
}

fn commit(verification: &Verification, here: Option<Checkout>) -> Ruling {
    let asks = "the run is of the commit that is checked out here";
    let ran = verification.environment.as_ref().and_then(|file| file.checkout.as_ref());
    match (ran, here) {
        (Some(ran), Some(here)) => {
            let found = format!("COMMIT_MISMATCH: {} was rehearsed, {} is here", ran.commit, here.commit);
            let same = ran.commit == here.commit;
            ruling("GEN-02", asks, of(same), if same { ran.commit.clone() } else { found })
        }
        (None, _) => ruling("GEN-02", asks, Verdict::Unknown, "the run was in no git repository"),
        (_, None) => ruling("GEN-02", asks, Verdict::Unknown, "no commit is checked out here"),
    }
}

fn clean(verification: &Verification) -> Ruling {
    let ran = verification.environment.as_ref().and_then(|file| file.checkout.as_ref());
    let (verdict, found) = match ran {
        Some(Checkout { clean: true, .. }) => (Verdict::Pass, "nothing was changed"),
        Some(_) => (Verdict::Fail, "TREE_DIRTY: files differed from the commit, or were not in it"),
        None => (Verdict::Unknown, "the run was in no git repository"),
    };
    ruling("GEN-14", "nothing was changed since that commit", verdict, found)
}

fn whole(plan: Option<&PlanFile>, record: &RunRecord) -> Ruling {
    let asks = "nothing was left out";
    let Some(plan) = plan else { return ruling("GEN-15", asks, Verdict::Unknown, "plan.json cannot be read") };
    let unvisited: u64 = record.scenarios.iter().map(|scenario| scenario.unvisited).sum();
    let ways = [
        (plan.only.is_some(), "it is a replay"),
        (!plan.again.is_empty(), "--failed"),
        (!plan.kinds.is_empty(), "--kind"),
        (!plan.allow_missing.is_empty(), "--allow-missing"),
        (unvisited > 0, "--budget ran out"),
    ];
    let left_out: Vec<&str> = ways.iter().filter(|(is_so, _)| *is_so).map(|(_, how)| *how).collect();
    ruling("GEN-15", asks, of(left_out.is_empty()), or_none(left_out.join(", ")))
}

fn scenario(pattern: &str, record: &RunRecord) -> Ruling {
    let asks = format!("{pattern} is green");
    let Ok(glob) = glob::Pattern::new(pattern) else {
        return ruling("GEN-16", asks, Verdict::Unknown, "it is no pattern of names");
    };
    let found = record.scenarios.iter().filter(|scenario| glob.matches(&scenario.scenario));
    let verdicts: Vec<Verdict> = found.map(|scenario| scenario.verdict.unwrap_or(Verdict::Unknown)).collect();
    let green = verdicts.iter().filter(|verdict| **verdict == Verdict::Pass).count();
    ruling("GEN-16", asks, Verdict::worst(verdicts.iter().copied()), format!("{green} of {} green", verdicts.len()))
}

fn words<'a>(complaints: impl Iterator<Item = &'a Complaint>) -> String {
    let mut words: Vec<String> = complaints.map(|complaint| complaint.code.word()).collect();
    words.dedup();
    words.join(", ")
}

fn or_none(found: String) -> String {
    if found.is_empty() { "nothing against it".to_owned() } else { found }
}

impl Decision {
    /// The worst of all rules.
    pub fn verdict(&self) -> Verdict {
        Verdict::worst(self.rulings.iter().map(|ruling| ruling.verdict))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Ruling { rule, asks, verdict, found } in &self.rulings {
            let _ = writeln!(text, "{:<7}  {rule}  {asks}\n                 {found}", verdict.to_string()); // to a string
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
