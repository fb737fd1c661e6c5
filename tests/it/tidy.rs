//! The rules of this repository that a machine can keep: layers, names, canaries, sizes.

use rehearsal::check::CHECKS;
use rehearsal::engine::{Library, SOURCE_SHA256};
use rehearsal::fault::FAULTS;
use rehearsal::flow::FLOWS;
use rehearsal::model::Scenario;
use rehearsal::registry::Registry;
use rehearsal::report::REPORTS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module uses those of lower rows only: the last row stands lowest. `main` and the roots of crates stand above.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["gate"],
    &["engine"],
    &["registry"],
    &["flow"],
    &["target", "dataset", "fault", "check", "report", "evidence", "tool"],
    &["compare"],
    &["db", "process", "clock"],
    &["model"],
    &["error"],
];

#[test]
fn a_module_uses_lower_rows_only() {
    let wrong: Vec<String> = rust_files("src")
        .iter()
        .filter_map(|path| Some((path, module_path(path)?)))
        .flat_map(|(path, module)| violations(&path.display().to_string(), &read(path), &module))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_layers_are_kept_by_a_test_that_sees() {
    let used = |text| used_modules(text, 2).into_iter().collect::<Vec<_>>();
    assert_eq!(used("use crate::{Error, Result, check};\nuse crate::model::{Body, Phase};"), ["check", "model"]);
    assert_eq!(used("use crate::{\n    engine::{case, flow},\n    db,\n};"), ["db", "engine"]);
    assert_eq!(used("    let x = super::super::clock::now_utc();\n    use super::stage;"), ["clock"]);
    let wrong = |module: &str, text| violations("x.rs", text, &[module.to_owned(), "x".to_owned()]).len();
    assert_eq!(wrong("engine", "use crate::check::Check;"), 0);
    assert_eq!(wrong("check", "use crate::check::parity;"), 0);
    assert_eq!(wrong("check", "use crate::engine::Tier;"), 1);
    assert_eq!(wrong("check", "use crate::report::Json;"), 1, "of its own row");
    assert_eq!(module_path(&root().join("src/target/mod.rs")), Some(vec!["target".to_owned()]));
    assert!(rust_files("src").contains(&root().join("src/target/mod.rs")), "not every file is read");
    assert_eq!(used("/// See [`gate`](crate::gate).\n// crate::cli"), [""; 0]);
}

#[test]
fn every_module_has_a_row() {
    let known: BTreeSet<&str> = LAYERS.concat().into_iter().collect();
    let lib = read(&root().join("src/lib.rs"));
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let without: Vec<&str> = modules.filter(|module| !known.contains(module)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn each_part_of_an_open_set_has_one_name_and_one_file_and_is_registered() {
    named_as_their_files("fault", FAULTS.iter().map(|fault| fault.name()), &["terms", "visits"]);
    named_as_their_files("check", CHECKS.iter().map(|check| check.name()), &["canary", "outcome"]);
    named_as_their_files("flow", FLOWS.iter().map(|flow| flow.name()), &[]);
    let rest = [
        "annotations",
        "case",
        "checklist",
        "diagnosis",
        "explanation",
        "heat",
        "lanes",
        "live",
        "marks",
        "markup",
        "matrix",
        "origin",
        "phases",
        "plan",
        "red",
        "release",
        "tally",
        "terminal",
        "timeline",
        "way_back",
        "words",
        "writers",
    ];
    named_as_their_files("report", REPORTS.iter().map(|report| report.name()), &rest);
}

/// `rest`: files of the folder that hold no member of the set.
fn named_as_their_files(folder: &str, names: impl Iterator<Item = &'static str>, rest: &[&str]) {
    let names: Vec<String> = names.map(|name| name.replace(['.', '-'], "_")).collect();
    let unique: BTreeSet<&str> = names.iter().map(String::as_str).chain(rest.iter().copied()).collect();
    assert_eq!(unique.len(), names.len() + rest.len(), "{folder}: a name is taken twice");
    let files = rust_files(&format!("src/{folder}"));
    let stems: BTreeSet<&str> = files.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let stems: BTreeSet<&str> = stems.into_iter().filter(|stem| *stem != "mod").collect();
    assert_eq!(stems, unique, "src/{folder}: files, and what is registered");
}

#[test]
fn every_flow_has_a_scenario_of_its_own() {
    let scenarios = scenarios();
    for flow in FLOWS {
        let of_the_flow =
            |scenario: &&Scenario| scenario.name.starts_with(&format!("{}/", flow.name())) && scenario.flow.is_some();
        assert!(scenarios.iter().any(|scenario| of_the_flow(&scenario)), "scenarios/{}/ has none", flow.name());
    }
}

#[test]
fn every_fault_is_used_by_a_scenario_that_is_no_canary() {
    let scenarios = scenarios();
    let used: BTreeSet<&str> = scenarios
        .iter()
        .filter(|scenario| scenario.expect.is_none())
        .flat_map(|scenario| scenario.faults.iter().map(|fault| fault.kind.as_str()))
        .collect();
    let unused: Vec<&str> = FAULTS.iter().map(|fault| fault.name()).filter(|name| !used.contains(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_fault_has_a_canary_in_which_it_strikes_and_is_not_survived() {
    let scenarios = scenarios();
    let strikes = |scenario: &&Scenario| {
        scenario.expect.as_ref().is_some_and(|expect| !expect.red.is_empty() && !expect.red.contains("faults-fired"))
    };
    let deadly: BTreeSet<&str> = scenarios
        .iter()
        .filter(strikes)
        .flat_map(|scenario| scenario.faults.iter().map(|fault| fault.kind.as_str()))
        .collect();
    let without: Vec<&str> = FAULTS.iter().map(|fault| fault.name()).filter(|name| !deadly.contains(name)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn every_check_has_a_canary_that_turns_only_it_red() {
    let scenarios = scenarios();
    let shown: BTreeSet<&str> = scenarios
        .iter()
        .filter_map(|scenario| scenario.expect.as_ref())
        .filter(|expect| expect.red.len() == 1)
        .flat_map(|expect| expect.red.iter().map(String::as_str))
        .collect();
    let without: Vec<&str> = CHECKS.iter().map(|check| check.name()).filter(|name| !shown.contains(name)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn only_canaries_expect_to_turn_red() {
    for scenario in scenarios() {
        let expects_red = scenario.expect.as_ref().is_some_and(|expect| !expect.red.is_empty());
        assert_eq!(expects_red, scenario.name.starts_with("canary/"), "{}", scenario.name);
    }
}

#[test]
fn a_file_has_a_header_and_fits_into_a_head() {
    for path in [rust_files("src"), rust_files("xtask")].concat() {
        let lines = read(&path).lines().count();
        assert!(lines <= 400, "{} has {lines} lines; one idea, one file", path.display());
    }
    for path in all_rust_files() {
        assert!(read(&path).starts_with("//!"), "{} does not say what it is", path.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    for path in all_rust_files() {
        for (number, line) in read(&path).lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            // In two parts each, or this file would be found.
            for word in [concat!("todo", "!("), concat!("unimpl", "emented!("), concat!("#[ign", "ore]")] {
                assert!(!line.contains(word), "{place}: {word}");
            }
        }
    }
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    for path in text_files(root()).into_iter().filter(is_page) {
        assert!(!read(&path).contains("@@"), "{}: a figure is still to come", path.display());
    }
}

#[test]
fn nothing_depends_on_the_machine_on_which_it_was_written() {
    let words = [concat!("/wo", "rk/"), concat!("/wo", "rk\""), concat!("/ro", "ot/"), concat!("/home", "/user")];
    for path in text_files(root()) {
        let text = read(&path);
        for word in words.iter().chain(&[concat!("../sha", "red"), concat!("sha", "red/design")]) {
            assert!(!text.contains(word), "{} mentions {word}", path.display());
        }
    }
}

#[test]
fn the_digest_of_our_source_is_one() {
    assert!(SOURCE_SHA256.len() == 64 && SOURCE_SHA256.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

fn violations(path: &str, text: &str, module: &[String]) -> Vec<String> {
    let row = |name: &str| LAYERS.iter().position(|row| row.contains(&name));
    let Some(own) = row(&module[0]) else { return Vec::new() };
    used_modules(text, module.len())
        .into_iter()
        .filter(|used| *used != module[0] && row(used).is_some_and(|row| row <= own))
        .map(|used| format!("{path}: `{}` uses `{used}`, which does not stand lower", module[0]))
        .collect()
}

/// The modules of the crate that a file of `depth` names: after `crate::`, or after as many `super::` as lead there.
fn used_modules(text: &str, depth: usize) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n").replace(&"super::".repeat(depth), "crate::");
    let known: BTreeSet<&str> = LAYERS.concat().into_iter().collect();
    let rests = code.match_indices("crate::").map(|(at, found)| &code[at + found.len()..]);
    rests.flat_map(first_names).filter(|name| known.contains(name.as_str())).collect()
}

/// `model` of `model::Body`, and `check`, `engine` of `{check, engine::{case}}`.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut open, mut names, mut item) = (1, Vec::new(), String::new());
    for c in list.chars() {
        open = open + usize::from(c == '{') - usize::from(c == '}');
        match (open, c) {
            (0, _) => break,
            (1, ',') => names.push(std::mem::take(&mut item)),
            _ => item.push(c),
        }
    }
    names.push(item);
    names.iter().map(|item| name(item)).collect()
}

/// `["engine", "proxy", "frame"]` of `src/engine/proxy/frame.rs`; nothing of the roots of crates.
fn module_path(path: &Path) -> Option<Vec<String>> {
    let path = path.strip_prefix(root().join("src")).ok()?.with_extension("");
    let mut parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.retain(|part| part != "mod");
    (!["lib", "main"].contains(&parts[0].as_str())).then_some(parts)
}

fn scenarios() -> Vec<Scenario> {
    let unpack = tempfile::tempdir().unwrap();
    let library = Library::find(root(), unpack.path()).unwrap();
    let entries = library.entries(&Registry::builtin().known()).unwrap();
    entries.into_iter().map(|entry| entry.scenario.unwrap()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = text_files(&root().join(folder));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    [rust_files("src"), rust_files("tests"), rust_files("xtask"), vec![root().join("build.rs")]].concat()
}

/// All files below that are text, apart from what is built and what git keeps.
fn text_files(folder: &Path) -> Vec<PathBuf> {
    let skipped = ["target", ".git"].map(|name| root().join(name)); // of the root only: `src/target` is ours
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| !skipped.contains(path)).collect();
    paths.sort();
    let of = |path: PathBuf| if path.is_dir() { text_files(&path) } else { vec![path] };
    paths.into_iter().flat_map(of).filter(|path| fs::read_to_string(path).is_ok()).collect()
}
