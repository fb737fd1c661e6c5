//! The documents keep their word: commands run, scenarios parse, links lead somewhere, names exist.
//!
//! Rules for `README.md` and everything under `docs/`:
//! - A `sh` block is run with `sh -eu`, in a scratch copy of `scenarios/` and `fixtures/` that the document has for
//!   itself: later blocks see what earlier ones did, but each begins in its root. It must exit 0, or as
//!   `<!-- exit: N -->` above it says. What `cargo`, `sudo` and `brew` would do is looked at, not done.
//! - A block under `<!-- file: PATH -->` is written there, whatever its language.
//! - A `toml` block is a scenario, or under `<!-- settings -->` a `rehearse.toml`.
//! - `<!-- capture: COMMAND -->` names the command whose output was pasted below; its scenarios must exist.
//! - Other `text` and all `bash` blocks are shown only.

mod catalogue;
mod ci;
mod document;
mod names;

use document::{Block, Document, documents, root};
use rehearsal::engine::Library;
use rehearsal::model::{Scenario, render};
use rehearsal::process;
use rehearsal::registry::Registry;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const REHEARSE: &str = env!("CARGO_BIN_EXE_rehearse");

#[test]
fn every_command_does_what_its_document_says() {
    let with_commands = documents().into_iter().filter(|document| document.blocks.iter().any(Block::is_run));
    let names: Vec<String> = with_commands.map(|document| run_all(&document)).collect();
    assert!(names.contains(&"README.md".to_owned()), "nothing was run: {names:?}");
}

/// Runs the blocks of a document in order; answers with its name.
fn run_all(document: &Document) -> String {
    let scratch = tempfile::tempdir().unwrap();
    for folder in ["scenarios", "fixtures"] {
        copy(&root().join(folder), &scratch.path().join(folder));
    }
    for block in &document.blocks {
        if let Some(path) = block.directive("file") {
            write(&scratch.path().join(path), &block.text);
        } else if let Some(command) = block.directive("capture") {
            assert_scenarios_exist(document, command, scratch.path());
        } else if block.is_run() {
            run_block(document, block, scratch.path());
        }
    }
    document.name.clone()
}

