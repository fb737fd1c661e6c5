//! What is written down before the first step: what is to be done, and where.

use crate::model::Shard;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `plan.json`: what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Version of this format.
    pub format: u32,
    /// `quick`, `full` or `nightly`.
    pub tier: String,
    /// The scenarios, in the order in which they were named.
    pub scenarios: Vec<String>,
    /// Only faults of these kinds; empty: all.
    pub kinds: Vec<String>,
    /// Only this case: the token of a replay.
    pub only: Option<String>,
    /// Of these scenarios only these addresses; empty: all.
    pub again: BTreeMap<String, Vec<String>>,
    /// The time after which no case began.
    pub budget_ms: Option<u64>,
    /// What was allowed to be missing.
    pub allow_missing: Vec<String>,
    /// The part of the cases that this run takes; nothing: all.
    #[serde(default)]
    pub shard: Option<Shard>,
    /// Scenarios whose cases are not divided over parts: one part has each of them as a whole.
    #[serde(default)]
    pub undivided: Vec<String>,
    /// The kinds of fault that this build knows, sorted.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The checks that this build asks, sorted.
    #[serde(default)]
    pub checks: Vec<String>,
}

impl PlanFile {
    /// The scenarios that this run rehearses, in the order in which they were named.
    pub fn own_scenarios(&self) -> Vec<&str> {
        let names = self.scenarios.iter().map(String::as_str);
        let Some(shard) = self.shard else { return names.collect() };
        let own = shard.own("", &self.undivided);
        let is_others = |name: &str| self.undivided.iter().zip(&own).any(|(whole, own)| whole == name && !own);
        names.filter(|name| !is_others(name)).collect()
    }
}

/// `environment.json`: on what. Nothing here is part of the outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFile {
    /// Version of this format.
    pub format: u32,
    /// Version of the harness.
    pub rehearsal: String,
    /// Digest of the harness's own source, 64 hexadecimal digits.
    pub source_sha256: String,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// The server; nothing where none was started.
    pub postgres: Option<ServerFile>,
    /// The servers of endpoints that ask for another version, oldest first.
    #[serde(default)]
    pub other_versions: Vec<ServerFile>,
    /// What is not as in production, one sentence each.
    pub altered: Vec<String>,
    /// What was checked out; nothing where there is no git repository.
    #[serde(default)]
    pub checkout: Option<Checkout>,
    /// Who started it, as CI or git name them; nothing where neither does.
    #[serde(default)]
    pub runner: Option<String>,
}

impl EnvironmentFile {
    /// All servers, the run's own first.
    pub fn servers(&self) -> impl Iterator<Item = &ServerFile> {
        self.postgres.iter().chain(&self.other_versions)
    }
}

/// A server in `environment.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFile {
    /// Where it came from: `local`, `fetched`, `docker`, `remote`.
    pub provider: String,
    /// Its version.
    pub server_version: String,
    /// SHA-256 of its program or image; of a server that is not ours, of what it says of its version.
    pub sha256: String,
}

/// A checked out commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// Its name, 40 or 64 hexadecimal digits.
    pub commit: String,
    /// Whether no file of the working tree differed from it, untracked ones counted.
    pub clean: bool,
}
