//! The rules of the gate, each with its answer from a verified bundle. They have the ids of `docs/evidence.md`.

use crate::gate::decide::{Ruling, SIGNOFFS};
use crate::gate::policy::Policy;
use crate::gate::{Code, Complaint, Family, Verification};
use crate::model::{Checkout, PlanFile, RECORD_TIER, RunRecord, Stage, Verdict};

/// Of a rehearsal.
pub(super) fn rehearsed(policy: &Policy, verification: &Verification, here: Option<Checkout>) -> Vec<Ruling> {
    let record = &verification.record;
    let plan = verification.plan.as_ref();
    let mut rulings = evidence(policy, verification);
    rulings.push(green(verification));
    rulings.extend(of_checkout(policy, verification, here));
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
pub(super) fn recorded(policy: &Policy, verification: &Verification, here: Option<Checkout>) -> Vec<Ruling> {
    let record = &verification.record;
    let verdict = record.verdict.unwrap_or(Verdict::Unknown);
    let passed = record.cutover.as_ref().map(|cutover| (&cutover.policy_sha256, &cutover.policy));
    let same = passed.is_some_and(|(sha256, _)| *sha256 == policy.sha256);
    let under = passed.map_or("no policy".to_owned(), |(sha256, name)| format!("under {name} {sha256}"));
    let mut rulings = evidence(policy, verification);
    rulings.push(ruling("GEN-06", "the real migration ended as its rehearsal did", verdict, verdict.headline()));
    rulings.push(ruling("GEN-19", "it rests on a rehearsal that has passed this very policy", of(same), under));
    rulings.extend(of_checkout(policy, verification, here));
    if policy.signed {
        rulings.push(signed(verification));
    }
    rulings
}

fn of_checkout(policy: &Policy, verification: &Verification, here: Option<Checkout>) -> Vec<Ruling> {
    let commit = policy.same_commit.then(|| commit(verification, here));
    commit.into_iter().chain(policy.clean_tree.then(|| clean(verification))).collect()
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

/// All that verifying asks: each complaint belongs to one rule, and what belongs to none is about the evidence as such.
fn evidence(policy: &Policy, verification: &Verification) -> Vec<Ruling> {
    let planned = verification.record.planned();
    let of_cases = format!("each of {planned} planned cases has one result, and each green one its proof");
    let mut asked = vec![
        ("GEN-00", "the evidence is what was sealed".to_owned()),
        ("GEN-01", of_cases),
        ("GEN-03", "no fault and no check was left out that this version knows".to_owned()),
        ("GEN-05", "it is not too old, and not of the future".to_owned()),
        ("GEN-08", "no secret is in it".to_owned()),
    ];
    let of_tools = "the tool is the one that is expected, and all parts are of one run".to_owned();
    let is_divided = verification.complaints.iter().any(|complaint| rule_of(policy, complaint) == "GEN-10");
    asked.extend((!policy.datasets.is_empty()).then(|| ("GEN-04", "the data is the one that is expected".to_owned())));
    asked.extend((is_divided || !policy.tools.is_empty()).then_some(("GEN-10", of_tools)));
    asked.into_iter().map(|(rule, asks)| answered(policy, verification, rule, asks)).collect()
}

fn answered(policy: &Policy, verification: &Verification, rule: &'static str, asks: String) -> Ruling {
    let against: Vec<&Complaint> =
        verification.complaints.iter().filter(|complaint| rule_of(policy, complaint) == rule).collect();
    let is_unknown = !against.is_empty() && against.iter().all(|complaint| complaint.code == Code::OtherVersion);
    let verdict = if is_unknown { Verdict::Unknown } else { of(against.is_empty()) };
    ruling(rule, asks, verdict, or_none(words(against.into_iter())))
}

/// The rule that a complaint speaks against.
fn rule_of(policy: &Policy, complaint: &Complaint) -> &'static str {
    match complaint.code {
        Code::PlanIncomplete | Code::FaultNotFired => "GEN-01",
        Code::CatalogueDowngraded => "GEN-03",
        Code::DatasetMismatch => "GEN-04",
        Code::ToolMismatch => "GEN-10",
        _ => match complaint.code.family() {
            Family::Age => "GEN-05",
            Family::Secrets => "GEN-08",
            Family::Shards => "GEN-10",
            Family::Signoffs | Family::Waivers if policy.signoffs.is_some() => SIGNOFFS,
            _ => "GEN-00",
        },
    }
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
    let unvisited: u64 = record.scenarios.iter().map(|scenario| scenario.unvisited).fold(0, u64::saturating_add);
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
pub(super) fn named(root: &str, verification: &Verification) -> Ruling {
    let found = verification.root_sha256.as_deref().unwrap_or("none");
    ruling("GEN-17", format!("the root is {root}"), of(found == root), found)
}

pub(super) fn signed_off(stage: Stage, verification: &Verification) -> Ruling {
    let against: Vec<String> = verification
        .complaints
        .iter()
        .filter(|complaint| matches!(complaint.code.family(), Family::Signoffs | Family::Waivers))
        .map(|complaint| format!("{}: {}, {}", complaint.code, complaint.expected, complaint.found))
        .collect();
    let found = if against.is_empty() { verification.signoffs.to_string() } else { against.join("; ") };
    ruling(SIGNOFFS, format!("everybody who has to has signed it, {stage}"), of(against.is_empty()), found)
}

fn words<'a>(complaints: impl Iterator<Item = &'a Complaint>) -> String {
    let mut words: Vec<String> = complaints.map(|complaint| complaint.code.word()).collect();
    words.dedup();
    words.join(", ")
}

fn or_none(found: String) -> String {
    if found.is_empty() { "nothing against it".to_owned() } else { found }
}
