//! The servers of a stage: one, or one for each version of Postgres.

use super::{Holding, Place};
use crate::engine::proxy::Proxy;
use crate::target::Pool;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A server, with what is there of the case: endpoints, their databases and proxies, in the same order.
pub(in crate::engine) struct Serving<'s> {
    pub(in crate::engine) pool: &'s Arc<Pool>,
    pub(in crate::engine) databases: Vec<&'s str>,
    endpoints: Vec<&'s str>,
    pub(super) proxies: Vec<&'s Proxy>,
}

impl<'s> Serving<'s> {
    /// The servers that these are on, in the order of their first databases.
    pub(super) fn of(holdings: &'s [Holding]) -> Vec<Serving<'s>> {
        let mut servers: Vec<Serving<'s>> = Vec::new();
        for holding in holdings {
            let Place::Postgres { pool, database: Some(database), proxy, .. } = &holding.place else { continue };
            let known = servers.iter().position(|server| Arc::ptr_eq(server.pool, pool));
            let known = known.unwrap_or_else(|| {
                servers.push(Serving { pool, databases: Vec::new(), endpoints: Vec::new(), proxies: Vec::new() });
                servers.len() - 1
            });
            servers[known].databases.push(database.name());
            servers[known].endpoints.push(&holding.endpoint);
            servers[known].proxies.push(proxy);
        }
        servers
    }

    /// The endpoints whose databases have these names here.
    pub(in crate::engine) fn endpoints_of(&self, databases: &BTreeSet<String>) -> BTreeSet<String> {
        let named = self.databases.iter().zip(&self.endpoints).filter(|(database, _)| databases.contains(**database));
        named.map(|(_, endpoint)| (*endpoint).to_owned()).collect()
    }
}
