//! Where the servers of a run come from, and what they can do; found out once.

use super::Capability;
use super::base::Base;
use super::binaries::Binaries;
use super::cluster::Cluster;
use super::remote::{Remote, Rights};
use super::session::Session;
use super::stay;
use super::wanted::{Provider, Wanted};
use crate::model::canonical::sha256_hex;
use crate::{Error, Result};
use std::sync::OnceLock;

/// See the module.
pub struct Site {
    base: Base,
    wanted: Wanted,
    offer: OnceLock<std::result::Result<Offer, String>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// How it came here: `local`, `fetched`, `remote`.
    pub provider: &'static str,
    /// SHA-256 of the server program; of a server that is not ours, of what it says of itself.
    pub sha256: String,
    /// Programs of this machine, where servers are made of them.
    pub binaries: Option<Binaries>,
    lacks: Vec<(Capability, String)>,
}

impl Site {
    /// Nothing is looked for yet.
    pub fn new(base: Base, wanted: Wanted) -> Site {
        Site { base, wanted, offer: OnceLock::new() }
    }

    /// Where servers and sessions live.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// What there is, looked for at the first call: a server that is not ours is asked what it allows.
    ///
    /// # Errors
    /// No server; says what was tried, and how to get one.
    pub fn offer(&self) -> Result<&Offer> {
        let found = self.offer.get_or_init(|| self.look().map_err(|error| error.to_string()));
        found.as_ref().map_err(Error::environment)
    }

    fn look(&self) -> Result<Offer> {
        match &self.wanted.provider {
            Provider::Remote(remote) => self.at(remote),
            _ => Binaries::find(&self.base, &self.wanted).map(Offer::of),
        }
    }

    fn at(&self, remote: &Remote) -> Result<Offer> {
        let rights = rights(remote)?;
        let version = &rights.server_version;
        let fits = self.wanted.major.is_none_or(|major| version.split('.').next() == Some(&major.to_string()));
        match () {
            () if !fits => Err(Error::environment(format!("{remote} is Postgres {version}: another was asked for"))),
            () if !rights.makes_databases => Err(remote.makes_no_databases()),
            () => Ok(Offer::remote(&rights)),
        }
    }

    /// A running server for a session.
    ///
    /// # Errors
    /// There is none, or it does not start.
    pub async fn join(&self, session: &Session) -> Result<Cluster> {
        match (&self.wanted.provider, self.offer()?) {
            (Provider::Remote(remote), _) => stay::begin(remote, session.id()).await,
            (_, Offer { binaries: Some(binaries), .. }) => Cluster::join(session, binaries).await,
            (_, Offer { binaries: None, .. }) => Err(Error::bug("an offer without a server")),
        }
    }
}

impl Offer {
    fn of(binaries: Binaries) -> Offer {
        let (provider, sha256) = (binaries.provider, binaries.sha256.clone());
        Offer { provider, sha256, binaries: Some(binaries), lacks: Vec::new() }
    }

    fn remote(rights: &Rights) -> Offer {
        let sha256 = sha256_hex(rights.version.as_bytes());
        Offer { provider: "remote", sha256, binaries: None, lacks: rights.lacks() }
    }

    /// Why something cannot be done here, and what to do; nothing where it can.
    pub fn lacks(&self, need: Capability) -> Option<String> {
        let found = self.lacks.iter().find(|(lacking, _)| *lacking == need);
        found.map(|(_, why)| format!("{why}, or run with --allow-missing {need}"))
    }

    /// How its server differs from one in use, in a sentence; nothing where it is one.
    pub fn altered(&self) -> Option<String> {
        let text = "the server runs with fsync, full_page_writes, autovacuum and jit off";
        (self.provider != "remote").then(|| text.to_owned())
    }
}

/// From a thread of its own: whoever asks may be in a runtime that must not wait.
fn rights(remote: &Remote) -> Result<Rights> {
    let ask = || super::cluster::block_on(stay::probe(remote))?;
    let asked = std::thread::scope(|scope| scope.spawn(ask).join());
    asked.unwrap_or_else(|_| Err(Error::bug("the thread that asks a server has panicked")))
}
