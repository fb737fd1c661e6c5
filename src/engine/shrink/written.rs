//! The result of a shrink as files: a scenario that runs, and the folder of its dataset where that was cut.

use super::Shrink;
use super::candidate::Candidate;
use crate::dataset::{Cut, apply_cut};
use crate::model::FaultSpec;
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What was written.
pub(super) struct Written {
    pub(super) file: PathBuf,
    pub(super) scenario: String,
    pub(super) dataset: Option<PathBuf>,
}

/// Writes the scenario of `best` beside those of the library; nothing is overwritten.
pub(super) fn write(what: &Shrink<'_>, best: &Candidate, folder: &Path) -> Result<Written> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dataset = match best.cut.is_nothing() {
        true => None,
        false => {
            // The caller's own, for a shipped dataset is here as long as the session is.
            let own = what.library.fixtures.first().ok_or_else(|| Error::bug("a library without fixtures"))?;
            let copy = free(own, &format!("{name}-shrunk"), "");
            cut_copy(folder, &copy, &best.cut)?;
            Some(copy)
        }
    };
    let used = dataset.as_deref().and_then(Path::file_name).map_or(name, |name| name.to_string_lossy().into_owned());
    let text = text(what, best, &used)?;
    fs::create_dir_all(&what.out).map_err(|error| Error::io("create", &what.out, error))?;
    let file = free(&what.out, &what.scenario.name.replace('/', "-"), ".toml");
    fs::write(&file, text).map_err(|error| Error::io("write", &file, error))?;
    let below = file.strip_prefix(&what.library.scenarios).unwrap_or(&file).with_extension("");
    Ok(Written { scenario: below.to_string_lossy().into_owned(), file, dataset })
}

/// `<name><suffix>`, or `<name>-2<suffix>` and so on where that is taken.
fn free(folder: &Path, name: &str, suffix: &str) -> PathBuf {
    let numbered = (2..).map(|number| folder.join(format!("{name}-{number}{suffix}")));
    let mut names = std::iter::once(folder.join(format!("{name}{suffix}"))).chain(numbered);
    names.find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

/// The file of the scenario with what was changed; all else of it stays.
fn text(what: &Shrink<'_>, best: &Candidate, dataset: &str) -> Result<String> {
    let original = fs::read_to_string(&what.file).map_err(|error| Error::io("read", &what.file, error))?;
    let mut file: Table = original.parse().map_err(|error| Error::bug("a scenario is TOML").caused_by(error))?;
    file.insert("about".into(), format!("made small: {}", what.scenario.about).into());
    file.insert("dataset".into(), format!("{dataset}-{}", best.rows).into());
    let seed = i64::try_from(what.scenario.seed).map_err(|error| Error::bug("a seed of a file").caused_by(error))?;
    file.insert("seed".into(), seed.into());
    file.remove("expect");
    let fault = what.scenario.faults.first().map(|fault| fault_table(fault, best)).unwrap_or_default();
    file.insert("fault".into(), Value::Array(vec![Value::Table(fault)]));
    let steps = file.get_mut("step").and_then(Value::as_array_mut).into_iter().flatten();
    for (step, argv) in steps.zip(&best.argv) {
        if let Some(step) = step.as_table_mut() {
            step.insert("argv".into(), argv.clone().into());
        }
    }
    let body = toml::to_string_pretty(&file).map_err(|error| Error::bug("a scenario is TOML").caused_by(error))?;
    Ok(format!("# Made from {} by `rehearse shrink`.\n{body}", what.token))
}

fn fault_table(fault: &FaultSpec, best: &Candidate) -> Table {
    let kind = |point: &crate::model::FaultPoint| match &point.arg {
        Some(arg) => format!("{}={arg}", point.kind),
        None => point.kind.clone(),
    };
    let first = best.address.first();
    let mut table = Table::new();
    table.insert("kind".into(), kind(first).into());
    table.insert("during".into(), fault.during.clone().into());
    table.insert("at".into(), first.place.to_string().into());
    if let (Some(second), Some(then)) = (best.address.points().get(1), &fault.then) {
        let mut chained = Table::new();
        chained.insert("kind".into(), kind(second).into());
        chained.insert("at".into(), second.place.to_string().into());
        chained.extend(then.during.iter().map(|step| ("during".to_owned(), step.clone().into())));
        table.insert("then".into(), chained.into());
    }
    table
}

/// A copy of a dataset's folder without what is cut.
pub(super) fn cut_copy(folder: &Path, to: &Path, cut: &Cut) -> Result<()> {
    copy(folder, to)?;
    apply_cut(to, cut)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(|error| Error::io("create", to, error))?;
    for entry in fs::read_dir(from).map_err(|error| Error::io("read", from, error))?.flatten() {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &copied)?,
            false => drop(fs::copy(&path, &copied).map_err(|error| Error::io("write", &copied, error))?),
        }
    }
    Ok(())
}
