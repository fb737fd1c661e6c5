//! What is run for real, beside the step that was rehearsed: words, variables and files, with the real databases in place
//! of their stand-ins.

use super::live::Live;
use crate::Result;
use crate::engine::case::launch::passed_on;
use crate::engine::case::placeholder::fill;
use crate::evidence::Redactor;
use crate::model::{Difference, Step};
use crate::process::{Executable, Spawn};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// The command, ready to run, and in what it is not the rehearsed one.
pub(super) struct Command {
    pub(super) spawn: Spawn,
    pub(super) drifts: Vec<Difference>,
}

/// What placeholders stand for.
pub(super) struct Places<'a> {
    pub(super) root: &'a Path,
    pub(super) work: &'a Path,
    pub(super) fixtures: &'a Path,
    pub(super) dataset: &'a Path,
    pub(super) lives: &'a [Live],
}

impl Places<'_> {
    fn values(&self) -> Result<BTreeMap<String, String>> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut values = BTreeMap::from([
            ("root".to_owned(), text(self.root)),
            ("work".to_owned(), text(self.work)),
            ("fixtures".to_owned(), text(self.fixtures)),
            ("dataset".to_owned(), text(self.dataset)),
            ("rehearse".to_owned(), text(Executable::find()?.path())),
        ]);
        let folder = self.lives.iter().filter_map(|live| live.path()?.parent()).next();
        values.extend(folder.map(|folder| ("files".to_owned(), text(folder))));
        values.extend(self.lives.iter().map(|live| (live.name.clone(), live.text().to_owned())));
        Ok(values)
    }
}

/// `argv` as somebody has typed it: with placeholders, or with what they stand for.
///
/// # Errors
/// A variable that the step takes from its caller is not set.
pub(super) fn command(step: &Step, argv: &[String], places: &Places<'_>, redactor: &Redactor) -> Result<Command> {
    let values = places.values()?;
    let typed = argv.iter().map(|word| fill(word, &values)).collect::<Result<Vec<String>>>()?;
    passed_on(step)?; // all that we have is passed on; what is asked for must be there
    let mut drifts = words(step, &typed, &values, redactor)?;
    let env = environment(step, &values, &mut drifts)?;
    drifts.extend(files(step, places.work, &values)?);
    Ok(Command { spawn: Spawn { env, ..Spawn::new(typed, places.work) }, drifts })
}

type Values = BTreeMap<String, String>;

fn words(step: &Step, typed: &[String], values: &Values, redactor: &Redactor) -> Result<Vec<Difference>> {
    let rehearsed = step.argv.iter().map(|word| fill(word, values)).collect::<Result<Vec<String>>>()?;
    let nothing = || "nothing".to_owned();
    let shown = |word: &String| String::from_utf8_lossy(&redactor.mask(word.as_bytes())).into_owned();
    let all = 0..rehearsed.len().max(typed.len());
    let others = all.filter(|nth| rehearsed.get(*nth) != typed.get(*nth)).map(|nth| {
        let expected = step.argv.get(nth).cloned().unwrap_or_else(nothing);
        let found = typed.get(nth).map_or_else(nothing, shown);
        drift(format!("word {} of the command", nth + 1), &expected, &found)
    });
    Ok(others.collect())
}

/// Ours, and what the scenario sets in it. A value is never told: it may hold a password.
fn environment(step: &Step, values: &Values, drifts: &mut Vec<Difference>) -> Result<BTreeMap<OsString, OsString>> {
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, template) in &step.env {
        let value = OsString::from(fill(template, values)?);
        let own = env.insert(name.into(), value.clone());
        if own.is_some_and(|own| own != value) {
            drifts.push(drift(format!("variable {name}"), template, "another value, here"));
        }
    }
    Ok(env)
}

fn files(step: &Step, work: &Path, values: &Values) -> Result<Vec<Difference>> {
    let mut drifts = Vec::new();
    for (name, template) in &step.files {
        let (expected, found) = (fill(template, values)?, fs::read_to_string(work.join(name)).ok());
        if found.as_ref() != Some(&expected) {
            let found = found.map_or("nothing", |_| "another text");
            drifts.push(drift(format!("file {name}"), "the text that the scenario gives it", found));
        }
    }
    Ok(drifts)
}

pub(super) fn drift(object: String, expected: &str, found: &str) -> Difference {
    Difference { object, expected: expected.to_owned(), found: found.to_owned() }
}
