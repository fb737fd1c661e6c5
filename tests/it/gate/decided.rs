//! The gate: what passes a policy, and what each rule refuses.

use super::forged::{Forged, KILLED, copying};
use super::signed::{key, signed_with};
use crate::cli::{Said, run};
use rehearsal::gate::{Decision, Policy, Question, decide};
use rehearsal::model::{Body, CriteriaSet, Criterion, Event, Verdict};
use rehearsal::registry::Registry;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A verifier: a checkout of its own, with a policy and a key in it.
struct Verifier {
    dir: TempDir,
}

impl Verifier {
    fn new(policy: &str) -> Verifier {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("policy.toml"), format!("format = 1\nname = \"ours\"\n{policy}")).unwrap();
        fs::write(dir.path().join("ci.key.pub"), key(1).public().pem()).unwrap();
        Verifier { dir }
    }

    fn policy(&self) -> PathBuf {
        self.dir.path().join("policy.toml")
    }

    fn decide(&self, forged: &Forged) -> Decision {
        let policy = Policy::find(&self.policy().display().to_string()).unwrap();
        decide(&Registry::builtin(), &forged.root(), &Question::new(&policy, self.dir.path())).unwrap()
    }

    /// A commit is checked out here; answers with its name.
    fn commit(&self) -> String {
        let git = "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git rev-parse HEAD";
        let said = shell(self.dir.path(), git);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.stdout.trim().to_owned()
    }
}

fn shell(dir: &Path, script: &str) -> Said {
    run(dir, &std::env::vars_os().collect(), &["sh", "-eu", "-c", script])
}

/// The rules that are not green, with what was found.
fn against(decision: &Decision) -> Vec<String> {
    let red = decision.rulings.iter().filter(|ruling| ruling.verdict != Verdict::Pass);
    red.map(|ruling| format!("{} {}: {}", ruling.rule, ruling.verdict, ruling.found)).collect()
}

/// A policy, what was done to the bundle, and the one rule that speaks against it.
type Refusal = (&'static str, fn(&Forged), &'static str);

const REFUSALS: &[Refusal] = &[
    (
        "",
        |forged| {
            forged.edit("environment.json", |text| text + " ");
        },
        "GEN-00 fail: SUM_MISMATCH",
    ),
    ("max_age = \"30m\"", |forged| at_time(forged, "2026-01-01T00:00:00Z"), "GEN-05 fail: STALE"),
    (
        "",
        |forged| {
            forged.edit("plan.json", |text| text.replace(",\"parity\"", "")).sum();
        },
        "GEN-03 fail: CATALOGUE_DOWNGRADED",
    ),
    ("", failed, "GEN-06 fail: NO-GO"),
    ("tier = \"full\"", |_| (), "GEN-12 fail: quick"),
    ("scenarios = [\"survives\", \"one-db/*\"]", |_| (), "GEN-16 unknown: 0 of 0 green"),
    (
        "signed = true\n[[signer]]\nname = \"ci\"\nkey = \"ci.key.pub\"",
        |_| (),
        "GEN-00 fail: SIGNER_UNTRUSTED; GEN-13 fail: UNSIGNED",
    ),
    (
        "whole_plan = true",
        |forged| narrowed(forged, "\"kinds\":[]", "\"kinds\":[\"proc.kill\"]"),
        "GEN-15 fail: --kind",
    ),
    (
        "whole_plan = true",
        |forged| narrowed(forged, "\"allow_missing\":[]", "\"allow_missing\":[\"psql\"]"),
        "GEN-15 fail: --allow-missing",
    ),
    (NO_DATA, |_| (), "GEN-04 fail: DATASET_MISMATCH"),
    (NO_TOOL, |_| (), "GEN-10 fail: TOOL_MISMATCH"),
    ("", leaking, "GEN-08 fail: SECRET_LEAK"),
    ("", of_another_version, "GEN-00 unknown: OTHER_VERSION"),
    ("replicas = 2", |_| (), "GEN-20 unknown: 1 of 2; name the others with --replica"),
    ("criteria = true", claimed_only, "GEN-11 fail: claimed only: OURS-01; GEN-18 unknown: unknown: OURS-01"),
    ("criteria = true", demanded, "GEN-18 fail: fail: OURS-01; unknown: OURS-02"),
    ("same_commit = true", |_| (), "GEN-02 unknown: the run was in no git repository"),
    ("clean_tree = true", |_| (), "GEN-14 unknown: the run was in no git repository"),
    (
        "clean_tree = true",
        |forged| checkout(forged, "{\"clean\":false,\"commit\":\"c0ffee\"}"),
        "GEN-14 fail: TREE_DIRTY: files differed from the commit, or were not in it",
    ),
];

