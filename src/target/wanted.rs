//! Which Postgres server a rehearsal wants.

use super::remote::Remote;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Where the server comes from, and its version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where from.
    pub provider: Provider,
    /// The major version, such as 15; nothing: any.
    pub major: Option<u32>,
    /// The image of containers, `NAME:TAG`; nothing: the official one.
    pub image: Option<String>,
}

/// Where a server comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Provider {
    /// From this machine; where it has none, fetched, unless `REHEARSE_FETCH` is `never`.
    #[default]
    Auto,
    /// From this machine or not at all.
    Local,
    /// Fetched once through the user's own pip.
    Fetch,
    /// A container of it, through Docker's engine or what speaks like it.
    Docker,
    /// One that runs already, and is not ours.
    Remote(Box<Remote>),
}

impl Provider {
    /// All that have a name, as they are spelled; any other is a URL.
    pub const NAMES: [(&'static str, Provider); 4] = [
        ("auto", Provider::Auto),
        ("local", Provider::Local),
        ("docker", Provider::Docker),
        ("fetch", Provider::Fetch),
    ];
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, Provider::NAMES.iter().find(|(_, provider)| provider == self)) {
            (Provider::Remote(remote), _) => remote.fmt(f),
            (_, named) => f.write_str(named.map_or("", |(name, _)| name)),
        }
    }
}

impl FromStr for Provider {
    type Err = Error;

    /// A name, a URL, or `env:NAME` for a URL in a variable.
    fn from_str(text: &str) -> Result<Provider> {
        if text.contains("://") || text.starts_with("env:") {
            return Remote::parse(text).map(Box::new).map(Provider::Remote);
        }
        let found = Provider::NAMES.iter().find(|(name, _)| *name == text).map(|(_, provider)| provider.clone());
        found.ok_or_else(|| {
            let names: Vec<&str> = Provider::NAMES.iter().map(|(name, _)| *name).collect();
            Error::usage(format!(
                "there is no provider `{text}`; there are: {}, or a postgres:// URL",
                names.join(", ")
            ))
        })
    }
}

impl Wanted {
    /// The same in another major version. Images are named alike: the version is the tag.
    pub(super) fn of(&self, major: u32) -> Wanted {
        let name = |image: &String| match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((name, _)) => name.to_owned(),
            None => image.clone(),
        };
        let image = self.image.as_ref().map(|image| format!("{}:{major}", name(image)));
        Wanted { provider: self.provider.clone(), major: Some(major), image }
    }

    /// Whether binaries of this major version will do.
    pub(super) fn takes(&self, major: u32) -> bool {
        self.major.is_none_or(|wanted| wanted == major)
    }
}
