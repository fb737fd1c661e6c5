//! What people sign: who may is believed, and whoever meddles with it is found out by its code.

use super::forged::Forged;
use crate::cli::{Said, run};
use crate::shared::goes_with_us;
use rehearsal::gate::{Decision, Policy, Question, decide};
use rehearsal::model::Stage;
use rehearsal::model::canonical;
use rehearsal::registry::Registry;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use tempfile::TempDir;

pub(super) const POLICY: &str = r#"format = 1
name = "ours"
tier = "quick"
[signoffs]
allowed_signers = "allowed_signers"
not_runner = true
not_author = true
[[signoffs.role]]
name = "engineer"
stage = "rehearsal"
meaning = "I have read it."
may_waive = ["GEN-12"]
[[signoffs.role]]
name = "release-manager"
stage = "before-cutover"
meaning = "It may begin."
valid = "7d"
[[signoffs.role]]
name = "owner"
stage = "after"
meaning = "What is old may go."
persons = ["olga@example.org"]
[[signoffs.person]]
name = "carol@example.org"
also = ["carol-of-ci"]
"#;

/// Bob reads and Anna decides. Carol has started the run, Dora has written the commit, Mallory has a key of her own.
const PEOPLE: [&str; 5] = ["anna", "bob", "carol", "dora", "mallory"];
pub(super) const FIRST: &str = "signoffs/0001-engineer.json";
pub(super) const SECOND: &str = "signoffs/0002-release-manager.json";

/// Where people decide: a checkout with a policy, the keys of the people, and who is allowed to sign.
pub(super) struct Office {
    pub(super) dir: TempDir,
}

