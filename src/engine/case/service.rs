//! What runs beside the steps: it is there from its first step on, whichever of them a case runs, and gone from its last
//! on. It does not die with the tool, but with the power. In injured cases one that has ended is started again.

use crate::engine::case::stage::Stage;
use crate::engine::case::{launch, placeholder};
use crate::engine::run::context::CaseLog;
use crate::model::{Plan, Scenario, Service};
use crate::process::{Child, Signal};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// The services of one case: an address for each, and those that run.
pub(in crate::engine) struct Services {
    addresses: BTreeMap<String, String>,
    running: Mutex<BTreeMap<String, Child>>,
}

/// Between two questions whether a service is ready.
const POLL: Duration = Duration::from_millis(5);

/// How long a service may take to end once it is asked to.
const LEAVING: Duration = Duration::from_secs(10);

impl Services {
    /// An address for each service: the port is free now.
    pub(in crate::engine) fn of(scenario: &Scenario) -> Result<Services> {
        let free = || -> std::io::Result<String> {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            Ok(address.to_string())
        };
        let failed = |error| Error::environment("no free port for a service").caused_by(error);
        let address = |service: &Service| Ok((service.command.name.clone(), free().map_err(failed)?));
        let addresses = scenario.services.iter().map(address).collect::<Result<_>>()?;
        Ok(Services { addresses, running: Mutex::default() })
    }

    /// `service.<name>` for each.
    pub(in crate::engine) fn placeholders(&self) -> impl Iterator<Item = (String, String)> {
        self.addresses.iter().map(|(name, address)| (format!("service.{name}"), address.clone()))
    }

    /// Ends all that run.
    pub(in crate::engine) async fn end_all(&self) -> Result<()> {
        let running = std::mem::take(&mut *self.running.lock().await);
        for child in running.into_values() {
            end(child).await?;
        }
        Ok(())
    }

    /// All that run are gone at once.
    pub(in crate::engine) async fn lose_power(&self) -> Result<()> {
        let running = std::mem::take(&mut *self.running.lock().await);
        for mut child in running.into_values() {
            child.kill_group(Signal::KILL)?;
            child.wait().await?;
        }
        Ok(())
    }
}

/// What services carry, and not the tool: whoever kills the one does not kill the other.
pub(in crate::engine) fn marker(stage: &Stage<'_>) -> String {
    format!("{}-services", stage.marker)
}

/// Ends and starts what has to be before `step`; answers with why a service is not there, if one is not.
pub(in crate::engine) async fn before(stage: &Stage<'_>, log: &CaseLog<'_>, step: &str) -> Result<Option<String>> {
    let mut running = stage.services.running.lock().await;
    let services = stage.context.scenario.services.iter();
    let (needed, others): (Vec<_>, Vec<_>) = services.partition(|service| is_needed(stage.context.plan, service, step));
    for child in others.into_iter().filter_map(|service| running.remove(&service.command.name)).collect::<Vec<_>>() {
        end(child).await?;
    }
    for service in needed {
        let name = &service.command.name;
        match running.get_mut(name).map(Child::ended).transpose()? {
            Some(None) => continue,
            Some(Some(exit)) if log.events.address.is_none() => {
                return Ok(Some(format!("service `{name}` has ended by itself: {exit}")));
            }
            _ => {}
        }
        let (child, why) = start(stage, service).await?;
        running.insert(name.clone(), child);
        if why.is_some() {
            return Ok(why);
        }
    }
    Ok(None)
}

/// By the order of the plan, so that it is there also where the step that it comes with is left out.
fn is_needed(plan: &Plan, service: &Service, step: &str) -> bool {
    let place = |name: &str| plan.steps.iter().position(|known| known.name == name);
    let (from, now, until) = (place(&service.from), place(step), service.until.as_deref().and_then(place));
    from <= now && until.is_none_or(|until| now < Some(until))
}

/// Starts it and waits for its page; answers with why it is not ready, if it is not.
async fn start(stage: &Stage<'_>, service: &Service) -> Result<(Child, Option<String>)> {
    let log_name = format!("service-{}", service.command.name);
    let mut spawn = launch::prepare_as(stage, &service.command, &log_name, None)?;
    spawn.marker = Some(stage.context.run.house.session.marker(Some(&marker(stage))));
    let mut child = spawn.start()?;
    let why = wait_ready(stage, service, &mut child).await?;
    Ok((child, why))
}

async fn wait_ready(stage: &Stage<'_>, service: &Service, child: &mut Child) -> Result<Option<String>> {
    let (name, bound) = (&service.command.name, service.command.timeout.unwrap_or_default());
    let page = placeholder::fill(&service.ready, &stage.placeholders())?;
    let ready = async {
        while status(&page).await != Some(200) {
            tokio::time::sleep(POLL).await;
        }
    };
    Ok(tokio::select! {
        biased;
        exit = child.wait() => Some(format!("service `{name}` ended before it was ready: {}", exit?)),
        () = ready => None,
        () = tokio::time::sleep(bound) => {
            Some(format!("service `{name}` was not ready within {} ms: {page}", bound.as_millis()))
        }
    })
}

/// What a page answers; nothing where nobody does.
async fn status(page: &str) -> Option<u16> {
    let address = page.strip_prefix("http://")?;
    let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    let path = if path.is_empty() { "/" } else { path };
    let mut stream = TcpStream::connect(host).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let head = String::from_utf8_lossy(&answer);
    head.split_whitespace().nth(1)?.parse().ok()
}

/// As `systemctl stop` would: asked first, killed when it does not listen.
async fn end(mut child: Child) -> Result<()> {
    child.kill_group(Signal::TERM)?;
    if tokio::time::timeout(LEAVING, child.wait()).await.is_err() {
        child.kill_group(Signal::KILL)?;
        child.wait().await?;
    }
    Ok(())
}
