//! What this machine can rehearse, and for each thing that is missing what to do.

use crate::engine::run::missing::platform_limits;
use crate::process::run;
use crate::target::{Base, Binaries, Offer, Provider, Site, Wanted, kept, leftovers};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Fine,
    /// Some scenarios or some comfort are lost.
    Limited,
    /// Postgres scenarios cannot run.
    Broken,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub what: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found, and where it is not fine what to do.
    pub found: String,
}

/// Space for clusters below which runs get into trouble: a cluster has 13 MB, each case its databases.
const ROOM_MB: u64 = 1024;

/// Looks at everything; changes nothing but the cache of what is known of server binaries.
pub fn doctor(base: &Base) -> Vec<Finding> {
    let binaries = Binaries::find(base, &Wanted { provider: Provider::Local, ..Wanted::default() });
    let beside = binaries.as_ref().ok().map(|found| found.dir.clone());
    let mut findings = vec![platform()];
    findings.extend(url(base));
    findings.push(postgres(&binaries));
    findings.extend(tried(base, &binaries));
    findings.push(docker(base));
    findings.extend(podman());
    findings.push(finding("fetch", Health::Fine, Binaries::fetch(base)));
    let psql = ("psql", "install the Postgres client; scenarios with `needs = [\"psql\"]` are left out");
    let python = ("python3", "install Python 3 if your tool is written in it");
    let git = ("git", "install git; without it `rehearse run --since` cannot be used");
    findings.extend([psql, python, git].map(|(name, how)| program(name, how, beside.as_deref())));
    findings.extend([base_dir(base), cache(base), remains(base)]);
    findings
}

fn platform() -> Finding {
    let system = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    match platform_limits() {
        None => finding("platform", Health::Fine, system),
        Some(limit) => finding("platform", Health::Limited, limit),
    }
}

fn postgres(binaries: &crate::Result<Binaries>) -> Finding {
    match binaries {
        Ok(found) => finding("postgres", Health::Fine, format!("{} in {}", found.version, found.dir.display())),
        Err(error) => finding("postgres", Health::Broken, error.to_string()),
    }
}

/// Other servers that could be taken instead.
fn tried(base: &Base, taken: &crate::Result<Binaries>) -> Vec<Finding> {
    let taken = taken.as_ref().ok().map(|found| found.dir.clone());
    let others = Binaries::all(base).into_iter().filter(|found| Some(&found.dir) != taken.as_ref());
    let line = |found: Binaries| {
        let dir = found.dir.display();
        finding("postgres", Health::Fine, format!("{} too; take it with REHEARSE_PG_BIN={dir}", found.version))
    };
    others.map(line).collect()
}

fn program(name: &'static str, how: &str, beside: Option<&Path>) -> Finding {
    let in_path = which::which(name).ok();
    let found = in_path.or_else(|| beside.map(|dir| dir.join(name)).filter(|path| path.is_file()));
    let Some(path) = found else { return finding(name, Health::Limited, format!("not in PATH: {how}")) };
    let env: BTreeMap<OsString, OsString> = [("PATH".into(), std::env::var_os("PATH").unwrap_or_default())].into();
    let said = run(&[path.clone().into(), "--version".into()], Path::new("/"), &env, None, "");
    let said = said.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let version = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned();
    finding(name, Health::Fine, format!("{version} ({})", path.display()))
}

/// A server that runs already is taken before all others.
fn url(base: &Base) -> Option<Finding> {
    let url = std::env::var("REHEARSE_PG_URL").ok()?;
    let offer = url.parse().and_then(|provider| offer(base, provider));
    Some(match offer {
        Ok(offer) => finding("url", Health::Fine, described(&offer)),
        Err(error) => finding("url", Health::Broken, format!("REHEARSE_PG_URL: {error}")),
    })
}

fn docker(base: &Base) -> Finding {
    let text = match offer(base, Provider::Docker) {
        Ok(offer) => described(&offer),
        Err(error) => format!("none, and none is needed: {error}"),
    };
    finding("docker", Health::Fine, text)
}

/// Podman speaks as Docker's engine does, on a socket of its own, which nobody takes without being told.
fn podman() -> Option<Finding> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let sockets = runtime.into_iter().chain([PathBuf::from("/run")]).map(|dir| dir.join("podman/podman.sock"));
    let socket = sockets.into_iter().find(|socket| socket.exists())?;
    let url = format!("unix://{}", socket.display());
    let is_taken = std::env::var("DOCKER_HOST").is_ok_and(|host| host == url);
    let text = match (is_taken, UnixStream::connect(&socket)) {
        (true, _) => format!("{url} is taken by --pg docker, for DOCKER_HOST names it"),
        (false, Ok(_)) => format!("it listens; --pg docker takes it with DOCKER_HOST={url}"),
        (false, Err(error)) => {
            format!("nobody listens on {} ({error}): `systemctl --user start podman.socket`", socket.display())
        }
    };
    Some(finding("podman", Health::Fine, text))
}

fn offer(base: &Base, provider: Provider) -> crate::Result<Offer> {
    let image = std::env::var("REHEARSE_PG_IMAGE").ok();
    Site::new(base.clone(), Wanted { provider, major: None, image }).offer().cloned()
}

fn described(offer: &Offer) -> String {
    let lacks: Vec<String> = offer.all_that_lacks().map(|lacking| lacking.to_string()).collect();
    let without = if lacks.is_empty() { String::new() } else { format!("; without {}", lacks.join(", ")) };
    format!("{}{without}", offer.about)
}

fn base_dir(base: &Base) -> Finding {
    let dir = base.dir();
    let place = dir.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let free_mb = rustix::fs::statvfs(place).map_or(0, |found| (found.f_bavail * found.f_frsize) >> 20);
    let text = format!("{} with {free_mb} MB free", dir.display());
    match () {
        () if place.parent().is_none() => {
            let text = format!("there is no directory to put {} into: set REHEARSE_BASE to another", dir.display());
            finding("base", Health::Broken, text)
        }
        () if free_mb < ROOM_MB => {
            let text = format!("{text}: make room, or set REHEARSE_BASE to a directory with {ROOM_MB} MB");
            finding("base", Health::Limited, text)
        }
        () => finding("base", Health::Fine, text),
    }
}

fn cache(base: &Base) -> Finding {
    let images = crate::target::cached(base).iter().filter(|path| path.join("PG_VERSION").is_file()).count();
    let text =
        format!("{} with {images} initialised clusters; `rehearse clean --cache` empties it", base.cache().display());
    finding("cache", Health::Fine, text)
}

fn remains(base: &Base) -> Finding {
    let left = leftovers(base);
    let kept = kept(base).len();
    let text = format!("{} runs are alive, {kept} cases are kept", left.alive.len());
    match (left.dead.len(), left.supervised) {
        // Somebody is at it.
        (0, _) | (_, true) if kept == 0 => finding("leftovers", Health::Fine, text),
        (0, _) | (_, true) => finding("leftovers", Health::Fine, format!("{text}; `rehearse clean` removes those")),
        (dead, false) => {
            let text = format!("{text}, {dead} directories of dead runs: `rehearse clean` removes them");
            finding("leftovers", Health::Limited, text)
        }
    }
}

fn finding(what: &'static str, health: Health, found: impl Into<String>) -> Finding {
    Finding { what, health, found: found.into() }
}
