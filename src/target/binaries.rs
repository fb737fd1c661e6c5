//! Server binaries of this machine: `postgres` and `initdb` in one directory.

use super::base::{Base, own_dir, server_ids, trusted_dir};
use super::fetched;
use super::wanted::{Provider, Wanted};
use crate::model::canonical::hex;
use crate::process::{Output, own_uid, run};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A Postgres server that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory that holds `postgres` and `initdb`.
    pub dir: PathBuf,
    /// What `postgres --version` says, such as `15.18`.
    pub version: String,
    /// SHA-256 of `postgres`, 64 hexadecimal digits.
    pub sha256: String,
    /// How they came here: `local`, `fetched`.
    pub provider: &'static str,
}

impl Binaries {
    /// Looks for them: `REHEARSE_PG_BIN`, `PATH`, `pg_config --bindir`, then the places of the usual packages, newest
    /// version first. A directory that is named by the variable is taken, or nothing is. Where there are none, they are
    /// fetched, if that is allowed.
    ///
    /// # Errors
    /// None found: lists what was tried, and how to get them.
    pub fn find(base: &Base, wanted: &Wanted) -> Result<Binaries> {
        if wanted.provider == Provider::Fetch {
            return match wanted.takes(fetched::MAJOR) {
                true => fetched::binaries(base).map(Binaries::fetched),
                false => Err(Error::environment(format!("only Postgres {} can be fetched", fetched::VERSION))),
            };
        }
        match Binaries::of_this_machine(base, wanted) {
            Err(_) if may_fetch(wanted) && std::env::var_os("REHEARSE_PG_BIN").is_none() => {
                fetched::binaries(base).map(Binaries::fetched)
            }
            found => found,
        }
    }

    /// The same without a fetch.
    ///
    /// # Errors
    /// As in [`Binaries::find`].
    pub(super) fn of_this_machine(base: &Base, wanted: &Wanted) -> Result<Binaries> {
        if let Some(dir) = std::env::var_os("REHEARSE_PG_BIN") {
            let found = Binaries::at(base, Path::new(&dir)).map_err(|error| error.within("REHEARSE_PG_BIN"))?;
            let other =
                || Error::environment(format!("REHEARSE_PG_BIN is Postgres {}: another was asked for", found.version));
            return if wanted.takes(found.major()) { Ok(found) } else { Err(other()) };
        }
        Binaries::local(base, wanted)
    }

    /// What `--pg fetch` would take, in a sentence.
    pub fn fetch(base: &Base) -> String {
        let version = fetched::VERSION;
        match fetched::is_there(base) {
            true => format!("{version} in {}", base.cache().display()),
            false if is_forbidden() => format!("{version} is not fetched: REHEARSE_FETCH forbids it"),
            false => {
                format!("{version} is not fetched yet; pip does it for --pg fetch, and where nothing else is there")
            }
        }
    }