const NO_DATA: &str = "datasets = [\"0000000000000000000000000000000000000000000000000000000000000000\"]";
const NO_TOOL: &str = "tools = [\"0000000000000000000000000000000000000000000000000000000000000000\"]";

fn leaking(forged: &Forged) {
    let case = super::case_dir(forged);
    forged.write(&format!("{case}/run-copy.stderr.log"), "no answer of postgres://app:open-sesame@db/live\n").sum();
}

/// As a version would have sealed it that writes reports otherwise.
pub(super) fn of_another_version(forged: &Forged) {
    let other = format!("\"source_sha256\":\"{}\"", "0".repeat(64));
    let own = format!("\"source_sha256\":\"{}\"", rehearsal::engine::SOURCE_SHA256);
    forged.edit("environment.json", |text| text.replace(&own, &other));
    forged.edit("summary.md", |text| text + "In other words: it went well.\n").sum();
}

/// A rule that blocks on what a step says of itself.
fn claimed_only(forged: &Forged) {
    let rule = serde_json::json!({
        "id": "OURS-01", "stage": "rehearsal", "severity": "block", "quote": "x",
        "claimed": { "artifact": "copy", "pointer": "/status", "op": "=", "value": "ok" },
    });
    demands(forged, vec![serde_json::from_value(rule).unwrap()]);
}

/// A runbook that demands what was not so, what was not seen, and what is not due yet.
fn demanded(forged: &Forged) {
    let rule = |id: &str, stage: &str, what: &str| {
        serde_json::json!({
            "id": id, "stage": stage, "severity": "block", "quote": "x",
            "observed": { "what": what, "op": "=", "value": "1" },
        })
    };
    let rules = [
        rule("OURS-01", "rehearsal", "exit copy"),
        rule("OURS-02", "before-cutover", "exit undo"),
        rule("OURS-03", "before-reopen", "exit copy"),
    ];
    demands(forged, rules.map(|rule| serde_json::from_value(rule).unwrap()).to_vec());
}

fn demands(forged: &Forged, rules: Vec<Criterion>) {
    forged.events(|events| {
        let started = |event: &Event| matches!(event.body, Body::ScenarioStarted(_));
        let at = events.iter().position(started).unwrap();
        let body = Body::Criteria(CriteriaSet { scenario: Some("survives".to_owned()), rules });
        events.insert(at + 1, Event { body, ..events[at].clone() });
    });
    forged.derive();
}

fn narrowed(forged: &Forged, from: &str, to: &str) {
    forged.edit("plan.json", |text| text.replace(from, to)).sum();
}

fn checkout(forged: &Forged, checkout: &str) {
    let to = format!("\"checkout\":{checkout}");
    forged.edit("environment.json", |text| text.replace("\"checkout\":null", &to)).derive();
}

fn at_time(forged: &Forged, t: &str) {
    forged.events(|events| events.iter_mut().for_each(|event| event.t = t.to_owned()));
    forged.derive();
}

/// As a run that failed would have been sealed.
fn failed(forged: &Forged) {
    forged.events(|events| {
        for event in events {
            match &mut event.body {
                Body::ScenarioFinished { verdict, .. } | Body::RunFinished { verdict, .. } => *verdict = Verdict::Fail,
                _ => {}
            }
        }
    });
    forged.derive();
}

