//! Names in the documents are names in the code, and the other way round.

use super::document::{Document, documents, root};
use super::{REHEARSE, files, run};
use rehearsal::ErrorKind;
use rehearsal::gate::Code;
use rehearsal::model::{Axis, Outcome, Role, Verdict};
use rehearsal::registry::Registry;
use std::collections::BTreeSet;
use std::fs;

/// Flags of other people's programs.
const FOREIGN: [&str; 8] =
    ["--strict", "--quiet", "--all-targets", "--test", "--bindir", "--help", "--version", "--data-binary"];

#[test]
fn every_flag_in_the_documents_exists_and_every_flag_is_documented() {
    let foreign: BTreeSet<String> = FOREIGN.map(str::to_owned).into();
    let bench = fs::read_to_string(root().join("xtask/bench/src/main.rs")).unwrap();
    let texts = helps().into_iter().chain([bench]);
    let own: BTreeSet<String> = texts.flat_map(|text| flags(&text)).filter(|flag| !foreign.contains(flag)).collect();
    let named: BTreeSet<String> = flags(&all_text()).into_iter().filter(|flag| !foreign.contains(flag)).collect();
    assert!(own.contains("--tier") && own.contains("--confirm-rollback"), "{own:?}");
    let invented: Vec<_> = named.difference(&own).collect();
    let missing: Vec<_> = own.difference(&named).collect();
    assert!(invented.is_empty() && missing.is_empty(), "not in the code: {invented:?}; in no document: {missing:?}");
}

#[test]
fn every_command_in_the_documents_exists() {
    let existing: BTreeSet<String> =
        commands().into_iter().filter_map(|(mut words, _)| words.drain(..).next()).collect();
    assert!(existing.contains("replay"), "{existing:?}");
    for document in documents() {
        let uses = document.text.match_indices("rehearse ").filter(|(at, _)| is_command(&document.text[..*at]));
        for (at, found) in uses {
            let rest = &document.text[at + found.len()..];
            let word: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
            assert!(existing.contains(&word), "{}: `rehearse {word}`", document.name);
        }
    }
}

/// Code begins here, and not a sentence about rehearsing.
fn is_command(before: &str) -> bool {
    ["`", "\n", "$ ", "next      "].iter().any(|end| before.ends_with(end))
}

/// What `--help` says, of every command there is.
fn helps() -> Vec<String> {
    commands().into_iter().map(|(_, help)| help).collect()
}

/// Every command there is, in words, with what its `--help` says.
pub(super) fn commands() -> Vec<(Vec<String>, String)> {
    let mut helps = Vec::new();
    let mut commands = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let argv: Vec<&str> =
            [REHEARSE].into_iter().chain(command.iter().map(String::as_str)).chain(["--help"]).collect();
        let help = String::from_utf8(run(&argv, root()).stdout).unwrap();
        let list = help.split("Commands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
        let names = list.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        let below = |name: &str| command.iter().cloned().chain([name.to_owned()]).collect::<Vec<String>>();
        commands.extend(names.map(below));
        helps.push((command, help));
    }
    helps
}

/// `--like-this`, wherever it stands.
pub(super) fn flags(text: &str) -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let begins = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let name: String = text[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if begins && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            flags.insert(format!("--{name}"));
        }
    }
    flags
}

#[test]
fn every_variable_in_the_documents_exists_and_every_variable_is_documented() {
    let code: String =
        files(&root().join("src")).iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
    assert_eq!(variables(&all_text()), variables(&code));
    let readme = documents().swap_remove(0);
    assert_eq!(variables(&readme.text), variables(&code), "all of them are in the README");
}

/// Those of the targets (`REHEARSE_TARGET_URL`) are made from the names in a scenario.
fn variables(text: &str) -> BTreeSet<String> {
    let name = |at: usize| text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect::<String>();
    let is_fixed = |name: &String| name != "REHEARSE_" && !name.ends_with("_URL");
    text.match_indices("REHEARSE_").map(|(at, _)| name(at)).filter(is_fixed).collect()
}

