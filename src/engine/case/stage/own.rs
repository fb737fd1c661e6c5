//! The servers of a case that does not share those of all.

use super::holding::database_name;
use crate::Result;
use crate::engine::files::Shim;
use crate::engine::points::pairs;
use crate::engine::{House, Rehearsed};
use crate::model::TargetSpec;
use crate::target::{Pool, Server};
use futures_util::future::try_join_all;
use std::sync::Arc;

/// See the module.
pub(super) struct Own {
    /// By which the servers of its endpoints are known; nothing: they are the run's own.
    pub(super) version: Option<u32>,
    pub(super) server: Server,
    pub(super) pool: Arc<Pool>,
    /// What injures its files, where a fault of the scenario does.
    pub(super) shim: Option<Shim>,
}

/// What is counted of a server's files: those of its databases. Its log has room in advance.
pub(super) const DATABASES: &str = "base/";

impl Own {
    /// One for each version that the scenario's databases are on.
    pub(super) async fn start(context: &Rehearsed<'_>, name: &str) -> Result<Vec<Own>> {
        let versions = context.run.house.versions(context.plan);
        try_join_all(versions.into_iter().map(|version| Own::of(context, version, name))).await
    }

    async fn of(context: &Rehearsed<'_>, version: Option<u32>, name: &str) -> Result<Own> {
        let house = &context.run.house;
        let name = version.map_or(name.to_owned(), |major| format!("{name}v{major}"));
        let server = house.own_server(context.dataset, context.plan, version, &name).await?;
        let shim = match context.scenario.faults.iter().any(pairs::strike_server_files) {
            true => Some(preloaded(&server, house).await?),
            false => None,
        };
        let pool = Arc::new(Pool::new(server.cluster(), house.session.id()));
        Ok(Own { version, server, pool, shim })
    }
}

/// It starts anew with the shim in it.
async fn preloaded(server: &Server, house: &House) -> Result<Shim> {
    let shim = Shim::install(&server.data()?, house.shim().await?)?;
    shim.lend()?;
    server.set_environment(shim.environment())?;
    server.shut_down().await?;
    server.resume().await?;
    Ok(shim)
}

/// The name of a database on servers of cases' own, where each scenario has but one set of them.
pub(in crate::engine) fn seeded_name(target: &TargetSpec) -> String {
    database_name(0, &target.name)
}
