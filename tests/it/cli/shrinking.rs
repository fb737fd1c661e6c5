//! `rehearse shrink`: the smallest that still fails, and a scenario of it that runs.

use super::scratch::{STUCK, Scratch, environment, root, run};
use std::path::Path;

/// From batch 15 of a hundred parcels on, the loader notes what it has not loaded yet.
const BATCHES: &str = r#"format = 1
about = "a loader that notes a batch before it is loaded"
dataset = "parcels-medium"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "load"
role = "apply"
argv = ["sh", "{fixtures}/tools/parcels-batches.sh"]
env = { OLD_URL = "{source}", NEW_URL = "{target}" }
[[fault]]
kind = "net.reset"
during = "load"
at = "pg.target:stmt.62"
"#;

fn with_fixtures(name: &str, scenario: &str) -> Scratch {
    let scratch = Scratch::with(name, scenario);
    let fixtures = format!("cp -r {} fixtures", root().join("fixtures").display());
    run(scratch.dir.path(), &environment(), &["sh", "-c", &fixtures]).has(0, "");
    scratch
}

#[test]
fn two_thousand_rows_and_a_kill_in_batch_fifteen_become_the_fewest_that_fail() {
    let scratch = with_fixtures("parcels", BATCHES);
    scratch.rehearse(&["run"]).has(1, "LIED");
    let (token, _) = scratch.injured_case();
    let said = scratch.rehearse(&["shrink", &token]);
    for part in ["LIED shrunk/parcels proc.kill@", "rows 1401 of 2000", "without the rows of table drivers"] {
        said.has(0, part);
    }
    let read = |path: &str| std::fs::read_to_string(scratch.dir.path().join(path)).unwrap();
    let scenario: toml::Table = read("scenarios/shrunk/parcels.toml").parse().unwrap();
    let at = scenario["fault"][0]["at"].as_str().unwrap().to_owned();
    assert!(at.starts_with("pg.target:stmt-") && at.ends_with(".15"), "{at}");
    assert_eq!(scenario["dataset"].as_str(), Some("parcels-shrunk-1401"));
    let data: toml::Table = read("fixtures/parcels-shrunk/dataset.toml").parse().unwrap();
    let tables = data["content"]["parcels"].as_table().unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["parcels"]);
    assert_eq!(tables["parcels"]["columns"].as_table().unwrap().len(), 1);

    // Without us: it fails as written, and one row less does not.
    scratch.rehearse(&["run", "shrunk/parcels"]).has(1, "LIED");
    let fewer = read("scenarios/shrunk/parcels.toml").replace("-1401", "-1400");
    for nth in [14, 15] {
        let fewer = fewer.replace(&at, &at.replace(".15", &format!(".{nth}")));
        scratch.write("fewer", &fewer);
        let said = scratch.rehearse(&["run", "fewer"]);
        assert_ne!(said.code, Some(1), "{said:?}");
    }
    // What is written once is not overwritten.
    let before = read("scenarios/shrunk/parcels.toml");
    scratch.rehearse(&["shrink", &token, "--budget", "0s"]).has(0, "scenarios/shrunk/parcels-2.toml");
    assert_eq!(read("scenarios/shrunk/parcels.toml"), before);
}

#[test]
fn what_does_not_fail_is_not_shrunk_and_what_could_not_run_is_not_written() {
    let scratch = Scratch::with("append", STUCK);
    scratch.rehearse(&["run"]).has(1, "STUCK");
    let (token, _) = scratch.injured_case();
    scratch.rehearse(&["shrink", &token, "--out", "elsewhere"]).has(64, "--out must be inside");
    scratch.write("append", &STUCK.replace("ledger-append", "ledger-copy").replace("refuses", "same-state"));
    scratch.rehearse(&["shrink", &token]).has(2, "so there is nothing to shrink");
    assert!(!Path::new(&scratch.dir.path().join("scenarios/shrunk")).exists());
}

#[test]
fn what_is_cut_of_a_shipped_dataset_is_the_callers_own_from_then_on() {
    let scratch = Scratch::with("append", &STUCK.replace("{fixtures}/tools", "{root}"));
    let tool = "fixtures/tools/ledger-append.sh";
    std::fs::copy(root().join(tool), scratch.dir.path().join("ledger-append.sh")).unwrap();
    scratch.rehearse(&["run"]).has(1, "STUCK");
    let (token, _) = scratch.injured_case();
    scratch.rehearse(&["shrink", &token]).has(0, "fixtures/ledger-shrunk");
    assert!(scratch.dir.path().join("fixtures/ledger-shrunk/dataset.toml").is_file());
    scratch.rehearse(&["run", "shrunk/append"]).has(1, "STUCK");
    scratch.rehearse(&["check"]).has(0, "2 scenarios are right");
}
