//! What is asked of the engine, through testcontainers and its client.

use super::{Found, Image};
use crate::clock::Stopwatch;
use crate::db::{Dsn, postgres};
use crate::model::canonical::{hex, sha256_hex};
use crate::target::cluster::{APPLICATION, Cluster, block_aside};
use crate::target::image::{ADMIN_ROLE, SETTINGS};
use crate::target::session::{Session, random};
use crate::target::stay::Stay;
use crate::target::{Capability, guest, lock};
use crate::{Error, Result};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testcontainers::bollard::models::{
    ContainerSummary, HostConfig, ImageInspect, PortBinding, SystemInfo, SystemInfoCgroupVersionEnum,
};
use testcontainers::bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use testcontainers::bollard::{Docker, errors::Error as EngineError};
use testcontainers::core::client::docker_client_instance;
use testcontainers::{ContainerAsync, ImageExt as _, runners::AsyncRunner as _};
use testcontainers_modules::postgres::Postgres;

/// Labels of a container: whose it is.
const SESSION: &str = "rehearse.session";
const LOCK: &str = "rehearse.lock";
const MACHINE: &str = "rehearse.machine";
/// Which one it is.
const OWN: &str = "rehearse.container";

/// In the directory of a session that has a container, from before it is made.
const MARKER: &str = "container";

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an engine is asked to end containers.
const ATTEMPTS: u32 = 3;
/// How long a server may take to be ready once its container runs, where `REHEARSE_PG_START_S` does not say.
const PATIENCE_TO_START_S: u64 = 60;

/// What there is of an image.
///
/// # Errors
/// The engine does not answer.
pub(in crate::target) fn found(image: &Image) -> Result<Found> {
    block_aside(async || {
        let engine = engine().await?;
        let version = engine.version().await.ok().and_then(|found| found.version).unwrap_or_default();
        let image_here = engine.inspect_image(&image.to_string()).await.ok();
        let major = image_here.as_ref().and_then(major);
        let id = image_here.and_then(|found| found.id);
        let is_here = id.is_some();
        let sha256 = id.map(|id| id.trim_start_matches("sha256:").to_owned());
        let sha256 = sha256.unwrap_or_else(|| sha256_hex(image.to_string().as_bytes()));
        let place = if is_here { "is here" } else { "is not here, and would be pulled" };
        let lacks = lacks(&engine.info().await.unwrap_or_default());
        Ok(Found { about: format!("engine {version}; image {image} {place}"), major, sha256, is_here, lacks })
    })
}

fn major(image: &ImageInspect) -> Option<u32> {
    let variables = image.config.as_ref()?.env.as_ref()?;
    variables.iter().find_map(|variable| variable.strip_prefix("PG_MAJOR=")?.parse().ok())
}

/// What the engine says of itself; one that is not root's needs cgroups of version 2.
fn lacks(info: &SystemInfo) -> Vec<(Capability, String)> {
    let options = info.security_options.iter().flatten();
    let is_rootless = options.into_iter().any(|option| option.contains("rootless"));
    let is_old = info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_1);
    let pause = (is_rootless && is_old).then(|| {
        (Capability::Pause, "the engine pauses nothing: it is rootless, with cgroups of version 1".to_owned())
    });
    let memory = (info.memory_limit == Some(false))
        .then(|| (Capability::Memory, "the engine limits no memory: see `docker info`".to_owned()));
    let files = (
        Capability::ServerFiles,
        "the files of a server in a container are out of reach: use --pg local or --pg fetch".to_owned(),
    );
    pause.into_iter().chain(memory).chain([files]).collect()
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// All cases: its data are in memory, and go when it stops.
    OfAll,
    /// One case: its data and its port stay when it stops.
    OfACase,
}

/// Starts a container for a session, and ends those of the dead first.
///
/// # Errors
/// The engine does not answer; there is no such image; the server does not get ready. Nothing is left then.
pub(in crate::target) async fn begin(image: &Image, session: &Session) -> Result<Cluster> {
    let (_, options, stay) = launch(image, session, Shape::OfAll).await?;
    guest::in_container(options, session.id(), hex(&random::<16>()?), stay).await
}