fn run_block(document: &Document, block: &Block, dir: &Path) {
    let (set_up, commands): (Vec<&str>, Vec<&str>) = block.text.lines().partition(|line| is_set_up(line));
    set_up.into_iter().for_each(look_at);
    if commands.is_empty() {
        return;
    }
    let output = run(&["sh", "-eu", "-c", &commands.join("\n")], dir);
    let expected = block.directive("exit").map_or(0, |code| code.parse().unwrap());
    assert_eq!(
        output.exit.code,
        Some(expected),
        "{}:{}\n{}\n{}{}",
        document.name,
        block.line,
        block.text,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What was pasted is not run again: it is run by `tests/scenarios.rs`, and takes its time.
fn assert_scenarios_exist(document: &Document, command: &str, dir: &Path) {
    let names = command.strip_prefix("rehearse run ").unwrap_or_else(|| panic!("{}: {command}", document.name));
    let argv: Vec<&str> = ["rehearse", "check"].into_iter().chain(names.split(' ')).collect();
    assert_eq!(run(&argv, dir).exit.code, Some(0), "{}: {command}", document.name);
}

/// Runs a program in the caller's environment, `rehearse` first in `PATH`.
fn run(argv: &[&str], dir: &Path) -> process::Output {
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let own = Path::new(REHEARSE).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [own].into_iter().chain(std::env::split_paths(&path));
    env.insert("PATH".into(), std::env::join_paths(path).unwrap());
    let argv: Vec<OsString> = argv.iter().map(Into::into).collect();
    process::run(&argv, dir, &env, None, "").unwrap()
}

/// Commands that build all of this once more, or change the machine.
fn is_set_up(line: &str) -> bool {
    ["cargo ", "sudo ", "brew "].iter().any(|program| line.starts_with(program))
}

fn look_at(line: &str) {
    let command = line.split('#').next().unwrap().trim();
    let words: Vec<&str> = command.split_whitespace().collect();
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    match words[..] {
        ["cargo", "xtask", command] => {
            assert!(read(".cargo/config.toml").contains("xtask = \"run --quiet --package xtask --\""));
            assert!(read("xtask/src/main.rs").contains(&format!("Some(\"{command}\")")), "{line}");
        }
        ["cargo", "test"] => assert!(read("Cargo.toml").contains("[[test]]")),
        // The message for those who lack the server names the same packages.
        ["sudo", "apt-get", "install", .., server] => assert_named_in_the_message("apt-get install", server),
        ["sudo", "dnf", "install", .., server, _client] => assert_named_in_the_message("dnf install", server),
        ["brew", "install", server] => assert_named_in_the_message("brew install", server),
        _ => panic!("no rule for `{line}`"),
    }
}

fn assert_named_in_the_message(install: &str, package: &str) {
    let message = fs::read_to_string(root().join("src/target/binaries.rs")).unwrap();
    assert!(message.contains(&format!("{install} {package}")), "{install} {package}");
}

#[test]
fn every_scenario_in_the_documents_is_right() {
    let known = Registry::builtin().known();
    let mut seen = 0;
    for document in documents() {
        for block in document.blocks.iter().filter(|block| block.language == "toml") {
            if block.has("settings") {
                assert_settings(&block.text);
                continue;
            }
            let problems = Scenario::parse("x", &block.text, &known).err().unwrap_or_default();
            assert!(problems.is_empty(), "{}", render(&document.name, &block.text, &problems));
            seen += 1;
        }
    }
    assert!(seen >= 2, "the README and the reference have one each");
}

fn assert_settings(text: &str) {
    let scratch = tempfile::tempdir().unwrap();
    write(&scratch.path().join("rehearse.toml"), text);
    let library = Library::find(scratch.path(), &scratch.path().join("unpack")).unwrap();
    assert_ne!(library.scenarios, scratch.path().join("scenarios"), "the example changes nothing");
}

/// The parser itself says which keys there are.
#[test]
fn the_reference_shows_every_key_of_a_scenario() {
    let reference = fs::read_to_string(root().join("docs/scenarios.md")).unwrap();
    let head = "format = 1\nabout = \"x\"\ndataset = \"d\"\n";
    let tables = ["", "[[step]]\n", "[[fault]]\n", "[[recovery]]\nsteps = []\n[recovery.when]\n", "[[recovery]]\n"];
    let more = ["[rerun]\n", "[[map]]\n", "[[volatile]]\n", "[expect]\n"];
    for table in tables.into_iter().chain(more) {
        let text = format!("{head}{table}no-such-key = 1\n");
        let problems = Scenario::parse("x", &text, &Registry::builtin().known()).unwrap_err();
        let help = problems[0].help.clone().unwrap_or_else(|| panic!("{table}: {problems:?}"));
        let allowed = help.split("allowed: ").nth(1).unwrap().replace(" or ", ", ");
        for key in allowed.split(", ") {
            let forms = [format!("{key} = "), format!("[{key}]"), format!("`{key}`")];
            assert!(forms.iter().any(|form| reference.contains(form)), "docs/scenarios.md lacks `{key}` of {table}");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    for document in documents() {
        for link in document.links() {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = document.path.parent().unwrap();
            let target = if path.is_empty() { document.path.clone() } else { folder.join(path) };
            assert!(link.starts_with("https://") || target.exists(), "{}: {link}", document.name);
            if !anchor.is_empty() {
                let headings = document::headings(&fs::read_to_string(&target).unwrap());
                assert!(headings.contains(&anchor.to_owned()), "{}: {link} of {headings:?}", document.name);
            }
        }
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, target).unwrap();
    }
}

/// All files below, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
