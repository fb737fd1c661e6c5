//! The gate: a bundle under a policy. A rule that cannot be answered blocks, as one that fails does.
//!
//! What a policy asks for is read from the verifier's own files; what happened is read from the bundle, and believed only
//! where it verifies. Rules have the ids of `docs/evidence.md`.

use crate::Result;
use crate::engine;
use crate::gate::criteria;
use crate::gate::policy::Policy;
use crate::gate::signoff::{self, SignoffsAsked};
use crate::gate::{Code, Complaint, Expected, Family, Verification, verify};
use crate::model::{Checkout, PlanFile, RECORD_TIER, RunRecord, Stage, Verdict};
use crate::registry::Registry;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

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
}

impl<'a> Question<'a> {
    /// Of any root, before the cutover.
    pub fn new(policy: &'a Policy, here: &'a Path) -> Question<'a> {
        Question { policy, here, stage: Stage::default(), root_sha256: None }
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
        true => recorded(policy, &verification, here),
        false => rulings(policy, &verification, here),
    };
    let asks_criteria = policy.criteria && !is_record; // the rehearsal that it rests on has answered them
    rulings.extend(asks_criteria.then(|| criteria::rule(question.stage, &verification.record)));
    rulings.extend(question.root_sha256.map(|root| named(root, &verification)));
    rulings.extend(policy.signoffs.as_ref().map(|_| signed_off(question.stage, &verification)));
    signoff::apply(&mut rulings, &verification.signoffs.accepted);
    Ok(Decision { policy: (policy.name.clone(), policy.sha256.clone()), rulings, verification })
}

fn rulings(policy: &Policy, verification: &Verification, here: Option<Checkout>) -> Vec<Ruling> {
    let record = &verification.record;
    let plan = verification.plan.as_ref();
    let mut rulings = vec![evidence(policy, verification), complete(verification), green(verification)];
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
        rulings.push(signed(verification));
    }
    rulings
}

/// Of the record of a real migration: it is genuine, it went well, and it rests on a rehearsal that has passed all this.
fn recorded(policy: &Policy, verification: &Verification, here: Option<Checkout>) -> Vec<Ruling> {
    let record = &verification.record;
    let verdict = record.verdict.unwrap_or(Verdict::Unknown);
    let passed = record.cutover.as_ref().map(|cutover| (&cutover.policy_sha256, &cutover.policy));
    let same = passed.is_some_and(|(sha256, _)| *sha256 == policy.sha256);
    let under = passed.map_or("no policy".to_owned(), |(sha256, name)| format!("under {name} {sha256}"));
    let mut rulings = vec![evidence(policy, verification), complete(verification)];
    rulings.push(ruling("GEN-06", "the real migration ended as its rehearsal did", verdict, verdict.headline()));
    rulings.push(ruling("GEN-19", "it rests on a rehearsal that has passed this very policy", of(same), under));
    if policy.same_commit {
        rulings.push(commit(verification, here));
    }
    if policy.clean_tree {
        rulings.push(clean(verification));
    }
    if policy.signed {
        rulings.push(signed(verification));
    }
    rulings
}

fn signed(verification: &Verification) -> Ruling {
    let verdict = of(verification.signer.is_some());
    ruling("GEN-13", "a machine that the policy names has signed it", verdict, verification.signature())
}

pub(super) fn ruling(
    rule: &'static str,
    asks: impl Into<String>,
    verdict: Verdict,
    found: impl Into<String>,
) -> Ruling {
    Ruling { rule, asks: asks.into(), verdict, found: found.into(), waived: None }
}

fn of(holds: bool) -> Verdict {
    if holds { Verdict::Pass } else { Verdict::Fail }
}

/// Everything that verifying asks, but for what has rules of its own.
fn evidence(policy: &Policy, verification: &Verification) -> Ruling {
    let own = |complaint: &&Complaint| {
        let others = matches!(complaint.code, Code::PlanIncomplete | Code::FaultNotFired | Code::CatalogueDowngraded);
        let is_asked_apart = policy.signoffs.is_some() && is_of_people(complaint);
        !others && !is_asked_apart
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
    if verification.record.tier == RECORD_TIER {
        return ruling(
            "GEN-06",
            "a rehearsal is GO",
            Verdict::Unknown,
            "the record of a real migration, and no rehearsal",
        );
    }
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
        (plan.shard.is_some(), "it is one part of a run: `rehearse merge` joins them"),
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

/// Whoever asks about one bundle must not be answered about another.
fn named(root: &str, verification: &Verification) -> Ruling {
    let found = verification.root_sha256.as_deref().unwrap_or("none");
    ruling("GEN-17", format!("the root is {root}"), of(found == root), found)
}

fn signed_off(stage: Stage, verification: &Verification) -> Ruling {
    let against: Vec<String> = verification
        .complaints
        .iter()
        .filter(|complaint| is_of_people(complaint))
        .map(|complaint| format!("{}: {}, {}", complaint.code, complaint.expected, complaint.found))
        .collect();
    let found = if against.is_empty() { verification.signoffs.to_string() } else { against.join("; ") };
    ruling(SIGNOFFS, format!("everybody who has to has signed it, {stage}"), of(against.is_empty()), found)
}

fn is_of_people(complaint: &Complaint) -> bool {
    matches!(complaint.code.family(), Family::Signoffs | Family::Waivers)
}

fn words<'a>(complaints: impl Iterator<Item = &'a Complaint>) -> String {
    let mut words: Vec<String> = complaints.map(|complaint| complaint.code.word()).collect();
    words.dedup();
    words.join(", ")
}

fn or_none(found: String) -> String {
    if found.is_empty() { "nothing against it".to_owned() } else { found }
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
            let _ = writeln!(text, "{word:<7}  {rule}  {asks}\n                 {found}"); // to a string
            let _ = waived.iter().try_for_each(|how| writeln!(text, "                 waived {how}"));
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