#[test]
fn the_page_of_verdicts_has_every_word_and_no_other() {
    let page = document("docs/verdicts.md");
    let words: Vec<&str> = first_cells(&page, "| word |");
    assert_eq!(words, Outcome::ALL.map(Outcome::word), "in the order of the lattice");
    for (outcome, row) in Outcome::ALL.iter().zip(rows(&page, "| word |")) {
        assert!(row.contains(&format!("| {} |", outcome.verdict())), "{row}");
    }
    let checks: Vec<&str> = Registry::builtin().checks.iter().map(|check| check.name()).collect();
    assert_eq!(first_cells(&page, "| check |"), checks);
    let used: BTreeSet<Axis> = Registry::builtin().faults.iter().flat_map(|fault| fault.axes()).copied().collect();
    let axes: Vec<&str> = used.into_iter().map(Axis::name).collect();
    assert_eq!(first_cells(&page, "| axis |"), axes);
}

#[test]
fn the_page_of_evidence_has_every_complaint_in_its_family() {
    let page = document("docs/evidence.md");
    let words: Vec<String> = Code::ALL.map(Code::word).to_vec();
    assert_eq!(first_cells(&page, "| complaint |"), words);
    for (code, row) in Code::ALL.iter().zip(rows(&page, "| complaint |")) {
        assert!(row.contains(&format!("| {} |", code.family())), "{row}");
    }
}

#[test]
fn the_page_of_evidence_has_every_rule_of_the_gate() {
    let files = ["decide", "rules", "criteria", "replicas", "scenarios"];
    let source = files.map(|name| fs::read_to_string(root().join(format!("src/gate/{name}.rs"))).unwrap());
    let source = source.concat();
    let rules: BTreeSet<&str> = source.match_indices("\"GEN-").map(|(at, _)| &source[at + 1..at + 7]).collect();
    assert_eq!(first_cells(&document("docs/evidence.md"), "| rule |"), rules.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_readme_has_every_exit_code_and_every_verdict() {
    let readme = document("README.md");
    let kinds = [ErrorKind::Refused, ErrorKind::Environment, ErrorKind::Evidence, ErrorKind::Usage, ErrorKind::Bug];
    let codes: BTreeSet<String> = kinds.iter().map(|kind| kind.exit_code().to_string()).chain(["0".into()]).collect();
    assert_eq!(first_cells(&readme, "| code |").into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), codes);
    for verdict in [Verdict::Pass, Verdict::Unknown, Verdict::Fail] {
        let row = format!("| {} | {} |", verdict.exit_code(), verdict.headline());
        assert!(readme.text.contains(&row), "{row}");
    }
}

#[test]
fn the_reference_names_every_role_and_every_event_has_a_line() {
    let reference = document("docs/scenarios.md");
    for role in Role::ALL {
        assert!(reference.text.contains(&format!("`{role}`")), "{role}");
    }
    let evidence = document("docs/evidence.md");
    let documented: BTreeSet<String> =
        first_cells(&evidence, "| type |").iter().flat_map(|cell| cell.split(", ")).map(str::to_owned).collect();
    let source = fs::read_to_string(root().join("src/model/event.rs")).unwrap();
    let renames = source.split("#[serde(rename = \"").skip(1).filter_map(|rest| rest.split_once('"'));
    assert_eq!(documented, renames.map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>());
}

#[test]
fn the_readme_says_of_every_flow_that_it_is_there() {
    let readme = document("README.md");
    let flows = rows(&readme, "| flow |");
    let built: Vec<&str> = Registry::builtin().flows.iter().map(|flow| flow.name()).collect();
    for row in flows {
        let is_built = built.iter().any(|flow| row.starts_with(&format!("| `{flow}` |")));
        assert_ne!(is_built, row.ends_with("not there yet |"), "{row}");
    }
}

fn document(name: &str) -> Document {
    documents().into_iter().find(|document| document.name == name).unwrap()
}

fn all_text() -> String {
    documents().into_iter().map(|document| document.text).collect()
}

/// The rows of the table whose heading begins so.
fn rows<'a>(document: &'a Document, heading: &str) -> Vec<&'a str> {
    let lines = document.text.lines().skip_while(|line| !line.starts_with(heading));
    let rows: Vec<&str> = lines.skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(!rows.is_empty(), "{} has no table {heading}", document.name);
    rows
}

fn first_cells<'a>(document: &'a Document, heading: &str) -> Vec<&'a str> {
    rows(document, heading)
        .into_iter()
        .filter_map(|row| row.split(" | ").next())
        .map(|cell| cell.trim_matches(['|', ' ', '`']))
        .collect()
}