    /// Whether the next search would have to fetch, which takes a while: the version that it would be.
    pub(super) fn would_fetch(base: &Base, wanted: &Wanted) -> Option<&'static str> {
        let is_fetched = match wanted.provider {
            Provider::Local | Provider::Docker | Provider::Remote(_) => false,
            Provider::Fetch => wanted.takes(fetched::MAJOR),
            Provider::Auto => {
                std::env::var_os("REHEARSE_PG_BIN").is_none()
                    && may_fetch(wanted)
                    && Binaries::local(base, wanted).is_err()
            }
        };
        (is_fetched && !fetched::is_there(base)).then_some(fetched::VERSION)
    }

    /// The first that runs and is of the version; where none is, why the first one that is there was not taken.
    fn local(base: &Base, wanted: &Wanted) -> Result<Binaries> {
        let tried = candidates();
        let mut trouble = None;
        for dir in tried.iter().filter(|dir| is_complete(dir)) {
            match Binaries::at(base, dir) {
                Ok(found) if wanted.takes(found.major()) => return Ok(found),
                Ok(_) => {}
                Err(error) => drop(trouble.get_or_insert(error)),
            }
        }
        let none = not_found(&tried, wanted);
        Err(trouble.map_or(none, |why| why.within("the server of this machine cannot be used")))
    }

    fn fetched(self) -> Binaries {
        Binaries { provider: "fetched", ..self }
    }

    /// All that are found and run here, in the order in which they would be taken.
    pub fn all(base: &Base) -> Vec<Binaries> {
        let named = std::env::var_os("REHEARSE_PG_BIN").map(PathBuf::from);
        let mut found: Vec<Binaries> = Vec::new();
        for dir in named.into_iter().chain(candidates()).filter(|dir| is_complete(dir)) {
            found.extend(Binaries::at(base, &dir).ok().filter(|new| !found.iter().any(|old| old.dir == new.dir)));
        }
        found
    }

    /// The binaries in a directory.
    ///
    /// # Errors
    /// `postgres` or `initdb` is not there, does not run, or is older than 13.
    pub fn at(base: &Base, dir: &Path) -> Result<Binaries> {
        if !is_complete(dir) {
            let text = format!("{} does not hold both `postgres` and `initdb`", dir.display());
            return Err(Error::environment(text));
        }
        let dir = dir.canonicalize().map_err(|error| Error::io("read", dir, error))?;
        let (sha256, version) = identify(base, &dir.join("postgres"))?;
        let binaries = Binaries { dir, version, sha256, provider: "local" };
        match binaries.major() {
            0..13 => {
                let place = binaries.dir.display();
                Err(Error::environment(format!("{place} is Postgres {}: 13 or newer is needed", binaries.version)))
            }
            _ => Ok(binaries),
        }
    }

    /// The major version, such as 15.
    pub fn major(&self) -> u32 {
        let digits: String = self.version.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }

    pub(super) fn program(&self, name: &str) -> OsString {
        self.dir.join(name).into()
    }
}

fn may_fetch(wanted: &Wanted) -> bool {
    wanted.provider == Provider::Auto && wanted.takes(fetched::MAJOR) && !is_forbidden()
}

fn is_forbidden() -> bool {
    std::env::var_os("REHEARSE_FETCH").is_some_and(|word| word == "never")
}

fn is_complete(dir: &Path) -> bool {
    dir.join("postgres").is_file() && dir.join("initdb").is_file()
}

fn candidates() -> Vec<PathBuf> {
    let in_path = which::which("postgres").ok().and_then(|path| path.canonicalize().ok());
    let in_path = in_path.and_then(|path| path.parent().map(Path::to_owned));
    let packaged = [
        ("/usr/lib/postgresql", "", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
        ("/Library/PostgreSQL", "", "bin"),
        ("/usr", "pgsql-", "bin"),
    ];
    let packaged = packaged.iter().flat_map(|(parent, prefix, below)| versions(Path::new(parent), prefix, below));
    let all: Vec<PathBuf> = in_path.into_iter().chain(configured()).chain(packaged).collect();
    let first = |(place, dir): (usize, &PathBuf)| (!all[..place].contains(dir)).then(|| dir.clone());
    all.iter().enumerate().filter_map(first).collect()
}

fn configured() -> Option<PathBuf> {
    let program = which::which("pg_config").ok()?;
    let output = run(&[program.into(), "--bindir".into()], Path::new("/"), &environment(), None, "").ok()?;
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

// `<parent>/<prefix><version>/<below>`, newest first; where nothing is, the pattern itself, to be listed as tried.
fn versions(parent: &Path, prefix: &str, below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((version, entry.path().join(below)))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    match found.is_empty() {
        true => vec![parent.join(format!("{prefix}*")).join(below)],
        false => found.into_iter().map(|(_, dir)| dir).collect(),
    }
}

fn not_found(tried: &[PathBuf], wanted: &Wanted) -> Error {
    let of_version = wanted.major.map_or(String::new(), |major| format!(" of version {major}"));
    let tried: Vec<String> = tried.iter().map(|dir| dir.display().to_string()).collect();
    Error::environment(format!(
        "no Postgres server binaries (`postgres` and `initdb`){of_version} found; tried PATH, `pg_config --bindir`, {}. \
         Get them with `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora) or \
         `brew install postgresql@17` (macOS), fetch {} with `--pg fetch`, or set REHEARSE_PG_BIN to the directory that \
         holds them",
        tried.join(", "),
        fetched::VERSION
    ))
}

// Reading and running 8 MB costs 30 ms, so the answer is kept for as long as the file is the same.
fn identify(base: &Base, postgres: &Path) -> Result<(String, String)> {
    let found = std::fs::metadata(postgres).map_err(|error| Error::io("read", postgres, error))?;
    let identity = format!("{}|{}|{}.{}", postgres.display(), found.size(), found.mtime(), found.mtime_nsec());
    let kept = base.cache().join("binaries").join(&hex(&Sha256::digest(identity.as_bytes()))[..16]);
    if let Some(answer) = std::fs::read_to_string(&kept).ok().and_then(|text| parse(&text)) {
        return Ok(answer);
    }
    let bytes = std::fs::read(postgres).map_err(|error| Error::io("read", postgres, error))?;
    let answer = (hex(&Sha256::digest(&bytes)), version(postgres)?);
    keep(base, &kept, &format!("{} {}\n", answer.0, answer.1))?;
    Ok(answer)
}

fn parse(text: &str) -> Option<(String, String)> {
    let (sha256, version) = text.strip_suffix('\n')?.split_once(' ')?;
    (sha256.len() == 64).then(|| (sha256.to_owned(), version.to_owned()))
}

fn keep(base: &Base, file: &Path, text: &str) -> Result<()> {
    make_cache(base)?;
    own_dir(&base.cache().join("binaries"))?;
    let aside = file.with_extension(std::process::id().to_string());
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, file));
    written.map_err(|error| Error::io("write", file, error))
}

