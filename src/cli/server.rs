//! `--pg` and its like: which Postgres server.

use crate::Result;
use crate::target::{Provider, Wanted};
use clap::Args;

#[derive(Args)]
pub(super) struct ServerArgs {
    /// Where the Postgres server comes from: this machine, a container, fetched once with pip (auto: this machine, and
    /// fetched where it has none), or the URL of one that runs already; default: REHEARSE_PG_URL, else auto.
    // Not parsed by clap, which would print a URL that is wrong, and the password in it.
    #[arg(long, value_name = "auto|local|docker|fetch|URL")]
    pg: Option<String>,
    /// The image of containers; default: REHEARSE_PG_IMAGE, else the official one. Means --pg docker.
    #[arg(long, value_name = "NAME:TAG")]
    pg_image: Option<String>,
    /// The major version of the server, such as 15; `run` takes several, as in 15,18, and compares the verdicts.
    #[arg(long, value_name = "MAJOR", value_delimiter = ',')]
    pg_version: Vec<u32>,
}

impl ServerArgs {
    /// What is asked for, one for each version.
    ///
    /// # Errors
    /// As in [`ServerArgs::wanted`].
    pub(super) fn each(&self) -> Result<Vec<Wanted>> {
        let wanted = self.wanted()?;
        let of = |major: &u32| Wanted { major: Some(*major), ..wanted.clone() };
        let each: Vec<Wanted> = self.pg_version.iter().map(of).collect();
        Ok(if each.is_empty() { vec![wanted] } else { each })
    }

    /// What is asked for; of several versions the first.
    ///
    /// # Errors
    /// No such provider; a URL that is none, or that names production.
    pub(super) fn wanted(&self) -> Result<Wanted> {
        let variable = |name| std::env::var(name).ok();
        let by_image = || self.pg_image.as_ref().map(|_| "docker".to_owned());
        let provider = self.pg.clone().or_else(by_image).or_else(|| variable("REHEARSE_PG_URL"));
        let provider = provider.map_or(Ok(Provider::Auto), |text| text.parse())?;
        let image = self.pg_image.clone().or_else(|| variable("REHEARSE_PG_IMAGE"));
        Ok(Wanted { provider, major: self.pg_version.first().copied(), image })
    }
}
