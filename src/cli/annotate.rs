//! Lines for the page of a pull request, printed where GitHub Actions reads them.

use crate::cli::say;
use crate::engine::Library;
use crate::gate::Decision;
use crate::model::RunRecord;
use crate::report::{annotation, annotations};
use std::path::{Path, PathBuf};

/// Whether somebody reads them.
fn is_read() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// What is not green, beside the scenario's file.
pub(super) fn run(record: &RunRecord, library: &Library) {
    if !is_read() {
        return;
    }
    let workspace = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    let file = |name: &str| {
        let path = library.scenarios.join(name).with_extension("toml");
        below(&path, workspace.as_deref())
            .or(below(&path, Some(&library.root)))
            .unwrap_or_else(|| path.display().to_string())
    };
    annotations(record, file).iter().for_each(|line| say(line));
}

/// The rules that say no.
pub(super) fn gate(decision: &Decision) {
    let red = decision.rulings.iter().filter(|ruling| is_read() && !ruling.passes());
    red.for_each(|ruling| say(&annotation(&format!("{} {}", ruling.rule, ruling.asks), &ruling.found)));
}

fn below(path: &Path, folder: Option<&Path>) -> Option<String> {
    path.strip_prefix(folder?).ok().map(|path| path.display().to_string())
}
