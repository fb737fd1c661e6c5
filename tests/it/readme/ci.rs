//! The files for CI name commands and flags that there are, and nothing that stays out of them.

use super::document::root;
use super::names::{commands, flags};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn every_command_in_the_files_for_ci_exists_with_its_flags() {
    let helps = commands();
    for name in ["github", "gitlab"] {
        let text = fs::read_to_string(root().join("docs/ci").join(name).with_extension("yml")).unwrap();
        let lines: Vec<&str> = text.lines().filter_map(command).collect();
        assert!(lines.len() >= 5, "{name}: {lines:?}");
        for line in lines {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let help = helps.iter().filter(|(command, _)| !command.is_empty() && words.starts_with(command));
            let (command, help) =
                help.max_by_key(|(command, _)| command.len()).unwrap_or_else(|| panic!("{name}: {line}"));
            let unknown: Vec<String> = flags(line).difference(&flags(help)).cloned().collect();
            assert!(unknown.is_empty(), "{name}: {command:?} has no {unknown:?}");
        }
    }
}

/// What follows `rehearse` where a step of a job begins with it.
fn command(line: &str) -> Option<&str> {
    let script = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
    script.strip_prefix("rehearse ")
}

#[test]
#[ignore = "other people's programs: .ci/install installs them, .ci/run runs it"]
fn the_files_for_ci_are_yaml() {
    let read = "import sys, yaml; [yaml.safe_load(open(path)) for path in sys.argv[1:]]";
    let paths = ["github", "gitlab"].map(|name| root().join("docs/ci").join(name).with_extension("yml"));
    let paths = paths.map(|path| path.display().to_string());
    let output = super::run(&["python3", "-c", read, &paths[0], &paths[1]], root());
    assert_eq!(output.exit.code, Some(0), "{}", String::from_utf8_lossy(&output.stderr)); // .ci/install installs PyYAML
    let known: BTreeSet<&str> = ["github.yml", "gitlab.yml"].into();
    let there = fs::read_dir(root().join("docs/ci")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(there.into_iter().all(|name| known.contains(name.to_str().unwrap())), "a file that nobody reads here");
}
