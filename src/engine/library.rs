//! Where scenarios and fixtures are found: the caller's repository, else those that are shipped inside the command.

use crate::model::{Known, Problem, Scenario, guess, is_name, render};
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of `scenarios/` and `fixtures/`, by path; they are in the executable.
static SHIPPED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Digest of the source of this very version: the digest of the built-in tools.
pub const SOURCE_SHA256: &str = env!("REHEARSAL_SOURCE_SHA256");

/// A place with scenarios and fixtures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The root of the repository; patterns of `[tool] inputs` and working paths start here.
    pub root: PathBuf,
    /// The folder of scenario files.
    pub scenarios: PathBuf,
    /// Folders of fixtures, the caller's own first.
    pub fixtures: Vec<PathBuf>,
}

/// `rehearse.toml` in the root of a repository: where its files are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    format: u32,
    #[serde(default = "default_scenarios")]
    scenarios: PathBuf,
    #[serde(default = "default_fixtures")]
    fixtures: PathBuf,
}

fn default_scenarios() -> PathBuf {
    PathBuf::from("scenarios")
}

fn default_fixtures() -> PathBuf {
    PathBuf::from("fixtures")
}

/// A scenario file, read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path under the folder of scenarios, without `.toml`.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// What it says, or all that is wrong with it.
    pub scenario: std::result::Result<Scenario, String>,
}

impl Library {
    /// The library of the repository around `here`: the nearest folder with `rehearse.toml` or `scenarios/`.
    /// Where there is none, the shipped one, unpacked into `unpack`.
    ///
    /// # Errors
    /// `rehearse.toml` does not parse; the shipped files cannot be unpacked.
    pub fn find(here: &Path, unpack: &Path) -> Result<Library> {
        let shipped = unpack.join("shipped");
        let own = here.ancestors().find(|dir| dir.join("rehearse.toml").is_file() || dir.join("scenarios").is_dir());
        let Some(root) = own else {
            unpack_shipped(&shipped)?;
            return Ok(Library {
                root: here.to_owned(),
                scenarios: shipped.join("scenarios"),
                fixtures: vec![shipped.join("fixtures")],
            });
        };
        let settings = read_settings(root)?;
        let mut fixtures = vec![root.join(settings.fixtures)];
        // Our own repository has them all; elsewhere the shipped datasets can be named too.
        if !fixtures[0].join("butlers").is_dir() {
            unpack_shipped(&shipped)?;
            fixtures.push(shipped.join("fixtures"));
        }
        Ok(Library { root: root.to_owned(), scenarios: root.join(settings.scenarios), fixtures })
    }

    /// All scenarios, sorted by name; a file that does not parse has its problems in place of its meaning.
    ///
    /// # Errors
    /// The folder cannot be read, or a file has a name that no token could hold.
    pub fn entries(&self, known: &Known) -> Result<Vec<Entry>> {
        let mut paths = Vec::new();
        collect(&self.scenarios, &mut paths)?;
        paths.sort();
        paths.into_iter().map(|path| self.entry(path, known)).collect()
    }

    fn entry(&self, path: PathBuf, known: &Known) -> Result<Entry> {
        let name = path.strip_prefix(&self.scenarios).unwrap_or(&path).with_extension("");
        let name = name.to_string_lossy().into_owned();
        if !name.split('/').all(|part| is_name(part) && !part.contains('.')) {
            let text = format!("{}: the name of a scenario has letters, digits, `_` and `-` only", path.display());
            return Err(Error::environment(text));
        }
        let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
        let shown = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
        let all = |problems: Vec<Problem>| render(&shown, &text, &problems);
        Ok(Entry { scenario: Scenario::parse(&name, &text, known).map_err(all), name, path })
    }

    /// The scenarios with these names: whole names, file paths, or folders such as `one-db`. None: all.
    ///
    /// # Errors
    /// A name that matches nothing; the message lists what there is.
    pub fn select(&self, known: &Known, names: &[String]) -> Result<Vec<Entry>> {
        let entries = self.entries(known)?;
        let plain = |name: &str| {
            let path = Path::new(name);
            let below = path.strip_prefix(&self.scenarios).ok().or(path.strip_prefix("scenarios").ok());
            below.unwrap_or(path).with_extension("").to_string_lossy().into_owned()
        };
        let wanted: Vec<String> = names.iter().map(|name| plain(name.trim_end_matches('/'))).collect();
        let is_in = |entry: &Entry, name: &str| entry.name == name || entry.name.starts_with(&format!("{name}/"));
        if let Some(lost) = wanted.iter().find(|name| !entries.iter().any(|entry| is_in(entry, name))) {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            let (folder, guess, there) = (self.scenarios.display(), guess(lost, &names), what_there_is(&names));
            return Err(Error::usage(format!("no scenario `{lost}` in {folder}; {guess}{there}")));
        }
        let chosen = |entry: &Entry| wanted.is_empty() || wanted.iter().any(|name| is_in(entry, name));
        Ok(entries.into_iter().filter(chosen).collect())
    }
}

/// So many names are listed; of more, only the folders.
const LISTED: usize = 20;

fn what_there_is(names: &[&str]) -> String {
    if names.len() > LISTED {
        let folders: BTreeSet<&str> = names.iter().map(|name| name.split('/').next().unwrap_or(name)).collect();
        let folders = folders.into_iter().collect::<Vec<_>>().join(", ");
        return format!("there are {} in {folders}; `rehearse list` names them", names.len());
    }
    format!("there are: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

fn read_settings(root: &Path) -> Result<Settings> {
    let path = root.join("rehearse.toml");
    if !path.is_file() {
        return Ok(Settings { format: 1, scenarios: default_scenarios(), fixtures: default_fixtures() });
    }
    let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
    let settings: Settings =
        toml::from_str(&text).map_err(|error| Error::environment(format!("{}: {error}", path.display())))?;
    match settings.format {
        1 => Ok(settings),
        _ => Err(Error::environment(format!("{}: this version reads `format = 1` only", path.display()))),
    }
}

/// Unpacks what is shipped; files that are there already are the same and stay.
fn unpack_shipped(into: &Path) -> Result<()> {
    for (name, bytes) in SHIPPED {
        let path = into.join(name);
        let folder = path.parent().unwrap_or(into);
        fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        fs::write(&path, bytes).map_err(|error| Error::io("write", &path, error))?;
    }
    Ok(())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| Error::io("read", folder, error))?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_scenarios_are_listed_and_of_many_the_folders() {
        let named = |number: usize| (0..number).map(|nth| format!("{}/{nth}", ["b", "a"][nth % 2])).collect::<Vec<_>>();
        let said = |number| what_there_is(&named(number).iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(said(0), "there are: none");
        assert_eq!(said(2), "there are: b/0, a/1");
        assert_eq!(said(21), "there are 21 in a, b; `rehearse list` names them");
    }
}
