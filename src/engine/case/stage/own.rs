//! The server of a case that does not share the one of all.

use super::holding::database_name;
use crate::Result;
use crate::engine::Rehearsed;
use crate::model::TargetSpec;
use crate::target::{Pool, Server};

/// See the module.
pub(super) struct Own {
    pub(super) server: Server,
    pub(super) pool: Pool,
}

impl Own {
    /// One with the scenario's databases.
    pub(super) async fn start(context: &Rehearsed<'_>, name: &str) -> Result<Own> {
        let house = &context.run.house;
        let server = house.own_server(context.dataset, context.plan, name).await?;
        let pool = Pool::new(server.cluster(), house.session.id());
        Ok(Own { server, pool })
    }
}

/// The name of a database on servers of cases' own, where each scenario has but one set of them.
pub(in crate::engine) fn seeded_name(target: &TargetSpec) -> String {
    database_name(0, &target.name)
}