impl Office {
    pub(super) fn new(policy: &str) -> Office {
        let office = Office { dir: tempfile::tempdir().unwrap() };
        office.write("policy.toml", policy);
        office
            .shell("git init -q . && git -c user.name=d -c user.email=dora@example.org commit -q --allow-empty -m one")
            .has(0, "");
        for name in PEOPLE {
            office.shell(&format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f {name}.key")).has(0, "");
        }
        let line = |name: &str| {
            format!("{name}@example.org namespaces=\"signoff@rehearsal\" {}", office.read(&format!("{name}.key.pub")))
        };
        office.write("allowed_signers", &PEOPLE[..4].iter().map(|name| line(name)).collect::<String>());
        office
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn shell(&self, script: &str) -> Said {
        run(self.dir.path(), &std::env::vars_os().collect(), &["sh", "-eu", "-c", script])
    }

    pub(super) fn rehearse(&self, args: &[&str]) -> Said {
        let argv = [&[env!("CARGO_BIN_EXE_rehearse")], args].concat();
        run(self.dir.path(), &std::env::vars_os().collect(), &argv)
    }

    /// `rehearse signoff` with the policy of this office.
    pub(super) fn signs(&self, who: &str, role: &str, bundle: &Forged, more: &[&str]) -> Said {
        let (root, key) = (bundle.root().display().to_string(), format!("{who}.key"));
        let digits = digits(bundle);
        let args = ["signoff", &root, "--policy", "policy.toml", "--role", role, "--key", &key, "--confirm", &digits];
        self.rehearse(&[&args, more].concat())
    }

    pub(super) fn decide(&self, bundle: &Forged, stage: Stage) -> Decision {
        let policy = Policy::find(&self.path("policy.toml").display().to_string()).unwrap();
        let question = Question { stage, ..Question::new(&policy, self.dir.path()) };
        decide(&Registry::builtin(), &bundle.root(), &question).unwrap()
    }

    fn codes(&self, bundle: &Forged) -> Vec<String> {
        let decision = self.decide(bundle, Stage::BeforeCutover);
        let mut codes: Vec<String> = decision.verification.complaints.iter().map(|found| found.code.word()).collect();
        codes.dedup();
        codes
    }
}

fn digits(bundle: &Forged) -> String {
    canonical::sha256_hex(&fs::read(bundle.path("SHA256SUMS")).unwrap())[..8].to_owned()
}

/// A bundle of the commit of the office, which Carol has started.
pub(super) fn rehearsed(office: &Office) -> Forged {
    let forged = Forged::new();
    let commit = office.shell("git rev-parse HEAD").stdout.trim().to_owned();
    let mut file: Value = json(&forged, "environment.json");
    file["checkout"] = serde_json::json!({ "commit": commit, "clean": true });
    file["runner"] = "carol-of-ci".into();
    put(&forged, "environment.json", &file);
    forged.derive();
    forged
}

fn json(bundle: &Forged, path: &str) -> Value {
    serde_json::from_slice(&fs::read(bundle.path(path)).unwrap()).unwrap()
}

fn put(bundle: &Forged, path: &str, value: &Value) {
    bundle.write(path, &String::from_utf8(canonical::to_file(value).unwrap()).unwrap());
}

/// An office, and a bundle that everybody has signed who has to.
static RELEASE: LazyLock<(Office, Forged)> = LazyLock::new(|| {
    let office = Office::new(POLICY);
    goes_with_us(office.dir.path());
    let bundle = rehearsed(&office);
    bundle.goes_with_us();
    office.signs("bob", "engineer", &bundle, &[]).has(0, "signed");
    office.signs("anna", "release-manager", &bundle, &[]).has(0, "signed");
    (office, bundle)
});

pub(super) fn signed() -> (&'static Office, Forged) {
    (&RELEASE.0, Forged::of(&RELEASE.1.root()))
}

/// Somebody signs what is written there now, with other people's program.
fn sign(office: &Office, who: &str, bundle: &Forged, file: &str, namespace: &str) {
    let path = bundle.path(file);
    let _ = fs::remove_file(bundle.path(&format!("{file}.sig"))); // it is not overwritten
    office.shell(&format!("ssh-keygen -q -Y sign -f {who}.key -n {namespace} {}", path.display())).has(0, "");
}

/// Changes what somebody says, and lets `who` sign it.
fn says(office: &Office, who: &str, bundle: &Forged, file: &str, change: impl FnOnce(&mut Value)) {
    let mut statement = json(bundle, file);
    change(&mut statement["predicate"]);
    put(bundle, file, &statement);
    sign(office, who, bundle, file, "signoff@rehearsal");
}

fn renamed(bundle: &Forged, from: &str, to: &str) {
    for suffix in ["", ".sig"] {
        fs::rename(bundle.path(&format!("{from}{suffix}")), bundle.path(&format!("{to}{suffix}"))).unwrap();
    }
}

pub(super) fn removed(bundle: &Forged, file: &str) {
    bundle.remove(file).remove(&format!("{file}.sig"));
}

const WAIVED: &str = r#"{"rule":"GEN-12","reason":"r","ticket":"T-1","expires":"2999-01-01T00:00:00.000000Z"}"#;

fn waiver(expires: &str) -> Value {
    let mut waiver: Value = serde_json::from_str(WAIVED).unwrap();
    waiver["expires"] = expires.into();
    serde_json::json!([waiver])
}

/// What somebody does to a bundle that is signed, and the codes.
pub(super) type Attack = (&'static str, &'static [&'static str], fn(&Office, &Forged));

pub(super) const ATTACKS: &[Attack] = &[
    ("takes the last signoff away", &["SIGNOFF_MISSING"], |_, bundle| removed(bundle, SECOND)),
    ("makes an approval of a reject", &["SIG_INVALID", "SIGNOFF_MISSING"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["decision"] = "reject".into());
        bundle.edit(SECOND, |text| text.replace("\"reject\"", "\"approve\""));
    }),
    ("goes on although somebody has rejected", &["SIGNOFF_MISSING"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["decision"] = "reject".into());
    }),
    ("uses an approval of last year", &["SIGNOFF_MISSING"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["time"] = "2025-01-01T00:00:00.000000Z".into());
    }),
    ("seals another run under the signoffs", &["SIGNOFF_MISSING", "SIGNOFF_SUBJECT"], |_, bundle| {
        bundle.edit("environment.json", |text| text.replace("\"altered\":[", "\"altered\":[\"a word\",")).sum();
    }),
    ("signs with another report before its eyes", &["SIGNOFF_MISSING", "SIGNOFF_SUBJECT"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["seen"]["report.html"] = "0".repeat(64).into());
    }),
    ("says that the gate was greener", &["SIGNOFF_MISSING", "SIGNOFF_SUBJECT"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["gate"]["rules"][0]["verdict"] = "fail".into());
    }),
    ("takes the first signoff away", &["SIGNOFF_MISSING", "SIGNOFF_CHAIN"], |_, bundle| removed(bundle, FIRST)),
    ("lets the first signer say it anew", &["SIGNOFF_MISSING", "SIGNOFF_CHAIN"], |office, bundle| {
        says(office, "bob", bundle, FIRST, |signoff| signoff["reason"] = "on second thoughts".into());
    }),
    ("gives a signoff another number", &["SIGNOFF_MISSING", "SIGNOFF_CHAIN"], |_, bundle| {
        renamed(bundle, SECOND, "signoffs/0003-release-manager.json");
    }),
    ("gives a signoff another role by its name", &["SIGNOFF_MISSING", "SIGNOFF_CHAIN"], |_, bundle| {
        renamed(bundle, SECOND, "signoffs/0002-owner.json");
    }),
    ("adds a file to the signoffs", &["SIGNOFF_CHAIN"], |_, bundle| {
        bundle.write("signoffs/notes.txt", "all is well\n");
    }),
    ("lets the runner approve", &["SIGNOFF_MISSING", "SIGNOFF_SELF"], |office, bundle| {
        says(office, "carol", bundle, SECOND, |signoff| signoff["signer"] = "carol@example.org".into());
    }),
    ("lets an author approve", &["SIGNOFF_MISSING", "SIGNOFF_SELF"], |office, bundle| {
        says(office, "dora", bundle, SECOND, |signoff| signoff["signer"] = "dora@example.org".into());
    }),
    ("lets one person approve in two roles", &["SIGNOFF_MISSING", "SIGNOFF_SELF"], |office, bundle| {
        says(office, "bob", bundle, SECOND, |signoff| signoff["signer"] = "bob@example.org".into());
    }),
    ("is of a commit that nobody knows here", &["SIGNOFF_MISSING", "SIGNOFF_SUBJECT", "SIGNOFF_SELF"], |_, bundle| {
        let mut file = json(bundle, "environment.json");
        file["checkout"]["commit"] = "0".repeat(40).into();
        put(bundle, "environment.json", &file);
        bundle.derive();
    }),
    ("uses a signoff under a softer policy", &["SIGNOFF_MISSING", "POLICY_MISMATCH"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["policy"]["sha256"] = "0".repeat(64).into());
    }),
    ("rests on a waiver that is over", &["WAIVER_EXPIRED"], |office, bundle| {
        removed(bundle, SECOND);
        says(office, "bob", bundle, FIRST, |signoff| signoff["waivers"] = waiver("2026-01-01T00:00:00.000000Z"));
        office.signs("anna", "release-manager", bundle, &[]).has(0, "signed");
    }),
    ("waives what it may not", &["SIGNOFF_MISSING", "WAIVER_UNSIGNED"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["waivers"] = waiver("2999-01-01T00:00:00.000000Z"));
    }),
    ("signs as somebody else", &["SIGNER_UNTRUSTED", "SIGNOFF_MISSING"], |office, bundle| {
        says(office, "mallory", bundle, SECOND, |_| ());
    }),
    ("signs in a role that another has", &["SIGNER_UNTRUSTED", "SIGNOFF_MISSING"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["role"] = "owner".into());
        renamed(bundle, SECOND, "signoffs/0002-owner.json");
    }),
    ("changes a word that was signed", &["SIG_INVALID", "SIGNOFF_MISSING"], |_, bundle| {
        bundle.edit(SECOND, |text| text.replace("It may begin", "It may not begin"));
    }),
    ("takes a signature that was made for something else", &["SIG_INVALID", "SIGNOFF_MISSING"], |office, bundle| {
        sign(office, "anna", bundle, SECOND, "git");
    }),
    ("leaves the signature out", &["SIG_INVALID", "SIGNOFF_MISSING"], |_, bundle| {
        bundle.remove(&format!("{SECOND}.sig"));
    }),
    ("signs tomorrow", &["SIGNOFF_MISSING", "FROM_FUTURE"], |office, bundle| {
        says(office, "anna", bundle, SECOND, |signoff| signoff["time"] = "2999-01-01T00:00:00.000000Z".into());
    }),
    ("puts another statement in the place of a signoff", &["TYPE_CONFUSION", "SIGNOFF_MISSING"], |office, bundle| {
        let mut statement = json(bundle, SECOND);
        statement["predicateType"] = "https://slsa.dev/verification_summary/v1".into();
        put(bundle, SECOND, &statement);
        sign(office, "anna", bundle, SECOND, "signoff@rehearsal");
    }),
];

