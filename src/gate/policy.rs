//! A policy: what has to be true of a bundle before something is done with it. Read from the verifier's own files.

use crate::evidence::attest::PublicKey;
use crate::gate::{People, TrustedKey};
use crate::model::canonical::sha256_hex;
use crate::model::{SPAN_FORMS, parse_span};
use crate::{Error, Result, clock};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Those that are shipped, by name.
const SHIPPED: [(&str, &str); 4] = [
    ("local", include_str!("policies/local.toml")),
    ("ci", include_str!("policies/ci.toml")),
    ("staging", include_str!("policies/staging.toml")),
    ("release", include_str!("policies/release.toml")),
];
const TIERS: [&str; 3] = ["quick", "full", "nightly"];

/// What has to be true. What is not said is not asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    format: u32,
    /// Its name, for people.
    pub name: String,
    /// How long ago the run may have ended, such as `24h` or `7d`.
    #[serde(default)]
    max_age: Option<String>,
    /// Whether the run must be of the commit that is checked out here.
    #[serde(default)]
    pub same_commit: bool,
    /// Whether nothing may have been changed since that commit.
    #[serde(default)]
    pub clean_tree: bool,
    /// Whether nothing may have been left out: no `--kind`, `--failed`, `--budget` that ran out, or `--allow-missing`.
    #[serde(default)]
    pub whole_plan: bool,
    /// Whether the criteria of the runbooks that block must be green.
    #[serde(default)]
    pub criteria: bool,
    /// The least thorough tier.
    #[serde(default)]
    pub tier: Option<String>,
    /// Scenarios that must be there and green; `one-db/*` means at least one of them.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// Whether what was asked must be what the scenario files here ask.
    #[serde(default)]
    pub same_scenarios: bool,
    /// How many green runs must have come to one outcome, this one counted.
    #[serde(default)]
    pub replicas: Option<u32>,
    /// The tools that may have been rehearsed, by digest; empty: any.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The datasets, with their seeds, by digest; empty: any.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// Whether one of `signer` must have signed it.
    #[serde(default)]
    pub signed: bool,
    /// Machines whose keys are trusted.
    #[serde(default)]
    signer: Vec<Signer>,
    /// Who has to agree; nothing: nobody is asked.
    #[serde(default)]
    pub signoffs: Option<People>,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub sha256: String,
    /// The folder that paths start at.
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signer {
    name: String,
    key: PathBuf,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    revoked: bool,
}

impl Policy {
    /// The shipped policy of that name, or the one in that file.
    ///
    /// # Errors
    /// The environment: no such file, or it is not right.
    pub fn find(name: &str) -> Result<Policy> {
        let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name);
        match shipped {
            Some((_, text)) => Policy::parse(text, Path::new(name)),
            None => {
                let path = Path::new(name);
                let names = SHIPPED.map(|(name, _)| name).join(", ");
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::io("read the policy", path, error).within(format!("no shipped policy ({names}) and no file"))
                })?;
                Policy::parse(&text, path)
            }
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Policy> {
        let wrong = |what: String| Error::environment(format!("policy {}: {what}", path.display()));
        let mut policy: Policy = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if policy.format != 1 {
            return Err(wrong(format!("format {} is not known; this version reads 1", policy.format)));
        }
        if let Some(tier) = policy.tier.as_deref().filter(|tier| !TIERS.contains(tier)) {
            return Err(wrong(format!("no tier `{tier}`; there are: {}", TIERS.join(", "))));
        }
        for signer in &mut policy.signer {
            let until = signer.until.take();
            signer.until = match until {
                Some(until) => Some(end(&until).ok_or_else(|| wrong(format!("`{until}` is no time in RFC 3339")))?),
                None => None,
            };
        }
        policy.sha256 = sha256_hex(text.as_bytes());
        policy.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if let Some(people) = &mut policy.signoffs {
            people.settle(&policy.folder).map_err(wrong)?;
        }
        policy.max_age_s().map_err(wrong)?;
        Ok(policy)
    }

    /// In seconds.
    pub(super) fn max_age_s(&self) -> std::result::Result<Option<i64>, String> {
        self.max_age.as_deref().map(|text| seconds("max_age", text)).transpose()
    }

    /// The keys of its machines.
    ///
    /// # Errors
    /// The environment: a key cannot be read; none is named, though it must be signed.
    pub(super) fn trusted(&self) -> Result<Vec<TrustedKey>> {
        if self.signed && self.signer.is_empty() {
            let what = "asks for a signature and names no [[signer]]: copy it, and add `name` and `key`, a file like ci.key.pub";
            return Err(Error::environment(format!("policy {} {what}", self.name)));
        }
        let key = |signer: &Signer| {
            let key = PublicKey::read(&self.folder.join(&signer.key))?;
            Ok(TrustedKey { name: signer.name.clone(), key, until: signer.until.clone(), revoked: signer.revoked })
        };
        self.signer.iter().map(key).collect()
    }

    /// Whether a tier is thorough enough.
    pub(super) fn allows_tier(&self, tier: &str) -> bool {
        let place = |tier: &str| TIERS.iter().position(|known| *known == tier);
        self.tier.as_deref().is_none_or(|least| place(tier) >= place(least))
    }
}

/// A length of time in seconds; `key` says where it stands.
pub(super) fn seconds(key: &str, text: &str) -> std::result::Result<i64, String> {
    let span = parse_span(text).and_then(|span| i64::try_from(span.as_secs()).ok());
    span.ok_or_else(|| format!("{key} `{text}`: {SPAN_FORMS}"))
}

/// The end of a day, or a time as it is.
fn end(text: &str) -> Option<String> {
    let is_day = text.len() == 10;
    clock::parse_utc(&if is_day { format!("{text}T23:59:59") } else { text.to_owned() })
}
