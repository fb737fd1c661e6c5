//! Other people's programs judge a signed bundle, and find out whoever has been at it. One that is missing is a failure:
//! `.ci/install` installs them all.

use super::forged::Forged;
use super::signed::{inputs, key, put, root, signed_with};
use super::signoffs::{Office, POLICY, rehearsed};
use crate::cli::{Said, run};
use rehearsal::evidence::attest::{Envelope, Slot, summary_of};
use rehearsal::model::canonical;
use std::fs;
use std::path::Path;

const PEERS: [&str; 8] = [
    "sha256sum",
    "a-shell-loop",
    "openssl",
    "ssh-keygen",
    "xmllint",
    "securesystemslib",
    "in-toto-attestation",
    "check-jsonschema",
];

/// All of them agree on a bundle. `house` has the key of the machine, and the people who may sign.
pub(super) fn agree(bundle: &Path, house: &Path) {
    for peer in PEERS {
        ask(peer, bundle, house).has(0, &format!("{peer} agrees"));
    }
}

fn ask(peer: &str, bundle: &Path, house: &Path) -> Said {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let paths = [bundle, house, &schemas].map(|path| path.display().to_string());
    let argv = ["sh", "-c", include_str!("others.sh"), "others.sh", peer, &paths[0], &paths[1], &paths[2]];
    run(house, &std::env::vars_os().collect(), &argv)
}

/// Who finds out what was done.
type Meddling = (&'static str, fn(&Forged));

const MEDDLING: [Meddling; 8] = [
    ("sha256sum", |bundle| {
        bundle.edit("README.txt", |text| text + " ");
    }),
    ("a-shell-loop", |bundle| {
        bundle.lines(|lines| lines.swap(2, 3));
    }),
    ("openssl", |bundle| {
        bundle.edit(Slot::Gate.file(), |text| text.replace("\"payload\":\"e", "\"payload\":\"f"));
    }),
    ("ssh-keygen", |bundle| {
        bundle.edit("signoffs/0001-engineer.json", |text| text.replace("I have read it", "I have seen it"));
    }),
    ("xmllint", |bundle| {
        bundle.edit("junit.xml", |text| text.replacen("<testcase ", "<testcase status=\"run\" ", 1));
    }),
    ("securesystemslib", |bundle| {
        bundle.edit(Slot::TestResult.file(), |text| text.replace("\"payload\":\"e", "\"payload\":\"f"));
    }),
    ("in-toto-attestation", |bundle| {
        bundle.edit("signoffs/0001-engineer.json", |text| text.replace("\"subject\":[{", "\"subject\":[],\"x\":[{"));
    }),
    ("check-jsonschema", |bundle| {
        bundle.edit("environment.json", |text| text.replace("\"format\":1", "\"format\":2"));
    }),
];

#[test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
fn eight_programs_of_other_people_agree_and_each_finds_out_who_meddles() {
    let office = Office::new(POLICY);
    let bundle = rehearsed(&office);
    fs::write(office.path("ci.key.pub"), key(1).public().pem()).unwrap();
    signed_with(&bundle, &key(1));
    office.signs("bob", "engineer", &bundle, &[]).has(0, "signed");
    office.signs("anna", "release-manager", &bundle, &[]).has(0, "signed");
    let envelope = canonical::sha256_hex(&fs::read(bundle.path(Slot::TestResult.file())).unwrap());
    let inputs = inputs(&[(Slot::TestResult.file(), &envelope)]);
    let summary = summary_of(&root(&bundle), "x", ("ours", &"0".repeat(64)), &inputs, "2026-11-29T10:00:00Z", true);
    put(&bundle, Slot::Gate, &Envelope::seal(&summary, &key(1)).unwrap());
    agree(&bundle.root(), office.dir.path());
    for (peer, work) in MEDDLING {
        let forged = Forged::of(&bundle.root());
        work(&forged);
        let said = ask(peer, &forged.root(), office.dir.path());
        assert!(!matches!(said.code, Some(0 | 9)) && !said.stdout.contains("agrees"), "{peer}: {said:?}");
    }
}
