//! A release from end to end: a red rehearsal, a fix, a green one that two people sign, and the real migration.

use super::forged::Forged;
use super::others;
use super::signoffs::Office;
use crate::cli::Said;
use crate::postgres_server::Server;
use rehearsal::db::Dsn;
use rehearsal::gate::{Expected, Status};
use rehearsal::model::canonical::sha256_hex;
use rehearsal::model::{Body, Outcome, Verdict};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const POLICY: &str = r#"format = 1
name = "ours"
max_age = "1h"
same_commit = true
clean_tree = true
whole_plan = true
same_scenarios = true
tier = "quick"
scenarios = ["ledger/*"]
signed = true
[[signer]]
name = "ci"
key = "ci.key.pub"
[signoffs]
allowed_signers = "allowed_signers"
not_runner = true
not_author = true
[[signoffs.role]]
name = "engineer"
stage = "rehearsal"
meaning = "I have read it."
[[signoffs.role]]
name = "release-manager"
stage = "before-cutover"
meaning = "It may begin."
[[signoffs.role]]
name = "owner"
stage = "before-reopen"
meaning = "It went as it should."
"#;

const SCENARIO: &str = r#"format = 1
about = "moves the ledger"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "move"
role = "apply"
argv = ["sh", "{root}/tools/move.sh"]
env = { OLD_URL = "{source}", NEW_URL = "{target}" }
[[fault]]
kind = "proc.kill"
during = "move"
at = "pg.target:commit.1"
[[fault]]
kind = "net.reset"
during = "move"
at = "pg.target:commit.1"
"#;

/// An office that releases: scenario, tool, key of CI, and databases that are real.
struct House {
    /// It lives as long as its databases are needed.
    _server: Arc<Server>,
    office: Office,
    old: String,
    new: String,
}

