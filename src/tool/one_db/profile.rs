//! The profile: which tables of which sources go to which schemas, and the names of variables and tokens. Data.

use crate::model::canonical::sha256_hex;
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const SHIPPED: &str = include_str!("../../../fixtures/butlers/profile.toml");

/// What a one-db migration moves, and the names it goes by.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    format: u32,
    flow: String,
    /// The word that a rollback must be confirmed with.
    pub confirm_rollback: String,
    /// The target.
    pub target: Target,
    /// What each source gives.
    pub per_source: PerSource,
    /// The sources, by name; the name is the schema in the target unless `schema` says otherwise.
    pub source: BTreeMap<String, Source>,
    /// The source that all share, if there is one.
    pub shared: Option<Shared>,
    /// SHA-256 of the file, 64 hexadecimal digits.
    #[serde(skip)]
    pub digest: String,
}

/// The target database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Default variable.
    pub env: String,
    /// Mebibytes of a source's table from which on its keys and indexes are made after its rows.
    #[serde(default = "Target::keys_after_mb")]
    pub keys_after_mb: u64,
}

impl Target {
    /// What is less is copied before a key that was dropped is made again.
    fn keys_after_mb() -> u64 {
        32
    }

    pub(super) fn keys_after_bytes(&self) -> u64 {
        self.keys_after_mb.saturating_mul(1024 * 1024)
    }
}

/// What each source gives, unless its own entry says otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerSource {
    /// Schema in the source.
    pub from_schema: String,
    /// Tables, in any order.
    pub tables: Vec<String>,
}

/// One source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Default variable.
    pub env: String,
    /// Schema in the target.
    pub schema: Option<String>,
    /// Tables of its own, instead of those of `per_source`.
    pub tables: Option<Vec<String>>,
}

/// The shared source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// Default variable.
    pub env: String,
    /// Schema in the source.
    pub from_schema: String,
    /// Schema in the target.
    pub schema: String,
    /// Tables, in any order.
    pub tables: Vec<String>,
}

impl Profile {
    /// Reads a profile, or the shipped one.
    ///
    /// # Errors
    /// Environment: the file cannot be read, or says something unknown; the message has line and column.
    pub fn load(path: Option<&Path>) -> Result<Profile> {
        match path {
            None => Profile::parse(SHIPPED).map_err(|e| e.within("the shipped profile")),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| Error::io("read profile", path, e))?;
                Profile::parse(&text).map_err(|e| e.within(format!("profile {}", path.display())))
            }
        }
    }

    /// Reads the text of a profile.
    ///
    /// # Errors
    /// Environment: it says something unknown, or is not of this flow.
    pub fn parse(text: &str) -> Result<Profile> {
        let mut profile: Profile = toml::from_str(text).map_err(|e| Error::environment(e.to_string()))?;
        if profile.format != 1 || profile.flow != "one-db" {
            return Err(Error::environment("expected format = 1 and flow = \"one-db\""));
        }
        profile.digest = sha256_hex(text.as_bytes());
        Ok(profile)
    }
}