#[test]
fn each_rule_refuses_what_it_must_and_nothing_else_does() {
    for (policy, work, refusal) in REFUSALS {
        let forged = Forged::new();
        assert_eq!(against(&Verifier::new("").decide(&forged)), [""; 0], "the bundle is not good");
        work(&forged);
        let decision = Verifier::new(policy).decide(&forged);
        assert_eq!(against(&decision).join("; "), *refusal, "{policy}");
        assert_ne!(decision.verdict(), Verdict::Pass);
    }
}

#[test]
fn a_bundle_of_this_commit_that_is_signed_and_whole_passes() {
    let verifier = Verifier::new(
        "max_age = \"24h\"\nsame_commit = true\nclean_tree = true\nwhole_plan = true\ntier = \"quick\"\n\
         scenarios = [\"surv*\"]\nsigned = true\n[[signer]]\nname = \"ci\"\nkey = \"ci.key.pub\"\nuntil = \"2999-12-31\"\n",
    );
    let forged = Forged::new();
    checkout(&forged, &format!("{{\"clean\":true,\"commit\":\"{}\"}}", verifier.commit()));
    signed_with(&forged, &key(1));
    let decision = verifier.decide(&forged);
    assert_eq!(against(&decision), [""; 0]);
    assert_eq!((decision.verdict(), decision.rulings.len()), (Verdict::Pass, 12));
    shell(verifier.dir.path(), "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m two").has(0, "");
    let found = against(&verifier.decide(&forged));
    assert!(found.len() == 1 && found[0].starts_with("GEN-02 fail: COMMIT_MISMATCH: "), "{found:?}");
}

#[test]
fn whoever_asks_less_is_refused_though_the_genuine_key_has_signed_it() {
    let verifier =
        Verifier::new("same_scenarios = true\nsigned = true\n[[signer]]\nname = \"ci\"\nkey = \"ci.key.pub\"");
    let scenarios = verifier.dir.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    fs::write(scenarios.join("survives.toml"), copying(KILLED)).unwrap();
    let against_signed = |work: fn(&Forged)| {
        let forged = Forged::new();
        work(&forged);
        signed_with(&forged, &key(1));
        against(&verifier.decide(&forged)).join("; ")
    };
    assert_eq!(against_signed(|_| ()), "");
    let lax = against_signed(|forged| {
        forged.edit("scenarios.json", |text| text.replace("\"may_change\":[]", "\"may_change\":[\"*\"]")).sum();
    });
    assert_eq!(lax, "GEN-21 fail: survives was asked something else");
    let spared = against_signed(|forged| {
        let is_of_fault = |event: &Event| {
            matches!(event.body, Body::ScenarioPlanned { .. })
                || event.body.case().is_some_and(|case| case.starts_with("survives/0001-"))
        };
        forged.events(|events| events.retain(|event| !is_of_fault(event))).derive();
    });
    assert_eq!(spared, "GEN-21 fail: survives was not injured with proc.kill during copy");
    fs::remove_file(scenarios.join("survives.toml")).unwrap();
    fs::write(scenarios.join("other.toml"), copying(KILLED)).unwrap();
    assert!(against_signed(|_| ()).starts_with("GEN-21 unknown: no scenario `survives`"));
}

#[test]
fn a_second_run_must_have_come_to_the_same() {
    let verifier = Verifier::new("replicas = 2");
    let (own, same) = (Forged::new(), Forged::new());
    let asked = |others: &[PathBuf]| {
        let policy = Policy::find(&verifier.policy().display().to_string()).unwrap();
        let question = Question { replicas: others, ..Question::new(&policy, verifier.dir.path()) };
        against(&decide(&Registry::builtin(), &own.root(), &question).unwrap()).join("; ")
    };
    assert_eq!(asked(&[same.root()]), "GEN-20 unknown: 1 of 2; name the others with --replica", "it is the same run");
    same.events(|events| {
        if let Body::RunStarted { run, .. } = &mut events[0].body {
            *run = "20261129T120000-000000".to_owned();
        }
    });
    same.derive();
    assert_eq!(asked(&[same.root()]), "");
    let other = Forged::new();
    other.events(|events| {
        for event in events {
            if let Body::ScenarioStarted(start) = &mut event.body {
                start.seed = 8;
            }
        }
    });
    other.derive();
    assert!(
        asked(&[same.root(), other.root()]).contains("GEN-20 fail: ") && asked(&[other.root()]).contains(": outcome ")
    );
    same.edit("environment.json", |text| text + " ");
    assert!(asked(&[same.root()]).ends_with("evidence invalid, INCONCLUSIVE"), "{}", asked(&[same.root()]));
}