impl House {
    async fn new() -> House {
        let server = Server::shared();
        let (old, new) = (server.create_database().await, server.create_database().await);
        let house = House { _server: server, office: Office::new(POLICY), old: url(&old), new: url(&new) };
        house.write("scenarios/ledger/move.toml", SCENARIO);
        house.write(".gitignore", "*.key\ntarget\ntools/*.txt\n*.txt\n");
        house.rehearse("key new ci.key").has(0, "ci.key.pub");
        let load = "psql -X -q -v ON_ERROR_STOP=1";
        let rows =
            "insert into accounts (id, name, email, opened_on) values (7, 'real', 'real@example.org', '2026-01-01')";
        house
            .shell(&format!("{load} '{}' -f {} && {load} '{}' -c \"{rows}\"", house.old, ledger("old"), house.old))
            .has(0, "");
        house.shell(&format!("{load} '{}' -f {}", house.new, ledger("new"))).has(0, "");
        house
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.office.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Dora puts a tool in place, and commits all there is.
    fn commits(&self, tool: &str) {
        let tool = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tools").join(tool)).unwrap();
        self.write("tools/move.sh", &tool);
        self.shell("git add -A && git -c user.name=d -c user.email=dora@example.org commit -q -m tool").has(0, "");
    }

    fn shell(&self, script: &str) -> Said {
        self.office.shell(script)
    }

    /// `rehearse`, as CI or somebody at a desk would run it.
    fn rehearse(&self, arguments: &str) -> Said {
        let exports =
            format!("export LIVE_OLD='{}' LIVE_NEW='{}' REHEARSE_RUNNER=carol@example.org", self.old, self.new);
        self.shell(&format!("{exports}; {} {arguments}", env!("CARGO_BIN_EXE_rehearse")))
    }

    fn latest(&self, folder: &str) -> PathBuf {
        self.office.path(&format!("target/{folder}/latest")).canonicalize().unwrap()
    }

    fn root(&self) -> String {
        sha256_hex(&fs::read(self.latest("rehearsal").join("SHA256SUMS")).unwrap())
    }

    fn signs(&self, who: &str, role: &str) -> Said {
        let digits = &self.root()[..8];
        self.rehearse(&format!(
            "signoff target/rehearsal/latest --policy policy.toml --role {role} --key {who}.key --confirm {digits}"
        ))
    }

    /// Everybody has signed; answers with the seal.
    fn releases(&self) -> String {
        let said = self.rehearse("release target/rehearsal/latest --policy policy.toml");
        said.has(0, "signoffs/release.html");
        said.stdout.lines().find_map(|line| line.strip_prefix("seal     ")).unwrap().to_owned()
    }

    /// The real step; `options` may take the place of what is usual.
    fn records(&self, options: &str, command: &str) -> Said {
        let databases = "--db source=env:LIVE_OLD --db target=env:LIVE_NEW";
        let policy = if options.contains("--policy") { "" } else { "--policy policy.toml" };
        self.rehearse(&format!(
            "record target/rehearsal/latest --step move {databases} {policy} {options} -- {command}"
        ))
    }

    fn asks(&self, database: &str, query: &str) -> String {
        let said = self.shell(&format!("psql -X -q -A -t -v ON_ERROR_STOP=1 '{database}' -c \"{query}\""));
        assert_eq!(said.code, Some(0), "{said:?}");
        said.stdout.trim().to_owned()
    }
}

fn url(dsn: &Dsn) -> String {
    format!("postgres://postgres:hunter2@/{}?host={}", dsn.database(), dsn.host())
}

fn ledger(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ledger").join(name).with_extension("sql").display().to_string()
}

const COMMAND: &str = "sh '{root}/tools/move.sh'";

#[tokio::test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
async fn a_release_is_walked_through_from_red_to_the_real_migration() {
    let house = House::new().await;

    house.commits("ledger-append.sh");
    house.rehearse("run --key ci.key").has(1, "NO-GO");
    house.rehearse("gate target/rehearsal/latest --policy policy.toml").has(1, "fail GEN-06");
    house.signs("bob", "engineer").has(1, "the gate is red: GEN-06 (NO-GO)");
    house.records("", COMMAND).has(1, "the rehearsal does not pass the gate");

    house.commits("ledger-copy.sh");
    house.rehearse("run --shard 1/2 --out target/part-1 --key ci.key").has(0, "GO");
    house.rehearse("run --shard 2/2 --out target/part-2 --key ci.key").has(0, "GO");
    house.rehearse("gate target/part-1/latest --policy policy.toml").has(1, "fail GEN-15");
    house.rehearse("merge target/part-1/latest target/part-2/latest --trust ci.key.pub --key ci.key").has(0, "GO");
    house.rehearse("gate target/rehearsal/latest --policy policy.toml").has(1, "SIGNOFF_MISSING");
    house.signs("dora", "engineer").has(1, "SIGNOFF_SELF: dora@example.org has written");
    house.signs("carol", "engineer").has(1, "SIGNOFF_SELF: carol@example.org has started the run");
    house.signs("bob", "engineer").has(0, "signed signoffs/0001-engineer.json");
    house.signs("bob", "release-manager").has(1, "SIGNOFF_SELF: bob@example.org has signed as engineer already");
    house.records("", COMMAND).has(1, "SIGNOFF_MISSING: an approval as release-manager");
    house.signs("anna", "release-manager").has(0, "signed signoffs/0002-release-manager.json");
    let gate = format!("gate target/rehearsal/latest --policy policy.toml --root {} --key ci.key", house.root());
    house.rehearse(&gate).has(0, "gate PASSED");
    house.rehearse(&gate).has(0, "gate PASSED");
    let seal = house.releases();
    others::agree(&house.latest("rehearsal"), house.office.dir.path());

    let gate = format!("gate target/rehearsal/latest --policy policy.toml --seal {seal}");
    house.rehearse(&gate).has(0, "gate PASSED");
    house.shell("mv target/rehearsal/latest/signoffs/0002-* .").has(0, "");
    house.rehearse(&gate).has(1, "SIGNOFF_CHAIN");
    house.shell("mv 0002-* target/rehearsal/latest/signoffs/").has(0, "");

    refuses_what_has_drifted(&house);
    house.records("--dry-run", COMMAND).has(0, "nothing has drifted");
    assert_eq!(house.asks(&house.new, "select count(*) from accounts"), "0", "something was written");
    let said = house.records("--key ci.key", COMMAND);
    said.has(0, "GO `move` of ledger/move ended as its rehearsal did");
    said.has(0, "setval"); // what the step prints is passed on
    assert_eq!(house.asks(&house.new, "select id, name from accounts"), "7|real");
    the_record_holds(&house);
}

/// Each drift is named, and nothing is started.
fn refuses_what_has_drifted(house: &House) {
    house
        .records("", "sh -x '{root}/tools/move.sh'")
        .has(1, "word 2 of the command: expected {root}/tools/move.sh, found -x");
    let said = house.records("", "sh '{root}/tools/move.sh' $LIVE_NEW");
    said.has(1, "word 3 of the command: expected nothing, found postgres://");
    house.shell(&format!("psql -q '{}' -c 'alter table accounts add column note text'", house.new)).has(0, "");
    house.records("", COMMAND).has(1, "pg.target: column public.accounts.note: expected nothing, found");
    house.shell(&format!("psql -q '{}' -c 'alter table accounts drop column note'", house.new)).has(0, "");
    house.records("--db other=env:LIVE_NEW", COMMAND).has(64, "the scenario has no such database");
    house.records("--scenario nowhere", COMMAND).has(64, "there are: ledger/move");
    house.records("--policy local", COMMAND).has(1, "asks nobody to sign the rehearsal");
    house.records(&format!("--root {}", "0".repeat(64)), COMMAND).has(1, "GEN-17");
    house.shell("cp tools/move.sh tools/kept.txt && echo '# faster' >> tools/move.sh").has(0, "");
    house.records("", COMMAND).has(1, "the tool (build");
    house.shell("mv tools/kept.txt tools/move.sh").has(0, "");
    let elsewhere = "export NEW_URL=postgres://elsewhere/db;";
    let exports = format!("{elsewhere} export LIVE_OLD='{}' LIVE_NEW='{}'", house.old, house.new);
    let record = "record target/rehearsal/latest --step move --policy policy.toml --db source=env:LIVE_OLD --db target=env:LIVE_NEW";
    let said = house.shell(&format!("{exports}; {} {record} -- {COMMAND}", env!("CARGO_BIN_EXE_rehearse")));
    said.has(1, "variable NEW_URL: expected {target}, found another value");
    for said in [&said, &house.records("", "sh '{root}/tools/move.sh' $LIVE_NEW")] {
        assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    }
    assert!(!house.office.path("target/record").exists(), "something was started");
}

/// The record verifies like any other bundle, holds what was before and after, and is no rehearsal.
fn the_record_holds(house: &House) {
    let bundle = Forged::of(&house.latest("record"));
    let verification = bundle.verify(&Expected::default());
    assert_eq!(
        (verification.status(), &verification.complaints[..]),
        (Status::Verified, &[][..]),
        "{}",
        verification.text()
    );
    let journal = fs::read_to_string(bundle.path("events.jsonl")).unwrap();
    assert!(journal.contains(&format!("\"rehearsal_sha256\":\"{}\"", house.root())), "{journal}");
    for part in ["cutover.started", "ended-as-rehearsed", "schema-as-rehearsed", "sources-unchanged"] {
        assert!(journal.contains(part), "{part}");
    }
    assert_eq!(
        bundle.states().len(),
        5,
        "the source once, the target before and after, and both as they were rehearsed"
    );
    house.rehearse("gate target/record/latest").has(1, "the record of a real migration, and no rehearsal");
    house.shell("! grep -rl hunter2 target").has(0, "");
    let gate = "gate target/record/latest --policy policy.toml --stage before-reopen";
    house.rehearse(gate).has(1, "SIGNOFF_MISSING: an approval as owner, before-reopen at the latest");
    let digits = &verification.root_sha256.unwrap()[..8];
    let sign = "signoff target/record/latest --policy policy.toml --role owner --key anna.key --confirm";
    house
        .rehearse(&format!("{sign} {digits}"))
        .has(0, "green GEN-00 GEN-01 GEN-03 GEN-05 GEN-08 GEN-06 GEN-19 GEN-02 GEN-14 GEN-13");
    house.rehearse(gate).has(0, "gate PASSED");
    house.rehearse(&gate.replace("before-reopen", "before-cutover")).has(1, "and no rehearsal");
    house.rehearse("gate target/record/latest --stage after").has(1, "fail GEN-19");
}

#[tokio::test]
async fn a_real_step_that_does_not_end_as_rehearsed_is_red_and_what_was_seen_is_sealed() {
    let house = House::new().await;
    house.commits("ledger-copy.sh");
    house.rehearse("run --key ci.key").has(0, "GO");
    house.signs("bob", "engineer").has(0, "signed");
    house.signs("anna", "release-manager").has(0, "signed");
    // No definition says so, and no rehearsal had it: the real target does not let anybody write.
    let name = house.asks(&house.new, "select current_database()");
    house.asks(&house.new, &format!("alter database {name} set default_transaction_read_only = on"));
    let said = house.records("", COMMAND);
    said.has(1, "NO-GO");
    said.has(1, "ended-as-rehearsed: after the step: how it ended: expected success, found exit 3");
    said.has(1, "cannot execute TRUNCATE TABLE in a read-only transaction");
    let bundle = Forged::of(&house.latest("record"));
    let verification = bundle.verify(&Expected::default());
    assert_eq!(
        (verification.status(), verification.verdict()),
        (Status::Verified, Verdict::Fail),
        "{}",
        verification.text()
    );
    whitewashed(&bundle);
    assert_eq!(bundle.codes(&Expected::default()), ["DERIVED_MISMATCH"]);
}

/// Makes a record green that is not, as somebody would who knows our code.
fn whitewashed(bundle: &Forged) {
    bundle.events(|events| {
        for event in events {
            match &mut event.body {
                Body::CaseFinished { outcome, checks, .. } => {
                    *outcome = Outcome::Pass;
                    for check in checks {
                        (check.verdict, check.findings_total) = (Verdict::Pass, 0);
                        check.findings.clear();
                    }
                }
                Body::ScenarioFinished { verdict, .. } | Body::RunFinished { verdict, .. } => *verdict = Verdict::Pass,
                _ => {}
            }
        }
    });
    bundle.derive();
}
