//! Servers in containers: one for each run, bound to 127.0.0.1, with its data in memory, and one for each case that needs a
//! server of its own.
//!
//! A container carries the name of its session and the path of that session's lock. It ends with the run; when the run
//! was killed, the supervisor ends it, or the next run that wants a container.

#[cfg(feature = "docker")]
mod engine;
#[cfg(feature = "docker")]
mod own;

#[cfg(feature = "docker")]
pub(super) use engine::{begin, end_in, found};
#[cfg(feature = "docker")]
pub(super) use own::Container;

use super::Capability;
use crate::{Error, Result};
use std::fmt;

/// What containers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    name: String,
    tag: String,
}

/// The official image, and the version that is taken where none was asked for.
const OFFICIAL: (&str, u32) = ("postgres", 17);

impl Image {
    /// The one that was named; else the official one of this major version.
    ///
    /// # Errors
    /// The name has no tag: what `latest` is changes.
    pub(super) fn chosen(named: Option<&str>, major: Option<u32>) -> Result<Image> {
        let Some(named) = named else {
            let tag = major.unwrap_or(OFFICIAL.1).to_string();
            return Ok(Image { name: OFFICIAL.0.to_owned(), tag });
        };
        let without = || Error::environment(format!("image `{named}` has no tag: name it as in postgres:17"));
        let (name, tag) = named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).ok_or_else(without)?;
        Ok(Image { name: name.to_owned(), tag: tag.to_owned() })
    }
}

/// What the engine has of an image.
pub(super) struct Found {
    /// For people.
    pub(super) about: String,
    /// The version of its server, where the image says: the official ones have `PG_MAJOR` in their environment.
    pub(super) major: Option<u32>,
    /// Of the image, 64 hexadecimal digits; of its name, where it is still to be pulled.
    pub(super) sha256: String,
    /// Whether it need not be pulled.
    pub(super) is_here: bool,
    /// What the engine cannot do here, and why.
    pub(super) lacks: Vec<(Capability, String)>,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

#[cfg(not(feature = "docker"))]
mod without {
    use super::{Found, Image};
    use crate::target::cluster::Cluster;
    use crate::target::own::Act;
    use crate::target::session::Session;
    use crate::{Error, Result};

    fn missing() -> Error {
        Error::environment("this build knows no containers: build with the cargo feature `docker`, or use --pg local")
    }

    /// There is none.
    #[derive(Debug, Clone)]
    pub(in crate::target) enum Container {}

    impl Container {
        pub(in crate::target) async fn start(_: &Image, _: &Session, _: &Cluster) -> Result<(Container, Cluster)> {
            Err(missing())
        }

        pub(in crate::target) async fn act(&self, _: Act) -> Result<()> {
            match *self {}
        }
    }

    pub(in crate::target) fn found(_: &Image) -> Result<Found> {
        Err(missing())
    }

    pub(in crate::target) async fn begin(_: &Image, _: &Session) -> Result<Cluster> {
        Err(missing())
    }

    /// Another build may have left some: the next one of its kind ends them.
    pub(in crate::target) fn end_in(_: &std::path::Path) {}
}

#[cfg(not(feature = "docker"))]
pub(super) use without::{Container, begin, end_in, found};

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::named(Some("here:5000/pg:15"), None, "here:5000/pg:15")]
    #[case::official(None, None, "postgres:17")]
    #[case::official_of_a_version(None, Some(13), "postgres:13")]
    fn an_image_has_a_name_and_a_tag(#[case] named: Option<&str>, #[case] major: Option<u32>, #[case] expected: &str) {
        assert_eq!(Image::chosen(named, major).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case::none("postgres")]
    #[case::port_of_a_registry("here:5000/postgres")]
    fn an_image_without_a_tag_is_refused(#[case] named: &str) {
        let text = Image::chosen(Some(named), None).unwrap_err().to_string();
        assert!(text.contains("has no tag"), "{text}");
    }
}
