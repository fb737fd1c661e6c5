//! The profile: which table of which file goes where, what becomes of its columns, and the names of variables. Data.

use crate::model::canonical;
use crate::{Error, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a consolidation moves, and the names it goes by.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    format: u32,
    flow: String,
    /// The word that a restore must be confirmed with.
    pub confirm_restore: String,
    /// The variables that operators set.
    pub variables: Variables,
    /// What they are when nobody sets them.
    pub defaults: Defaults,
    /// The files that are made, by name.
    pub target: BTreeMap<String, Target>,
    /// The files that are read, by name.
    pub source: BTreeMap<String, Source>,
    /// What the stand-in application writes.
    pub application: Application,
    /// The text of each target's schema, by the target's name.
    #[serde(skip)]
    pub schemas: BTreeMap<String, String>,
    /// SHA-256 of the profile and its schemas, 64 hexadecimal digits.
    #[serde(skip)]
    pub digest: String,
}

/// Names of variables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variables {
    /// `legacy` or `consolidated`.
    pub mode: String,
    /// The folder of the files.
    pub data_dir: String,
    /// Whether an application with a wrong schema must not start.
    pub require_valid_schema: String,
    /// Whether the application does not look at its schema.
    pub skip_schema_validation: String,
}

/// What holds when a variable is not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The mode.
    pub mode: String,
    /// The folder.
    pub data_dir: String,
}

/// A file that is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in the data folder.
    pub file: String,
    /// The SQL that makes it, from the profile's folder.
    pub schema: String,
    /// The table whose rows the application counts.
    pub counted: Option<String>,
}

/// A file that is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name in the data folder.
    pub file: String,
    /// The target.
    pub into: String,
    /// The tables that move.
    pub tables: Vec<String>,
    /// The tables that do not, each with the reason.
    #[serde(default)]
    pub leave_out: BTreeMap<String, String>,
    /// What is not as it was, by table.
    #[serde(default)]
    pub table: BTreeMap<String, Transform>,
}

/// What becomes of a table. Nothing said: it arrives as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Its name in the target.
    pub into: Option<String>,
    /// Columns that arrive under their own names; all of them are named where anything else is said of columns or rows.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Names of columns, old to new.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Columns of the target, each as an expression over the source's.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Columns that are not moved, each with the reason.
    #[serde(default)]
    pub drop: BTreeMap<String, String>,
    /// Only these rows, as SQL over the source.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Why the other rows stay behind.
    pub because: Option<String>,
    /// The rows of the target that are this table's, as SQL over the target; needed where several tables become one.
    pub part: Option<String>,
    /// What becomes of a row whose key came from an earlier source already.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// What becomes of a row that refers to one that is not there.
    #[serde(default)]
    pub orphans: Orphans,
}

impl Transform {
    /// Whether the target has other columns or rows than the source.
    pub fn changes_rows(&self) -> bool {
        !(self.rename.is_empty() && self.set.is_empty() && self.drop.is_empty() && self.condition.is_none())
    }
}

/// See [`Transform`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The migration refuses.
    #[default]
    Error,
    /// The row of the source that is named first in the order of their names stays; the other is counted as skipped.
    KeepFirst,
}

/// See [`Transform`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orphans {
    /// The migration refuses.
    #[default]
    Error,
    /// It moves as it is, and is told.
    Keep,
}

/// What the stand-in application does when it is asked to write.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// One statement.
    pub write: Write,
}

/// A statement with one text, and the file that it goes to in either mode.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// A source.
    pub legacy: String,
    /// A target.
    pub consolidated: String,
    /// With `?1`.
    pub sql: String,
}

const SHIPPED: &str = include_str!("../../../fixtures/debates/profile.toml");
const SHIPPED_SCHEMAS: [(&str, &str); 4] = [
    ("consolidated/core.sql", include_str!("../../../fixtures/debates/consolidated/core.sql")),
    ("consolidated/memory.sql", include_str!("../../../fixtures/debates/consolidated/memory.sql")),
    ("consolidated/analytics.sql", include_str!("../../../fixtures/debates/consolidated/analytics.sql")),
    ("consolidated/agents.sql", include_str!("../../../fixtures/debates/consolidated/agents.sql")),
];

