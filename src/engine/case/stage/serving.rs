//! The servers of a stage, one or one for each version of Postgres, and what is there of the case: databases and
//! connections.

use super::own::Own;
use super::{Holding, Place, Stage, ZOMBIE_TIMEOUT};
use crate::engine::proxy::Proxy;
use crate::target::{Cluster, Pool, Server};
use crate::{Error, Result};
use futures_util::future::join_all;
use sqlx::Connection as _;
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
            let Place::Postgres { pool, database, proxy, .. } = &holding.place else { continue };
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

impl Stage<'_> {
    /// Whether its servers are the case's own.
    pub(in crate::engine) fn is_alone(&self) -> bool {
        !self.own.is_empty()
    }

    /// The server of an endpoint, where it is the case's own.
    pub(in crate::engine) fn own_server(&self, endpoint: &str) -> Option<&Server> {
        self.own(endpoint).map(|own| &own.server)
    }

    pub(super) fn own(&self, endpoint: &str) -> Option<&Own> {
        let (pool, _) = self.database(endpoint).ok()?;
        self.own.iter().find(|own| Arc::ptr_eq(&own.pool, pool))
    }

    /// All connections of the tool to the server of an endpoint end, frozen or not.
    pub(in crate::engine) async fn sever_server(&self, endpoint: &str) -> Result<()> {
        for proxy in self.proxies_of(endpoint)? {
            proxy.sever().await;
        }
        Ok(())
    }

    /// They end when what is frozen flows on.
    pub(in crate::engine) fn give_up_server(&self, endpoint: &str) -> Result<()> {
        self.proxies_of(endpoint)?.into_iter().for_each(Proxy::give_up);
        Ok(())
    }

    /// In front of the server of an endpoint, for its other endpoints too.
    fn proxies_of(&self, endpoint: &str) -> Result<Vec<&Proxy>> {
        let (pool, _) = self.database(endpoint)?;
        let servers = self.servers().into_iter().filter(|server| Arc::ptr_eq(server.pool, pool));
        Ok(servers.flat_map(|server| server.proxies).collect())
    }

    /// Drops our own connections: a server that they led to is gone.
    pub(in crate::engine) async fn forget_connections(&self) {
        self.servers().iter().for_each(|server| server.pool.forget());
        for holding in &self.holdings {
            if let Place::Postgres { observer, .. } = &holding.place {
                observer.lock().await.take();
            }
        }
    }

    /// The database of a Postgres endpoint, and the pool of its server.
    pub(in crate::engine) fn database(&self, endpoint: &str) -> Result<(&Arc<Pool>, &str)> {
        let found = self.holdings.iter().find(|holding| holding.endpoint == endpoint);
        match found.map(|holding| &holding.place) {
            Some(Place::Postgres { pool, database, .. }) => Ok((pool, database.name())),
            _ => Err(Error::bug(format!("`{endpoint}` is no Postgres database of this case"))),
        }
    }

    /// The servers that its databases are on: one, or one for each version.
    pub(in crate::engine) fn servers(&self) -> Vec<Serving<'_>> {
        Serving::of(&self.holdings)
    }

    /// Our own connections end before their databases are dropped: the server waits for what is left in steps of 100 ms.
    pub(in crate::engine) async fn close_observers(&self) {
        for holding in &self.holdings {
            if let Place::Postgres { observer, .. } = &holding.place
                && let Some(connection) = observer.lock().await.take()
            {
                let _ = connection.close().await; // the drop ends it otherwise
            }
        }
        for Serving { pool, databases, .. } in self.servers() {
            let _ = pool.wait_empty(&databases, ZOMBIE_TIMEOUT).await;
        }
    }

    /// The server and the name of a Postgres database.
    pub(in crate::engine) fn reached(&self, holding: &Holding) -> Result<(&Cluster, &str)> {
        self.database(&holding.endpoint).map(|(pool, name)| (pool.cluster(), name))
    }

    pub(super) async fn drop_databases(&self) -> Result<()> {
        self.close_observers().await;
        let dropped = self.servers().into_iter().map(async |server| server.pool.drop_all(&server.databases).await);
        join_all(dropped).await.into_iter().collect()
    }
}
