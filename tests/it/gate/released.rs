//! A release: the page and the seal over all that people have signed, and what is found out when something of it is gone.

use super::forged::Forged;
use super::signed::{key, signed_with};
use super::signoffs::{FIRST, Office, POLICY, SECOND, rehearsed, removed};
use crate::cli::Said;
use crate::shared::goes_with_us;
use rehearsal::evidence::{RELEASE_PAGE, SEAL, SEAL_TOKEN};
use rehearsal::gate::Expected;
use rehearsal::model::canonical::sha256_hex;
use std::fs;
use std::sync::LazyLock;

/// An office, what it has released, and the seal, as it was told.
static RELEASED: LazyLock<(Office, Forged, String)> = LazyLock::new(|| {
    let office = Office::new(POLICY);
    goes_with_us(office.dir.path());
    let bundle = rehearsed(&office);
    bundle.goes_with_us();
    signed_with(&bundle, &key(1));
    office.signs("bob", "engineer", &bundle, &[]).has(0, "signed");
    releases(&office, &bundle).has(1, "nothing was released: the gate is red");
    office.signs("anna", "release-manager", &bundle, &[]).has(0, "signed");
    key(1).write(&office.path("gate.key")).unwrap();
    let root = bundle.root().display().to_string();
    office.rehearse(&["gate", &root, "--policy", "policy.toml", "--key", "gate.key"]).has(0, "gate PASSED");
    releases(&office, &bundle).has(0, "page");
    let seal = sha256_hex(&fs::read(bundle.path(SEAL)).unwrap());
    (office, bundle, seal)
});

fn releases(office: &Office, bundle: &Forged) -> Said {
    office.rehearse(&["release", &bundle.root().display().to_string(), "--policy", "policy.toml"])
}

fn released() -> Forged {
    Forged::of(&RELEASED.1.root())
}

/// Without a policy, so that nobody asks who should have signed; `told`: the seal is known from elsewhere.
fn codes(bundle: &Forged, told: bool) -> Vec<String> {
    bundle.codes(&Expected { seal_sha256: told.then(|| RELEASED.2.clone()), ..Expected::default() })
}

fn unsealed(bundle: &Forged) {
    bundle.remove(SEAL).remove(RELEASE_PAGE);
}

