//! The container of a case: killed, stopped, started again, paused, without a network, without memory.
//!
//! Its port stays the same however often it starts. Its data are in the container's own layer: what is in memory goes
//! when it stops.

use super::Image;
use super::engine::{Shape, answers, engine, launch, refused};
use crate::clock::Stopwatch;
use crate::target::Cluster;
use crate::target::guest;
use crate::target::own::Act;
use crate::target::session::Session;
use crate::{Error, Result};
use futures_util::StreamExt as _;
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{ContainerUpdateBody, NetworkConnectRequest, NetworkDisconnectRequest};
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder,
};

/// The network that containers are in where nobody says another.
const NETWORK: &str = "bridge";
/// More than any machine has: the engine takes no limit away, but it moves one.
const NO_LIMIT: i64 = 1 << 44;
/// How long a container may take to stop.
const PATIENCE_TO_STOP: Duration = Duration::from_secs(60);

/// One that answers, or has been told not to.
#[derive(Debug, Clone)]
pub(in crate::target) struct Container {
    id: String,
    admin: PgConnectOptions,
}

impl Container {
    /// A new one for a session, with the tools' password of the cluster that all cases share.
    ///
    /// # Errors
    /// As for that one.
    pub(in crate::target) async fn start(
        image: &Image,
        session: &Session,
        like: &Cluster,
    ) -> Result<(Container, Cluster)> {
        let (id, admin, stay) = launch(image, session, Shape::OfACase).await?;
        let container = Container { id, admin: admin.clone() };
        let password = like.tool_password().to_owned();
        Ok((container, guest::in_container(admin, session.id(), password, stay).await?))
    }

    pub(in crate::target) async fn act(&self, act: Act) -> Result<()> {
        let (engine, id) = (engine().await?, self.id.as_str());
        match act {
            Act::Crash => self.stop(&engine, "SIGKILL").await,
            Act::ShutDown => self.stop(&engine, "SIGINT").await,
            Act::Resume => {
                engine.start_container(id, None).await.map_err(refused)?;
                answers(&self.admin).await
            }
            Act::Pause => engine.pause_container(id).await.map_err(refused),
            Act::Wake => engine.unpause_container(id).await.map_err(refused),
            Act::Unplug => {
                let what = NetworkDisconnectRequest { container: id.to_owned(), force: Some(true) };
                engine.disconnect_network(NETWORK, what).await.map_err(refused)
            }
            Act::Plug => {
                let what = NetworkConnectRequest { container: id.to_owned(), endpoint_config: None };
                engine.connect_network(NETWORK, what).await.map_err(refused)?;
                answers(&self.admin).await
            }
            Act::Limit { mib } => {
                let most = self.memory(&engine).await? + (i64::from(mib) << 20);
                self.limit_memory(&engine, most).await
            }
            Act::Unlimit => {
                self.limit_memory(&engine, NO_LIMIT).await?;
                answers(&self.admin).await
            }
            Act::End => {
                let wholly = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
                engine.remove_container(id, Some(wholly)).await.map_err(refused)
            }
        }
    }

    async fn stop(&self, engine: &Docker, signal: &str) -> Result<()> {
        let how = KillContainerOptionsBuilder::new().signal(signal).build();
        engine.kill_container(&self.id, Some(how)).await.map_err(refused)?;
        let watch = Stopwatch::start();
        while self.is_running(engine).await? {
            if watch.elapsed() > PATIENCE_TO_STOP {
                let text = format!("the container of a case does not end within {} s", PATIENCE_TO_STOP.as_secs());
                return Err(Error::environment(text));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn is_running(&self, engine: &Docker) -> Result<bool> {
        let found = engine.inspect_container(&self.id, None).await.map_err(refused)?;
        Ok(found.state.and_then(|state| state.running).unwrap_or(false))
    }

    /// What all its processes have now, in bytes.
    async fn memory(&self, engine: &Docker) -> Result<i64> {
        let once = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let found = Box::pin(engine.stats(&self.id, Some(once))).next().await;
        let found = found.ok_or_else(|| Error::environment("Docker's engine does not say what a container uses"))?;
        let used = found.map_err(refused)?.memory_stats.and_then(|memory| memory.usage);
        Ok(used.and_then(|used| i64::try_from(used).ok()).unwrap_or_default())
    }

    async fn limit_memory(&self, engine: &Docker, most: i64) -> Result<()> {
        let body = ContainerUpdateBody { memory: Some(most), memory_swap: Some(most), ..Default::default() };
        engine.update_container(&self.id, body).await.map_err(refused)
    }
}
