//! `docs/catalogue.md` is generated from what is registered and from the headers of its files.

use super::document::root;
use rehearsal::model::Axis;
use rehearsal::registry::Registry;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

const PATH: &str = "docs/catalogue.md";
const UPDATE: &str = "UPDATE=1 cargo test --test it readme";

#[test]
fn the_catalogue_is_up_to_date() {
    let path = root().join(PATH);
    let expected = catalogue();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{PATH} is behind the code: run `{UPDATE}`");
}

fn catalogue() -> String {
    let registry = Registry::builtin();
    let mut text = format!("# Catalogue\n\nGenerated; run `{UPDATE}`.\n\n## Flows\n");
    for flow in &registry.flows {
        section(&mut text, "flow", flow.name(), flow.about());
        writeln!(text, "\nSteps: {}.", code(flow.steps().iter().copied())).unwrap();
    }
    text += "\n## Faults\n";
    for fault in &registry.faults {
        section(&mut text, "fault", fault.name(), fault.about());
        writeln!(text, "\nAxes: {}.", code(fault.axes().iter().map(|axis| axis.name()))).unwrap();
    }
    text += "\n## Axes\n\nWhat is counted at an endpoint, and where faults strike today.\n\n";
    let used: BTreeSet<Axis> = registry.faults.iter().flat_map(|fault| fault.axes()).copied().collect();
    for axis in used {
        writeln!(text, "- `{}`: {}", axis.name(), doc_of(axis)).unwrap();
    }
    text += "\n## Checks\n";
    for check in &registry.checks {
        section(&mut text, "check", check.name(), check.about());
    }
    text += "\n## Reports\n\n";
    for report in &registry.reports {
        writeln!(text, "- `{}`: the file `{}`", report.name(), report.file()).unwrap();
    }
    text
}

/// Name and sentence, then what the header of its file says besides.
fn section(text: &mut String, kind: &str, name: &str, about: &str) {
    let path = format!("src/{kind}/{}.rs", name.replace(['.', '-'], "_"));
    let header = header(&path);
    let title = format!("`{name}`: ");
    assert!(header.starts_with(&title), "{path} must begin with `//! {title}`");
    write!(text, "\n### {name}\n\n{about}\n").unwrap();
    if let Some((_, rest)) = header.split_once("\n\n") {
        write!(text, "\n{rest}\n").unwrap();
    }
}

/// The `//!` lines at the top of a file.
fn header(path: &str) -> String {
    let source = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The doc comment of a variant.
fn doc_of(axis: Axis) -> String {
    let source = fs::read_to_string(root().join("src/model/address.rs")).unwrap();
    let (before, _) = source.split_once(&format!("\n    {axis:?},")).unwrap();
    let line = before.lines().next_back().unwrap();
    line.trim().strip_prefix("/// ").expect("every axis is documented").to_owned()
}

fn code<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
