//! Where the servers of a run come from, and what they can do; found out once.

use super::Capability;
use super::base::Base;
use super::binaries::Binaries;
use super::cluster::{Cluster, block_aside};
use super::docker::{self, Image};
use super::guest;
use super::own::Server;
use super::remote::{Remote, Rights};
use super::session::Session;
use super::wanted::{Provider, Wanted};
use crate::model::canonical::sha256_hex;
use crate::{Error, Result};
use std::sync::OnceLock;

/// See the module.
pub struct Site {
    base: Base,
    wanted: Wanted,
    offer: OnceLock<std::result::Result<Offer, String>>,
    /// Why no server started: to wait for it again in each scenario would help nobody.
    trouble: OnceLock<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// How it came here: `local`, `fetched`, `docker`, `remote`.
    pub provider: &'static str,
    /// Which one, for people: its version, and where it is.
    pub about: String,
    /// Its major version; nothing of an image that does not say.
    pub major: Option<u32>,
    /// SHA-256 of the server program or its image; of a server that is not ours, of what it says of itself.
    pub sha256: String,
    /// Programs of this machine, where servers are made of them.
    pub binaries: Option<Binaries>,
    lacks: Vec<(Capability, String)>,
}

impl Site {
    /// Nothing is looked for yet.
    pub fn new(base: Base, wanted: Wanted) -> Site {
        Site { base, wanted, offer: OnceLock::new(), trouble: OnceLock::new() }
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
            Provider::Docker => self.of_image(docker::found(&self.image()?)?),
            Provider::Auto => match (Binaries::of_this_machine(&self.base, &self.wanted), self.image_here()) {
                (Ok(found), _) => Ok(Offer::of(found)),
                (Err(_), Some(found)) => Ok(Offer::docker(found)),
                (Err(_), None) => Binaries::find(&self.base, &self.wanted).map(Offer::of),
            },
            Provider::Local | Provider::Fetch => Binaries::find(&self.base, &self.wanted).map(Offer::of),
        }
    }

    /// Without being told, only an image that is here already is taken: to pull one takes a while. What version is in an
    /// image of somebody's is not known before it runs.
    fn image_here(&self) -> Option<docker::Found> {
        let is_unsure = self.wanted.image.is_some() && self.wanted.major.is_some();
        if is_unsure || std::env::var_os("REHEARSE_PG_BIN").is_some() {
            return None;
        }
        let found = docker::found(&self.image().ok()?).ok()?;
        found.is_here.then_some(found)
    }

    /// Whether a server would have to be fetched now, which takes a while: its version.
    pub fn would_fetch(&self) -> Option<&'static str> {
        let version = Binaries::would_fetch(&self.base, &self.wanted)?;
        (self.wanted.provider != Provider::Auto || self.image_here().is_none()).then_some(version)
    }

    fn image(&self) -> Result<Image> {
        Image::chosen(self.wanted.image.as_deref(), self.wanted.major)
    }

    fn of_image(&self, found: docker::Found) -> Result<Offer> {
        found.major.map_or(Ok(()), |major| self.fits(&format!("image {}", self.image()?), &major.to_string()))?;
        Ok(Offer::docker(found))
    }

    fn at(&self, remote: &Remote) -> Result<Offer> {
        let rights = block_aside(|| guest::probe(remote))?;
        self.fits(&remote.to_string(), &rights.server_version)?;
        match rights.makes_databases {
            true => Ok(Offer::remote(remote, &rights)),
            false => Err(remote.makes_no_databases()),
        }
    }

    /// Whether a server is of the version that was asked for.
    fn fits(&self, what: &str, version: &str) -> Result<()> {
        let is_it = |major: u32| version.split('.').next() == Some(&major.to_string());
        match self.wanted.major.is_none_or(is_it) {
            true => Ok(()),
            false => Err(Error::environment(format!("{what} is Postgres {version}: another was asked for"))),
        }
    }

    /// A running server for a session.
    ///
    /// # Errors
    /// There is none, or it does not start.
    pub async fn join(&self, session: &Session) -> Result<Cluster> {
        match self.trouble.get() {
            Some(trouble) => Err(Error::environment(trouble)),
            None => self.started(session).await.inspect_err(|error| drop(self.trouble.set(error.to_string()))),
        }
    }

    /// A server of a case's own without databases, where servers are containers; `like` is the one of all cases, whose
    /// password the tools have here too.
    ///
    /// # Errors
    /// It does not start.
    pub async fn container(&self, session: &Session, like: &Cluster) -> Result<Server> {
        docker::Container::start(&self.image()?, session, like).await.map(Server::in_container)
    }

    async fn started(&self, session: &Session) -> Result<Cluster> {
        match (&self.wanted.provider, self.offer()?) {
            (Provider::Remote(remote), _) => guest::begin(remote, session.id()).await,
            (_, Offer { binaries: Some(binaries), .. }) => Cluster::join(session, binaries).await,
            (_, Offer { binaries: None, .. }) => {
                let image = self.image()?;
                let cluster = docker::begin(&image, session).await?;
                self.fits(&format!("image {image}"), cluster.server_version()).map(|()| cluster)
            }
        }
    }
}

impl Offer {
    fn of(binaries: Binaries) -> Offer {
        let (provider, sha256, major) = (binaries.provider, binaries.sha256.clone(), Some(binaries.major()));
        let about = format!("{} in {}", binaries.version, binaries.dir.display());
        let text = "the memory of a server is limited with `prlimit`: install it (util-linux, Linux alone)";
        let memory = which::which("prlimit").is_err().then(|| (Capability::Memory, text.to_owned()));
        Offer { provider, about, major, sha256, binaries: Some(binaries), lacks: memory.into_iter().collect() }
    }

    fn remote(remote: &Remote, rights: &Rights) -> Offer {
        let sha256 = sha256_hex(rights.version.as_bytes());
        let about = format!("{remote}: {}", rights.about());
        let major = rights.server_version.split('.').next().and_then(|major| major.parse().ok());
        Offer { provider: "remote", about, major, sha256, binaries: None, lacks: rights.lacks() }
    }

    fn docker(found: docker::Found) -> Offer {
        let docker::Found { about, major, sha256, lacks, .. } = found;
        Offer { provider: "docker", about, major, sha256, binaries: None, lacks }
    }

    /// Why something cannot be done here, and what to do; nothing where it can.
    pub fn lacks(&self, need: Capability) -> Option<String> {
        let found = self.lacks.iter().find(|(lacking, _)| *lacking == need);
        found.map(|(_, why)| format!("{why}, or run with --allow-missing {need}"))
    }

    /// All that cannot be done here.
    pub fn all_that_lacks(&self) -> impl Iterator<Item = Capability> {
        self.lacks.iter().map(|(lacking, _)| *lacking)
    }

    /// How its server differs from one in use, in a sentence; nothing where it is one.
    pub fn altered(&self) -> Option<String> {
        let text = "the server runs with fsync, full_page_writes, autovacuum and jit off";
        (self.provider != "remote").then(|| text.to_owned())
    }
}