/// A container that runs for as long as its stay is held: its id, and how to connect as the administrator.
pub(super) async fn launch(image: &Image, session: &Session, shape: Shape) -> Result<(String, PgConnectOptions, Stay)> {
    let marker = session.dir().join(MARKER);
    std::fs::write(&marker, image.to_string()).map_err(|error| Error::io("write", &marker, error))?;
    let labels =
        Labels { own: hex(&random::<8>()?), session: session.id().to_owned(), lock: session.dir().join("lock") };
    let image = image.clone();
    let arrive = async move || match run(&image, &labels, shape).await {
        Ok((options, container)) => Ok(((container.id().to_owned(), options), container)),
        Err(error) => {
            // One that could not be started may have been made.
            let _ = remove(|container| label(container, OWN) == Some(labels.own.as_str())).await;
            Err(error.within(format!("a container of image {image}")))
        }
    };
    // What cannot be removed now is removed by the supervisor.
    let leave = async |container: ContainerAsync<Postgres>| drop(container.rm().await);
    let ((id, options), stay) = Stay::begin(arrive, leave).await?;
    Ok((id, options, stay))
}

/// Whose a container is.
struct Labels {
    own: String,
    session: String,
    lock: PathBuf,
}

/// Ends the containers of a dead session; and those of all that are dead by now, for an engine may be at work for
/// somebody who was killed while he asked, and have made one since nobody was left to look for it.
pub(in crate::target) fn end_in(session: &Path) {
    let id = session.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if session.join(MARKER).exists() {
        let is_meant = |container: &ContainerSummary| label(container, SESSION) == Some(&*id) || is_dead(container);
        // One that has much to do may refuse. Without an engine nothing runs; the next run with a container looks again.
        let _ = (0..ATTEMPTS).find(|_| block_aside(|| remove(is_meant)).is_ok());
    }
}

pub(super) async fn engine() -> Result<Docker> {
    let trouble = "Docker's engine does not answer: is it running, and is DOCKER_HOST right?";
    let engine = docker_client_instance().await.map_err(|error| Error::environment(trouble).caused_by(error))?;
    match tokio::time::timeout(PATIENCE, engine.ping()).await {
        Ok(Ok(_)) => Ok(engine),
        Ok(Err(error)) => Err(Error::environment(trouble).caused_by(error)),
        Err(_) => Err(Error::environment(format!("{trouble} (nothing within {} s)", PATIENCE.as_secs()))),
    }
}

async fn run(image: &Image, labels: &Labels, shape: Shape) -> Result<(PgConnectOptions, ContainerAsync<Postgres>)> {
    if shape == Shape::OfAll {
        remove(is_dead).await?;
    }
    let password = hex(&random::<16>()?);
    let server = Postgres::default().with_db_name("postgres").with_user(ADMIN_ROLE).with_password(&password);
    let request = server
        .with_name(&image.name)
        .with_tag(&image.tag)
        .with_cmd(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .with_env_var("PGDATA", "/rehearse/data")
        .with_labels([(SESSION, labels.session.clone()), (LOCK, labels.lock.display().to_string())])
        .with_labels([(MACHINE, machine()), (OWN, labels.own.clone())])
        .with_ready_conditions(Vec::new())
        .with_host_config_modifier(privately(shape)?);
    let container = request.start().await.map_err(|error| {
        let text = "cannot be started: `docker pull` it, or make one with `cargo xtask image`";
        Error::environment(text).caused_by(error)
    })?;
    let port = container.get_host_port_ipv4(5432).await;
    let port = port.map_err(|error| Error::environment("its port 5432 is not exposed").caused_by(error))?;
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(ADMIN_ROLE)
        .password(&password)
        .database("postgres")
        .application_name(APPLICATION)
        .ssl_mode(PgSslMode::Disable);
    let options = Dsn::from(options).options();
    wait_until_ready(&container, &options).await?;
    Ok((options, container))
}

/// A port of this machine alone, for who is in the network is a superuser; and memory, which is faster than layers.
fn privately(shape: Shape) -> Result<impl Fn(&mut HostConfig) + Send + Sync + 'static> {
    let port = if shape == Shape::OfACase { free_port()?.to_string() } else { String::new() };
    Ok(move |host: &mut HostConfig| {
        let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.clone()) };
        host.publish_all_ports = Some(false);
        host.port_bindings = Some(HashMap::from([("5432/tcp".to_owned(), Some(vec![binding]))]));
        let in_memory = HashMap::from([("/rehearse".to_owned(), "rw,mode=0755".to_owned())]);
        host.tmpfs = (shape == Shape::OfAll).then_some(in_memory);
        host.shm_size = Some(256 << 20);
    })
}