/// What somebody does to a release, the codes, and whether the seal has to be told to find it out.
type Attack = (&'static str, &'static [&'static str], bool, fn(&Forged));

const ATTACKS: &[Attack] = &[
    ("takes the last signoff away", &["GATE_INPUT_MISMATCH", "SIGNOFF_CHAIN", "DERIVED_MISMATCH"], false, |bundle| {
        removed(bundle, SECOND);
    }),
    ("takes the seal away too", &["GATE_INPUT_MISMATCH"], false, |bundle| {
        removed(bundle, SECOND);
        unsealed(bundle);
    }),
    ("and the decision of the gate", &["SIGNOFF_CHAIN"], true, |bundle| {
        removed(bundle, SECOND);
        unsealed(bundle);
        bundle.remove("attest/gate.dsse.json");
    }),
    ("seals anew what is left", &["DERIVED_MISMATCH", "GATE_INPUT_MISMATCH", "SIGNOFF_CHAIN"], true, |bundle| {
        removed(bundle, SECOND);
        unsealed(bundle);
        let script = "sha256sum SHA256SUMS attest/*  signoffs/0001*";
        let said = RELEASED.0.shell(&format!("cd {} && {script}", bundle.root().display()));
        bundle.write(SEAL, &said.stdout);
    }),
    ("leaves the page and takes the seal", &["SIGNOFF_CHAIN"], false, |bundle| {
        bundle.remove(SEAL);
    }),
    ("writes another name on the page", &["DERIVED_MISMATCH", "SIGNOFF_CHAIN"], false, |bundle| {
        bundle.edit(RELEASE_PAGE, |text| text.replace("bob@example.org", "eve@example.org"));
    }),
    ("writes another name on the page and into the seal", &["DERIVED_MISMATCH"], false, |bundle| {
        let digest = || sha256_hex(&fs::read(bundle.path(RELEASE_PAGE)).unwrap());
        let before = digest();
        bundle.edit(RELEASE_PAGE, |text| text.replace("bob@example.org", "eve@example.org"));
        bundle.edit(SEAL, |text| text.replace(&before, &digest()));
    }),
    ("takes the decision of the gate away", &["SIGNOFF_CHAIN"], false, |bundle| {
        bundle.remove("attest/gate.dsse.json");
    }),
    ("puts the time stamp of something else beside it", &["SUBJECT_MISMATCH"], false, |bundle| {
        bundle.write(SEAL_TOKEN, "a stamp over something else, as long as a digest and longer");
    }),
    ("writes what is no seal", &["SCHEMA"], false, |bundle| {
        bundle.write(SEAL, "all is well\n");
    }),
];

#[test]
fn each_attack_on_a_release_is_found_out_by_its_code() {
    let mut wrong = String::new();
    for (what, codes_of, told, work) in ATTACKS {
        assert_eq!(codes(&released(), true), [""; 0], "the release is not good");
        let bundle = released();
        work(&bundle);
        let mut expected: Vec<&str> = codes_of.to_vec();
        expected.sort_unstable();
        let mut found = codes(&bundle, *told);
        found.sort();
        if found != expected {
            wrong += &format!("{what}: {found:?} {}\n", bundle.verify(&Expected::default()).text());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_release_is_sealed_once_and_asked_for_by_its_seal() {
    let (office, _, seal) = &*RELEASED;
    let bundle = released();
    let root = bundle.root().display().to_string();
    releases(office, &bundle).has(0, &format!("seal {seal}"));
    let gate = |seal: &str| office.rehearse(&["gate", &root, "--policy", "policy.toml", "--seal", seal]);
    gate(seal).has(0, "gate PASSED");
    gate(&"0".repeat(64)).has(1, "SIGNOFF_CHAIN");
    office.rehearse(&["verify", &root, "--seal", seal]).has(0, &format!("seal {seal}"));
    office.rehearse(&["verify", &root, "--seal", &"0".repeat(64)]).has(3, "SIGNOFF_CHAIN signoffs/SEAL");
    let written = fs::read(bundle.path("attest/gate.dsse.json")).unwrap();
    let again = office.rehearse(&["gate", &root, "--policy", "policy.toml", "--key", "gate.key"]);
    again.has(0, "released already: the decision is not written into it");
    assert_eq!(fs::read(bundle.path("attest/gate.dsse.json")).unwrap(), written);
    // Whoever finds something later is heard, and stands outside of the seal.
    office.signs("bob", "engineer", &bundle, &["--reject", "--reason", "a row is wrong"]).has(0, "signed");
    gate(seal).has(1, "bob@example.org rejects as engineer: a row is wrong");
}

#[test]
fn the_page_of_a_release_is_the_report_with_the_approvals() {
    let bundle = released();
    let read = |path: &str| fs::read_to_string(bundle.path(path)).unwrap();
    let (report, page) = (read("report.html"), read(RELEASE_PAGE));
    let root = sha256_hex(&fs::read(bundle.path("SHA256SUMS")).unwrap());
    for part in ["<b>bob@example.org</b> approves", "I have read it.", "release-manager", FIRST, SECOND, &root] {
        assert!(page.contains(part) && !report.contains(part), "{part}");
    }
    let approvals = page.split_once("<h2 id=\"approvals\">").unwrap();
    let rest = approvals.1.split_once("<div class=\"facts\">").unwrap().1;
    assert_eq!(format!("{}<div class=\"facts\">{rest}", approvals.0), report);
}

#[test]
fn sha256sum_and_a_time_stamp_of_somebody_else_agree_with_the_seal() {
    let bundle = released();
    let script = r#"
        sha256sum -c --strict --quiet signoffs/SEAL
        tsa=$(mktemp -d) && trap 'rm -r "$tsa"' EXIT
        openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tsa/key" -out "$tsa/cert" -days 2 -subj /CN=stamps \
            -addext extendedKeyUsage=critical,timeStamping 2> "$tsa/said"
        echo 01 > "$tsa/serial"
        printf '[t]\ndefault_policy = 1.2.3\ndigests = sha256\nserial = %s\nsigner_digest = sha256\n' "$tsa/serial" > "$tsa/cnf"
        openssl ts -query -data signoffs/SEAL -sha256 -cert -out "$tsa/tsq" 2> "$tsa/said"
        openssl ts -reply -config "$tsa/cnf" -section t -queryfile "$tsa/tsq" -signer "$tsa/cert" -inkey "$tsa/key" \
            -out signoffs/SEAL.tsr 2> "$tsa/said" || { cat "$tsa/said" >&2; exit 1; }
        openssl ts -verify -data signoffs/SEAL -in signoffs/SEAL.tsr -CAfile "$tsa/cert"
    "#;
    let said = crate::cli::run(&bundle.root(), &std::env::vars_os().collect(), &["sh", "-eu", "-c", script]);
    said.has(0, "Verification: OK");
    assert_eq!(codes(&bundle, true), [""; 0]);
}

#[test]
fn a_seal_travels_with_the_signoffs() {
    let (office, _, seal) = &*RELEASED;
    let (bundle, bare) = (released(), released());
    let here = tempfile::tempdir().unwrap();
    let store = here.path().join("store").display().to_string();
    let evidence = |what: &str, bundle: &Forged| {
        office.rehearse(&["evidence", what, &bundle.root().display().to_string(), &store])
    };
    evidence("push", &bundle).has(0, "copied release.html copied SEAL");
    fs::remove_dir_all(bare.path("signoffs")).unwrap();
    evidence("pull", &bare).has(0, "copied 0002-release-manager.json copied release.html copied SEAL");
    assert_eq!(codes(&bare, true), [""; 0]);
    bare.edit(SEAL, |text| text.replace(&seal[..4], "0000") + "x");
    evidence("pull", &bare).has(3, "both sides have SEAL, and not the same");
}
