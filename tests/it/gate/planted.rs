//! A password that is planted wherever a step can let one out is in no byte of the bundle.

use super::{ENCODINGS, SECRET};
use crate::cli::Scratch;
use std::fs;
use std::ops::Add as _;
use std::path::{Path, PathBuf};

/// Prints it in every encoding, in a database URL and as a flag, writes it into its report, and, when it runs again after
/// it was killed, into a row that should not be there.
const TOOL: &str = r#"#!/bin/sh
set -eu
cat "$1/encodings" && cat "$1/encodings" >&2
echo "connecting to postgres://app:$API_TOKEN@db/live?sslmode=require"
printf '{"status":"ok","note":"%s"}' "$(cat "$1/in-json")" > report.json
again=no && test -e begun && again=yes
touch begun
sql="psql -X -q -v ON_ERROR_STOP=1"
$sql "$OLD_URL" -c 'copy accounts (id, name, email, opened_on) to stdout' > accounts.txt
$sql "$OLD_URL" -c 'copy entries (id, account_id, amount, memo) to stdout' > entries.txt
{ cat "$1/copy.sql"; if test "$again" = yes; then cat "$1/row.sql"; fi; echo 'commit;'; } | $sql "$NEW_URL"
rm begun
"#;

const COPY: &str = r#"begin;
truncate entries, accounts;
\copy accounts (id, name, email, opened_on) from accounts.txt
\copy entries (id, account_id, amount, memo) from entries.txt
select setval('accounts_id_seq', (select max(id) from accounts));
"#;

const SCENARIO: &str = r#"format = 1
about = "lets a password out wherever it can"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "copy"
role = "apply"
argv = ["sh", "{root}/tool.sh", "{root}", "--dsn=postgres://app:@SECRET@@db/live", "password=@SECRET@"]
env = { OLD_URL = "{source}", NEW_URL = "{target}", DSN = "postgres://app:@SECRET@@db/live" }
env_from = ["API_TOKEN"]
claims = { report = "report.json", ok = "/status = ok" }
[[fault]]
kind = "proc.kill"
during = "copy"
at = "pg.target:commit.1"
"#;

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_planted_password_is_in_no_byte_of_the_bundle() {
    let in_toml = SECRET.replace('\\', "\\\\").replace('"', "\\\"");
    let mut scratch = Scratch::with("leaks", &SCENARIO.replace("@SECRET@", &in_toml));
    scratch.env.insert("API_TOKEN".into(), SECRET.into());
    let put = |name: &str, text: &str| fs::write(scratch.dir.path().join(name), text).unwrap();
    put("tool.sh", TOOL);
    put("encodings", &ENCODINGS.map(|text| format!("said {text} and more\n")).concat());
    put("in-json", ENCODINGS[2]);
    let id = "00000000-0000-4000-8000-000000000001";
    put("copy.sql", COPY);
    put("row.sql", &format!("insert into entries values ('{id}', 1, 1, '{SECRET}');\n"));
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let bundle = scratch.bundle();
    let files = files(&bundle);
    let has = |ending: &str| files.iter().any(|path| path.to_string_lossy().ends_with(ending));
    assert!(has("stdout.log") && has("stderr.log") && has("diff.jsonl"), "nothing was let out: {files:?}");
    for path in &files {
        let bytes = fs::read(path).unwrap();
        for text in ENCODINGS.map(str::as_bytes) {
            assert!(!bytes.windows(text.len()).any(|part| part == text), "{}", path.display());
        }
    }
    let root = bundle.display().to_string();
    scratch.rehearse(&["verify", &root, "--secret-env", "API_TOKEN"]).has(0, "verified; the run is NO-GO");
    fs::write(bundle.join("README.txt"), SECRET).unwrap();
    scratch.rehearse(&["verify", &root, "--secret-env", "API_TOKEN"]).has(3, "SECRET_LEAK README.txt");
}

/// Names and definitions: a column, a default, a comment, a variable, and who is connected.
const QUIET_TOOL: &str = r#"set -eu
sql="psql -X -q -v ON_ERROR_STOP=1"
$sql "$OLD_URL" -c 'copy accounts (id, name, email, opened_on) to stdout' > accounts.txt
$sql "$OLD_URL" -c 'copy entries (id, account_id, amount, memo) to stdout' > entries.txt
PGAPPNAME="$API_TOKEN" $sql "$NEW_URL" -f "$1/quiet.sql"
"#;

#[test]
fn a_password_in_a_name_is_masked_the_bundle_verifies_and_says_so() {
    let in_toml = SECRET.replace('\\', "\\\\").replace('"', "\\\"");
    let variable = format!("NEW_URL = \"{{target}}\", \"X_{in_toml}\" = \"1\"");
    let scenario = SCENARIO.split("claims").next().unwrap().replace("NEW_URL = \"{target}\"", &variable);
    let mut scratch = Scratch::with("leaks", &scenario.replace("@SECRET@", "none"));
    scratch.env.insert("API_TOKEN".into(), SECRET.into());
    let put = |name: &str, text: &str| fs::write(scratch.dir.path().join(name), text).unwrap();
    put("tool.sh", QUIET_TOOL);
    let name = SECRET.replace('"', "\"\"");
    let sql = format!(
        "create table if not exists leak (id int, \"{name}\" text default '{SECRET}');\n\
         comment on table leak is 'so: {SECRET}';\ncommit;\n"
    );
    put("quiet.sql", &COPY.to_owned().add(&sql));
    scratch.rehearse(&["run"]).has(1, "NO-GO");
    let bundle = scratch.bundle();
    let doubled = [name.clone(), name.replace('"', "\\\"")];
    for path in files(&bundle) {
        let bytes = fs::read(&path).unwrap();
        for text in ENCODINGS.into_iter().chain(doubled.iter().map(String::as_str)).map(str::as_bytes) {
            assert!(!bytes.windows(text.len()).any(|part| part == text), "{}", path.display());
        }
    }
    let root = bundle.display().to_string();
    scratch.rehearse(&["verify", &root, "--secret-env", "API_TOKEN"]).has(0, "verified; the run is NO-GO");
    let note = "a secret was found in what a database held, states/";
    assert!(fs::read_to_string(bundle.join("events.jsonl")).unwrap().contains(note));
    let gate = scratch.rehearse(&["gate", &root]);
    gate.has(1, "fail GEN-06");
}
