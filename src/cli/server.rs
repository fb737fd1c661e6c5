//! `--pg` and its like: which Postgres server.

use crate::Result;
use crate::target::{Provider, Wanted};
use clap::Args;

#[derive(Args)]
pub(super) struct ServerArgs {
    /// Where the Postgres server comes from: this machine, or fetched once with pip (auto: this machine, and fetched
    /// where it has none), or the URL of one that runs already; default: REHEARSE_PG_URL, else auto.
    // Not parsed by clap, which would print a URL that is wrong, and the password in it.
    #[arg(long, value_name = "auto|local|fetch|URL")]
    pg: Option<String>,
    /// The major version of the server, such as 15.
    #[arg(long, value_name = "MAJOR")]
    pg_version: Option<u32>,
}

impl ServerArgs {
    /// What is asked for.
    ///
    /// # Errors
    /// No such provider; a URL that is none, or that names production.
    pub(super) fn wanted(&self) -> Result<Wanted> {
        let variable = || std::env::var("REHEARSE_PG_URL").ok();
        let provider = self.pg.clone().or_else(variable).map_or(Ok(Provider::Auto), |text| text.parse())?;
        Ok(Wanted { provider, major: self.pg_version })
    }
}
