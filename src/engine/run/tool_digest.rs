//! Which tool was rehearsed: a digest of what it consists of, so that evidence is bound to it and a replay knows it again.

use crate::engine::library::SOURCE_SHA256;
use crate::model::{Plan, Scenario};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// 64 hexadecimal digits over the command lines, and over the contents of the declared inputs.
///
/// Nothing declared: the files that the command lines name inside the repository. The reference migrators are
/// identified by our own source besides.
///
/// # Errors
/// A pattern is malformed or matches nothing; a file cannot be read.
pub(in crate::engine) fn tool_sha256(scenario: &Scenario, plan: &Plan, root: &Path, fixtures: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for step in &plan.steps {
        hash.update(format!("{} {:?} {:?}\n", step.name, step.argv, step.files));
        if step.argv.iter().any(|part| part == "{rehearse}") {
            hash.update(SOURCE_SHA256);
        }
    }
    let files = match scenario.tool.inputs.is_empty() {
        true => named_files(plan, root, fixtures),
        false => declared_files(&scenario.tool.inputs, root)?,
    };
    for path in files {
        let bytes = fs::read(&path).map_err(|error| Error::io("read input of the tool", &path, error))?;
        let name = path.strip_prefix(root).or(path.strip_prefix(fixtures)).unwrap_or(&path);
        hash.update(format!("{} {}\n", name.display(), bytes.len()));
        hash.update(&bytes);
    }
    Ok(crate::model::canonical::hex(&hash.finalize()))
}

/// The files of `[tool] inputs`.
pub(in crate::engine) fn declared_files(patterns: &[String], root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for pattern in patterns {
        let whole = root.join(pattern);
        let malformed = |why: String| Error::environment(format!("[tool] inputs: `{pattern}` {why}"));
        let found =
            glob::glob(&whole.to_string_lossy()).map_err(|error| malformed(format!("is malformed: {error}")))?;
        let before = files.len();
        files.extend(found.flatten().filter(|path| path.is_file()));
        if files.len() == before {
            return Err(malformed(format!("matches no file in {}", root.display())));
        }
    }
    Ok(files)
}

/// Files in the repository that a command line names; programs of the system are not part of the tool.
fn named_files(plan: &Plan, root: &Path, fixtures: &Path) -> BTreeSet<PathBuf> {
    let inside = |path: &PathBuf| path.is_file() && (path.starts_with(root) || path.starts_with(fixtures));
    named_paths(plan, root, fixtures).into_iter().filter(inside).collect()
}

/// Whatever in a command line looks like a path.
fn named_paths(plan: &Plan, root: &Path, fixtures: &Path) -> BTreeSet<PathBuf> {
    let path = |part: &str| {
        let text = part.replace("{fixtures}", &fixtures.to_string_lossy()).replace("{root}", &root.to_string_lossy());
        root.join(text)
    };
    let words = plan.steps.iter().flat_map(|step| &step.argv).flat_map(|part| part.split_whitespace());
    let words = words.filter(|word| word.contains('/') || word.contains('.'));
    words.map(path).collect()
}

/// Whether `path` is one of the files that make up the tool, or was one before it was removed. Our own source is that
/// of the reference migrators, in our own repository.
pub(in crate::engine) fn is_input(scenario: &Scenario, plan: &Plan, root: &Path, fixtures: &Path, path: &Path) -> bool {
    let is_ours = plan.steps.iter().any(|step| step.argv.iter().any(|part| part == "{rehearse}"));
    let source = [root.join("src"), root.join("Cargo.toml"), root.join("Cargo.lock")];
    if is_ours && root.join("src/tool").is_dir() && source.iter().any(|source| path.starts_with(source)) {
        return true;
    }
    if scenario.tool.inputs.is_empty() {
        return named_paths(plan, root, fixtures).contains(path);
    }
    let below = path.strip_prefix(root).unwrap_or(path);
    let patterns = scenario.tool.inputs.iter().filter_map(|pattern| glob::Pattern::new(pattern).ok());
    patterns.into_iter().any(|pattern| pattern.matches_path(below))
}