/// One that the engine chooses would be another after each start.
fn free_port() -> Result<u16> {
    let found = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    found.map(|address| address.port()).map_err(|error| Error::environment("there is no free port").caused_by(error))
}

/// Waits until the server of a container that runs lets somebody in.
pub(super) async fn answers(options: &PgConnectOptions) -> Result<()> {
    let answered = until_it_answers(options, async || true).await;
    answered.map_err(|how| Error::environment(format!("the server of a container {how}")))
}

/// Waits until a server lets somebody in; or says how it does not: it no longer runs, or takes too long.
async fn until_it_answers(
    options: &PgConnectOptions,
    is_running: impl AsyncFn() -> bool,
) -> std::result::Result<(), String> {
    let (patience, watch) = (patience_to_start(), Stopwatch::start());
    loop {
        let error = match tokio::time::timeout(PATIENCE, postgres::connect(options)).await {
            Ok(Ok(connection)) => {
                let _ = connection.close().await; // it has answered
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if !is_running().await {
            return Err(format!("has ended ({error})"));
        }
        if watch.elapsed() > patience {
            return Err(format!("is not ready after {} s ({error})", patience.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn patience_to_start() -> Duration {
    let said = std::env::var("REHEARSE_PG_START_S").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(said.unwrap_or(PATIENCE_TO_START_S))
}

/// The server that initialises listens to nobody outside, so the first one that answers is the real one.
async fn wait_until_ready(container: &ContainerAsync<Postgres>, options: &PgConnectOptions) -> Result<()> {
    match until_it_answers(options, async || container.is_running().await.unwrap_or(false)).await {
        Ok(()) => Ok(()),
        Err(how) => Err(Error::environment(format!("its server {how}: {}", log_end(container).await))),
    }
}

async fn log_end(container: &ContainerAsync<Postgres>) -> String {
    let log = [container.stdout_to_vec().await, container.stderr_to_vec().await].map(|log| log.unwrap_or_default());
    let text = String::from_utf8_lossy(&log.concat()).into_owned();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    if lines.is_empty() {
        "it has said nothing".to_owned()
    } else {
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }
}

/// Removes the containers of sessions that are meant, with their volumes.
async fn remove(is_meant: impl Fn(&ContainerSummary) -> bool) -> Result<()> {
    let engine = engine().await?;
    let filters = HashMap::from([("label", vec![SESSION])]);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = engine.list_containers(Some(all)).await.map_err(refused)?;
    for id in found.iter().filter(|container| is_meant(container)).filter_map(|container| container.id.as_ref()) {
        let wholly = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match engine.remove_container(id, Some(wholly)).await {
            // Somebody else removes it just now.
            Ok(()) | Err(EngineError::DockerResponseServerError { status_code: 404 | 409, .. }) => {}
            Err(error) => return Err(refused(error)),
        }
    }
    Ok(())
}

pub(super) fn refused(error: EngineError) -> Error {
    Error::environment("Docker's engine refuses").caused_by(error)
}

/// Whether its session has no owner any more. On another machine, or in another container, nobody can tell.
fn is_dead(container: &ContainerSummary) -> bool {
    let is_here = label(container, MACHINE) == Some(machine().as_str());
    let lock = label(container, LOCK).map(PathBuf::from);
    is_here && lock.is_some_and(|lock| !lock::is_held(&lock))
}

fn label<'c>(container: &'c ContainerSummary, name: &str) -> Option<&'c str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
