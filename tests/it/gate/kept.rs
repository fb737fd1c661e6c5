//! For each code about people a bundle that was stored with the signatures that were made then: verifying it says exactly
//! that. `tests/bundles/people/` holds the policy and the public keys; nobody has the private ones any more.
//!
//! Written anew by `UPDATE=1 cargo test --test it gate::kept`, which makes new keys.

use super::forged::{Forged, copy};
use super::signoffs::{self, Office, POLICY, rehearsed};
use super::stored::{folder, found, registry};
use rehearsal::gate::{Code, Expected, Family, Policy, Question};
use rehearsal::model::Stage;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn people() -> PathBuf {
    folder().join("people")
}

/// By when it is asked: before the last role has to have signed, so that one code is alone; but for the one that says so.
fn expected(code: &str) -> Expected {
    let policy = Policy::find(&people().join("policy.toml").display().to_string()).unwrap();
    let stage = if code == "SIGNOFF_MISSING" { Stage::BeforeCutover } else { Stage::Rehearsal };
    Question { stage, ..Question::new(&policy, &people()) }.expected().unwrap()
}

fn codes() -> BTreeSet<String> {
    let is_of_people = |code: &Code| matches!(code.family(), Family::Signoffs | Family::Waivers);
    Code::ALL.into_iter().filter(is_of_people).map(Code::word).collect()
}

fn update() {
    let _ = fs::remove_dir_all(people()); // there may be none
    // Who wrote the commit would be asked of a checkout that the reader has not.
    let office = Office::new(&POLICY.replace("not_author = true", "not_author = false"));
    for file in ["policy.toml", "allowed_signers"] {
        fs::create_dir_all(people()).unwrap();
        fs::copy(office.path(file), people().join(file)).unwrap();
    }
    let good = rehearsed(&office);
    office.signs("bob", "engineer", &good, &[]).has(0, "signed");
    office.signs("anna", "release-manager", &good, &[]).has(0, "signed");
    copy(&good.root(), &people().join("good"));
    for code in codes() {
        let forged = bad(&office, &good, &code);
        copy(&forged.path("signoffs"), &people().join("bad").join(&code));
    }
}

/// After the first attack that is found out by this code alone, and leaves all but the signoffs as it was.
fn bad(office: &Office, good: &Forged, code: &str) -> Forged {
    let sums = |bundle: &Forged| fs::read(bundle.path("SHA256SUMS")).unwrap();
    let attacked = signoffs::ATTACKS.iter().filter(|(_, codes, _)| codes.contains(&code)).map(|(_, _, work)| {
        let forged = Forged::of(&good.root());
        work(office, &forged);
        forged
    });
    let mut fitting = attacked.filter(|forged| sums(forged) == sums(good) && forged.codes(&expected(code)) == [code]);
    fitting.next().unwrap_or_else(|| panic!("no attack is found out by {code} alone"))
}

#[test]
fn each_code_about_people_has_a_stored_bundle_that_says_exactly_that() {
    if std::env::var_os("UPDATE").is_some() {
        update();
    }
    let registry = registry(&people().join("good"));
    let (codes_of_good, text) = found(&registry, &Forged::of(&people().join("good")), &expected(""));
    assert_eq!(codes_of_good, [""; 0], "{text}");
    let stored = fs::read_dir(people().join("bad")).unwrap();
    let stored: BTreeSet<String> =
        stored.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(stored, codes());
    for code in stored {
        let forged = Forged::of(&people().join("good"));
        fs::remove_dir_all(forged.path("signoffs")).unwrap();
        copy(&people().join("bad").join(&code), &forged.path("signoffs"));
        let (codes, text) = found(&registry, &forged, &expected(&code));
        assert_eq!(codes, [code.as_str()], "{text}");
    }
}