/// Makes the cache directory, ours alone: what is in it gets executed by a superuser of a database.
pub(super) fn make_cache(base: &Base) -> Result<()> {
    let cache = base.cache();
    if let Some(parent) = cache.parent() {
        trusted_dir(parent)?;
    }
    own_dir(cache).map_err(|error| error.within("cache directory (REHEARSE_CACHE)"))
}

fn version(postgres: &Path) -> Result<String> {
    // As who runs servers: what that user cannot reach fails here, and not with a word about a library.
    let ids = (own_uid() == 0).then(server_ids);
    let output = run(&[postgres.into(), "--version".into()], Path::new("/"), &environment(), ids, "")?;
    let Output { exit, stdout, stderr } = output;
    let text = String::from_utf8_lossy(&stdout);
    let version = text.split_once("(PostgreSQL) ").and_then(|(_, rest)| rest.split_whitespace().next());
    version.map(str::to_owned).ok_or_else(|| {
        let said = String::from_utf8_lossy(&stderr);
        Error::environment(format!("`{} --version` failed ({exit}): {}", postgres.display(), said.trim()))
    })
}

/// What servers and their tools know of the world.
pub(super) fn environment() -> BTreeMap<OsString, OsString> {
    [("LC_ALL", "C"), ("TZ", "UTC"), ("PATH", "/usr/local/bin:/usr/bin:/bin")]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["pgsql-9", "pgsql-17", "pgsql-10", "other-99"] {
            std::fs::create_dir(dir.path().join(version)).unwrap();
        }
        let found = versions(dir.path(), "pgsql-", "bin");
        let expected = ["pgsql-17/bin", "pgsql-10/bin", "pgsql-9/bin"];
        assert_eq!(found, expected.map(|path| dir.path().join(path)));
    }

    #[test]
    fn nothing_found_lists_what_was_tried_and_what_helps() {
        let text = not_found(
            &versions(Path::new("/nowhere"), "pgsql-", "bin"),
            &Wanted { major: Some(16), ..Wanted::default() },
        );
        let text = text.to_string();
        for part in [
            "of version 16",
            "--pg fetch",
            "PATH",
            "pg_config --bindir",
            "/nowhere/pgsql-*/bin",
            "apt-get",
            "dnf",
            "brew",
            "REHEARSE_PG_BIN",
        ] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    }
}