impl Profile {
    /// Reads a profile and the schemas that it names, or the shipped ones.
    ///
    /// # Errors
    /// Environment: a file cannot be read, or says something unknown; the message has line and column.
    pub fn load(path: Option<&Path>) -> Result<Profile> {
        let Some(path) = path else {
            let shipped = |name: &str| {
                let found = SHIPPED_SCHEMAS.iter().find(|(file, _)| *file == name);
                found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| Error::bug(format!("{name} is not shipped")))
            };
            return Profile::parse(SHIPPED).and_then(|profile| profile.with_schemas(SHIPPED, shipped));
        };
        let text = std::fs::read_to_string(path).map_err(|error| Error::io("read profile", path, error))?;
        let read = |name: &str| {
            let file = path.parent().unwrap_or(path).join(name);
            std::fs::read_to_string(&file).map_err(|error| Error::io("read schema", &file, error))
        };
        let profile = Profile::parse(&text).and_then(|profile| profile.with_schemas(&text, read));
        profile.map_err(|error| error.within(format!("profile {}", path.display())))
    }

    /// Reads the text of a profile, without its schemas.
    ///
    /// # Errors
    /// Environment: it says something unknown, contradicts itself, or is not of this flow.
    pub fn parse(text: &str) -> Result<Profile> {
        let profile: Profile = toml::from_str(text).map_err(|error| Error::environment(error.to_string()))?;
        if profile.format != 1 || profile.flow != "consolidate" {
            return Err(Error::environment("expected format = 1 and flow = \"consolidate\""));
        }
        let problems = profile.problems();
        match problems.is_empty() {
            true => Ok(profile),
            false => Err(Error::environment(problems.join("\n"))),
        }
    }

    /// What a table becomes; the default where nothing is said of it.
    pub fn transform(&self, source: &str, table: &str) -> Transform {
        self.source.get(source).and_then(|source| source.table.get(table)).cloned().unwrap_or_default()
    }

    /// All transforms, with source and table.
    pub fn transforms(&self) -> impl Iterator<Item = (&str, &str, &Transform)> {
        self.source.iter().flat_map(|(name, source)| {
            source.table.iter().map(move |(table, transform)| (name.as_str(), table.as_str(), transform))
        })
    }

    fn with_schemas(mut self, text: &str, read: impl Fn(&str) -> Result<String>) -> Result<Profile> {
        let mut hash = Sha256::new_with_prefix(text);
        for (name, target) in &self.target {
            let schema = read(&target.schema)?;
            hash.update(&schema);
            self.schemas.insert(name.clone(), schema);
        }
        self.digest = canonical::hex(&hash.finalize());
        Ok(self)
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut files = BTreeSet::new();
        let targets = self.target.values().map(|target| &target.file);
        for file in targets.chain(self.source.values().map(|source| &source.file)) {
            if file.contains('/') || file.starts_with('.') || file.is_empty() {
                problems.push(format!("file `{file}`: the name of a file in the data folder is meant"));
            }
            if !files.insert(file) {
                problems.push(format!("file `{file}` is named twice"));
            }
        }
        for (name, source) in &self.source {
            if !self.target.contains_key(&source.into) {
                problems.push(format!("source.{name}: there is no [target.{}]", source.into));
            }
            for table in source.table.keys().filter(|table| !source.tables.contains(table)) {
                problems.push(format!("source.{name}.table.{table}: the table is not in `tables`"));
            }
            let unexplained = |transform: &Transform| transform.condition.is_some() && transform.because.is_none();
            for (table, _) in source.table.iter().filter(|(_, transform)| unexplained(transform)) {
                problems
                    .push(format!("source.{name}.table.{table}: say `because`: why do the other rows stay behind?"));
            }
        }
        for (name, table, transform) in self.transforms() {
            if transform.changes_rows() && transform.keep.is_empty() {
                problems.push(format!("source.{name}.table.{table}: `keep` names the columns that arrive as they are"));
            }
        }
        let write = &self.application.write;
        if !self.source.contains_key(&write.legacy) || !self.target.contains_key(&write.consolidated) {
            problems.push("application.write: `legacy` names a source, `consolidated` a target".to_owned());
        }
        problems
    }
}