#[test]
fn the_command_passes_refuses_and_signs() {
    let forged = Forged::new();
    let verifier = Verifier::new("");
    key(1).write(&verifier.dir.path().join("gate.key")).unwrap();
    let gate = |args: &[&str]| {
        let root = forged.root().display().to_string();
        let env = std::env::vars_os().collect();
        run(verifier.dir.path(), &env, &[&[env!("CARGO_BIN_EXE_rehearse"), "gate", &root], args].concat())
    };
    gate(&[]).has(0, "gate PASSED");
    gate(&["--policy", "ci"]).has(1, "gate FAILED");
    gate(&["--policy", "staging"]).has(2, "names no [[signer]]");
    gate(&["--policy", "nowhere"]).has(2, "local, ci, staging");
    gate(&["--policy", "policy.toml", "--format", "json", "--key", "gate.key"]).has(0, "\"passed\":true");
    let root = forged.root().display().to_string();
    let verify = |args: &[&str]| {
        let argv = [&[env!("CARGO_BIN_EXE_rehearse"), "verify", &root], args].concat();
        run(verifier.dir.path(), &std::env::vars_os().collect(), &argv)
    };
    verify(&[]).has(0, "verified");
    let envelope = fs::read_to_string(forged.path("attest/gate.dsse.json")).unwrap();
    forged.write("attest/gate.dsse.json", &envelope.replace("\"payload\":\"", "\"payload\":\"AAAA"));
    verify(&[]).has(3, "SIG_INVALID attest/gate.dsse.json");
}

#[test]
fn the_decision_names_the_envelope_that_it_rests_on() {
    let forged = Forged::new();
    let verifier = Verifier::new("");
    key(1).write(&verifier.dir.path().join("gate.key")).unwrap();
    signed_with(&forged, &key(1));
    let root = forged.root().display().to_string();
    let argv = [env!("CARGO_BIN_EXE_rehearse"), "gate", &root, "--key", "gate.key"];
    run(verifier.dir.path(), &std::env::vars_os().collect(), &argv).has(0, "gate PASSED");
    assert_eq!(forged.codes(&rehearsal::gate::Expected::default()), [""; 0]);
    signed_with(&forged, &key(2));
    assert_eq!(forged.codes(&rehearsal::gate::Expected::default()), ["GATE_INPUT_MISMATCH"]);
}

#[test]
fn a_policy_that_is_not_right_says_what_and_where() {
    let parsed = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        fs::write(&path, text).unwrap();
        Policy::find(&path.display().to_string()).unwrap_err().to_string()
    };
    let head = "format = 1\nname = \"x\"\n";
    for (rest, part) in [
        ("max_aeg = \"1h\"\n", "max_aeg"),
        ("max_age = \"soon\"\n", "write a time as in 500ms, 30s, 10m, 24h or 7d"),
        ("max_age = \"-5h\"\n", "write a time as in 500ms, 30s, 10m, 24h or 7d"),
        ("max_age = \"9223372036854775807d\"\n", "write a time as in 500ms, 30s, 10m, 24h or 7d"),
        ("tier = \"slow\"\n", "quick, full, nightly"),
        ("[[signer]]\nname = \"ci\"\nkey = \"k\"\nuntil = \"soon\"\n", "RFC 3339"),
    ] {
        let said = parsed(&format!("{head}{rest}"));
        assert!(said.contains(part) && said.contains("p.toml"), "{said}");
    }
    assert!(parsed("format = 2\nname = \"x\"\n").contains("format 2 is not known"));
}