#[test]
fn each_attack_on_a_signoff_is_found_out_by_its_code() {
    let mut wrong = String::new();
    for (what, codes, work) in ATTACKS {
        let (office, bundle) = signed();
        assert_eq!(office.codes(&bundle), [""; 0], "the signoffs are not good");
        work(office, &bundle);
        let decision = office.decide(&bundle, Stage::BeforeCutover);
        if office.codes(&bundle) != *codes {
            wrong += &format!("{what}: {:?} {}\n", office.codes(&bundle), decision.verification.text());
        }
        assert_ne!(decision.verdict(), rehearsal::model::Verdict::Pass, "{what}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_signed_bundle_passes_the_stages_whose_roles_have_signed() {
    let (office, bundle) = signed();
    for (stage, passes) in
        [(Stage::Rehearsal, true), (Stage::BeforeCutover, true), (Stage::BeforeReopen, true), (Stage::After, false)]
    {
        let decision = office.decide(&bundle, stage);
        assert_eq!(decision.verdict() == rehearsal::model::Verdict::Pass, passes, "{}", decision.text());
    }
    let root = bundle.root().display().to_string();
    let gate = |args: &[&str]| office.rehearse(&[&["gate", &root, "--policy", "policy.toml"], args].concat());
    gate(&[]).has(0, "bob@example.org approves as engineer, anna@example.org approves as release-manager");
    gate(&["--stage", "after"]).has(1, "SIGNOFF_MISSING: an approval as owner");
    gate(&["--root", &"0".repeat(64)]).has(1, "fail GEN-17");
    gate(&["--root", &canonical::sha256_hex(&fs::read(bundle.path("SHA256SUMS")).unwrap())]).has(0, "pass GEN-17");
    office.rehearse(&["verify", &root, "--policy", "policy.toml"]).has(0, "signoffs bob@example.org approves");
    office.rehearse(&["verify", &root, "--policy", "policy.toml", "--stage", "after"]).has(3, "signoffs: ask for it");
    office.rehearse(&["verify", &root]).has(0, "signoffs 2, of which none is believed without a policy");
}

#[test]
fn two_names_with_one_key_are_one_person() {
    let office = Office::new(POLICY);
    let bundle = rehearsed(&office);
    let bob = office.read("bob.key.pub");
    office.write("allowed_signers", &format!("bob@example.org {bob}anna@example.org {bob}"));
    office.signs("bob", "engineer", &bundle, &[]).has(0, "signed");
    office.signs("bob", "release-manager", &bundle, &["--signer", "anna@example.org"]).has(0, "signed");
    assert_eq!(office.codes(&bundle), ["SIGNOFF_MISSING", "SIGNOFF_SELF"]);
}

/// Who wants to sign as what with which options, how it ends, and what is said.
type Refusal = (&'static str, &'static str, &'static [&'static str], i32, &'static str);

const REFUSALS: &[Refusal] = &[
    ("bob", "pilot", &[], 64, "no role pilot; it has: engineer, release-manager, owner"),
    ("mallory", "engineer", &[], 1, "allowed_signers does not name the key mallory.key"),
    ("mallory", "engineer", &["--signer", "bob@example.org"], 1, "does not let bob@example.org sign with this key"),
    ("bob", "owner", &[], 1, "SIGNER_UNTRUSTED: bob@example.org is not to sign as owner"),
    ("carol", "engineer", &[], 1, "SIGNOFF_SELF: carol@example.org has started the run"),
    ("dora", "engineer", &[], 1, "SIGNOFF_SELF: dora@example.org has written what was rehearsed"),
    ("bob", "engineer", &["--policy", "local"], 64, "policy local asks nobody to sign"),
    ("bob", "engineer", &["--confirm", "0000"], 1, "is not how the root begins"),
    ("bob", "engineer", &["--reject"], 64, "a reject needs a reason"),
    ("bob", "engineer", &["--waive", "GEN-12"], 64, "--ticket"),
    ("bob", "engineer", &["--waive", "GEN-12", "--ticket", "T-1", "--expires", "7d"], 64, "a waiver needs a reason"),
    (
        "bob",
        "engineer",
        &["--waive", "GEN-12", "--ticket", "T-1", "--expires", "7d", "--reason", "r"],
        1,
        "there is nothing to waive: GEN-12 is not red",
    ),
];

#[test]
fn nothing_is_written_where_nobody_would_believe_it() {
    let (office, _) = signed();
    let bundle = rehearsed(office);
    for (who, role, options, code, part) in REFUSALS {
        let root = bundle.root().display().to_string();
        let key = format!("{who}.key");
        let digits = digits(&bundle);
        let mut args = vec!["signoff", &root, "--role", role, "--key", &key];
        for (name, value) in [("--policy", "policy.toml"), ("--confirm", &digits)] {
            if !options.contains(&name) {
                args.extend([name, value]);
            }
        }
        office.rehearse(&[&args, *options].concat()).has(*code, part);
        assert!(!bundle.path("signoffs").exists(), "{who} {role} {options:?}");
    }
    bundle.edit("environment.json", |text| text + " ");
    office.signs("bob", "engineer", &bundle, &[]).has(3, "SUM_MISMATCH environment.json");
}

#[test]
fn a_reject_holds_until_there_is_a_new_run() {
    let (office, _) = signed();
    let bundle = rehearsed(office);
    office.signs("bob", "engineer", &bundle, &["--reject", "--reason", "the window is too short"]).has(0, "rejects");
    let said = office.signs("anna", "release-manager", &bundle, &[]);
    said.has(1, "bob@example.org has rejected this run, which holds");
    let found = office.decide(&bundle, Stage::Rehearsal).text();
    assert!(found.contains("bob@example.org rejects as engineer: the window is too short"), "{found}");
}

#[test]
fn what_is_red_is_waived_by_whoever_may_and_stays_red() {
    let office = Office::new(&POLICY.replace("\"quick\"", "\"full\""));
    let bundle = rehearsed(&office);
    office.signs("anna", "release-manager", &bundle, &[]).has(1, "GEN-12 (quick), which engineer may waive");
    let waiver = ["--waive", "GEN-12", "--ticket", "T-7", "--expires", "7d", "--reason", "the full tier ran last week"];
    office.signs("anna", "release-manager", &bundle, &waiver).has(1, "WAIVER_UNSIGNED");
    office
        .signs("bob", "engineer", &bundle, &waiver)
        .has(0, "RED GEN-12 the tier is full or more thorough: quick; waived by you");
    office.signs("anna", "release-manager", &bundle, &[]).has(0, "waived by bob@example.org as engineer");
    let decision = office.decide(&bundle, Stage::BeforeCutover);
    assert_eq!(decision.verdict(), rehearsal::model::Verdict::Pass, "{}", decision.text());
    let text = decision.text();
    assert!(text.contains("waived   GEN-12") && text.contains("T-7: the full tier ran last week"), "{text}");
    assert_eq!(decision.verification.record.tier, "quick");
}

#[test]
fn the_digits_of_the_root_may_be_typed() {
    let (office, _) = signed();
    let bundle = rehearsed(office);
    let command = |digits: &str| {
        let rehearse = env!("CARGO_BIN_EXE_rehearse");
        let root = bundle.root().display().to_string();
        format!("echo {digits} | {rehearse} signoff {root} --policy policy.toml --role engineer --key bob.key")
    };
    office.shell(&command("00000000")).has(1, "nothing was signed");
    office.shell(&command(&digits(&bundle))).has(0, "type the first 8 digits of the root");
}

#[test]
fn a_policy_that_could_be_waived_away_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to, part) in [
        ("[\"GEN-12\"]", "[\"GEN-00\"]", "role engineer may not waive GEN-00: nobody may"),
        ("name = \"owner\"", "name = \"engineer\"", "role `engineer` is no name, or there twice"),
        ("\"7d\"", "\"a week\"", "valid `a week`: write a time as in"),
        ("not_runner", "not_ruuner", "not_ruuner"),
    ] {
        let path = dir.path().join("policy.toml");
        fs::write(&path, POLICY.replace(from, to)).unwrap();
        let said = Policy::find(&path.display().to_string()).unwrap_err().to_string();
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_key_says_whose_it_is() {
    use rehearsal::evidence::attest::ssh::principal;
    let signers = "# bob@x ssh-ed25519 AAA\n\"*@example.org,anna@example.org\" namespaces=\"a b\" ssh-ed25519 BBB c\n\
                   *@x cert-authority ssh-ed25519 CCC\nbob@x,robert@x ssh-rsa DDD\n";
    let whose = |key: &str| principal(signers, key);
    assert_eq!(whose("ssh-ed25519 BBB anna's"), Some("anna@example.org".to_owned()));
    assert_eq!(whose("ssh-rsa DDD"), Some("bob@x".to_owned()));
    for nobody in ["ssh-ed25519 AAA", "ssh-ed25519 CCC", "ssh-ed25519 DDD", "ssh-rsa", ""] {
        assert_eq!(whose(nobody), None, "{nobody}");
    }
}

/// Other people's program agrees, and so does a reader who knows in-toto only.
#[test]
fn ssh_keygen_agrees_and_the_statement_is_in_totos() {
    let (office, bundle) = signed();
    let verify = |who: &str, file: &str| {
        let path = bundle.path(file).display().to_string();
        office.shell(&format!(
            "ssh-keygen -Y verify -f allowed_signers -I {who}@example.org -n signoff@rehearsal -s {path}.sig < {path}"
        ))
    };
    verify("bob", FIRST).has(0, "Good \"signoff@rehearsal\" signature for bob@example.org");
    verify("anna", SECOND).has(0, "Good");
    assert_ne!(verify("anna", FIRST).code, Some(0));
    let (first, second) = (json(&bundle, FIRST), json(&bundle, SECOND));
    let root = canonical::sha256_hex(&fs::read(bundle.path("SHA256SUMS")).unwrap());
    assert_eq!(first["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(first["subject"][0]["digest"]["sha256"], root.as_str());
    assert_eq!(first["predicate"]["previous"], Value::Null);
    assert_eq!(second["predicate"]["previous"], canonical::sha256_hex(&fs::read(bundle.path(FIRST)).unwrap()).as_str());
    for (path, sha256) in second["predicate"]["seen"].as_object().unwrap() {
        assert_eq!(sha256.as_str().unwrap(), canonical::sha256_hex(&fs::read(bundle.path(path)).unwrap()), "{path}");
    }
}

#[test]
fn signoffs_travel_beside_the_bundle_and_two_chains_are_never_mixed() {
    let (office, bundle) = signed();
    let here = tempfile::tempdir().unwrap();
    let (store, root) = (here.path().join("store").display().to_string(), bundle.root().display().to_string());
    let bare = Forged::of(&bundle.root());
    fs::remove_dir_all(bare.path("signoffs")).unwrap();
    let evidence = |what: &str, bundle: &str, with: &str| office.rehearse(&["evidence", what, bundle, with]);
    evidence("push", &root, &store).has(0, "copied 0001-engineer.json copied 0002-release-manager.json");
    evidence("push", &root, &store).has(0, "nothing to copy");
    let bare_root = bare.root().display().to_string();
    evidence("push", &bare_root, &store).has(3, "the other side has 0001-engineer.json besides");
    assert_eq!(office.codes(&bare), ["SIGNOFF_MISSING"]);
    evidence("pull", &bare_root, &store).has(0, "copied 0002-release-manager.json");
    assert_eq!(office.codes(&bare), [""; 0]);

    fs::remove_dir_all(bare.path("signoffs")).unwrap();
    evidence("attach", &bare_root, &bundle.path(SECOND).display().to_string()).has(3, "is not the next signoff");
    for file in [FIRST, SECOND] {
        evidence("attach", &bare_root, &bundle.path(file).display().to_string()).has(0, "copied");
    }
    assert_eq!(office.codes(&bare), [""; 0]);

    says(office, "anna", &bare, SECOND, |signoff| signoff["decision"] = "reject".into());
    for what in ["push", "pull"] {
        evidence(what, &bare_root, &store).has(3, "both sides have a signoff in one place, and not the same");
    }
    let other = Forged::of(&bundle.root());
    fs::remove_dir_all(other.path("signoffs")).unwrap();
    other.edit("environment.json", |text| text.replace("\"altered\":[", "\"altered\":[\"a word\",")).sum();
    let file = bundle.path(FIRST).display().to_string();
    evidence("attach", &other.root().display().to_string(), &file).has(3, "is about");
    assert!(!other.path("signoffs").exists());
}
