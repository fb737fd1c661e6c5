//! Signoffs that lie beside their bundle, because that is an artifact of CI which nobody can add to: in a store, a folder
//! with one folder per root. Nothing in it is overwritten, and two chains that differ are never mixed. The seal of a
//! release travels with them.

use super::attest::Signoff;
use super::bundle::{Bundle, Sealed};
use super::seal::OF_RELEASE;
use crate::error::ErrorKind;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The statements of a folder by name, each with its signature.
type Chain = BTreeMap<String, (Vec<u8>, Vec<u8>)>;

/// Copies the signoffs of a bundle that the store lacks; answers with their names.
///
/// # Errors
/// Evidence: the store has others in their place, or has more. Environment: files cannot be read or written.
pub fn push(bundle: &Bundle<Sealed>, store: &Path) -> Result<Vec<String>> {
    let folder = place(bundle, store)?;
    let (own, stored) = (chain(&bundle.root().join(Signoff::FOLDER))?, chain(&folder)?);
    let news = continued(&stored, &own)?;
    let release = missing_of_release(&folder, &bundle.root().join(Signoff::FOLDER))?;
    fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
    for (name, (statement, signature)) in &news {
        write_new(&folder.join(format!("{name}.sig")), signature)?;
        write_new(&folder.join(name), statement)?;
    }
    release.iter().try_for_each(|(name, bytes)| write_new(&folder.join(name), bytes))?;
    Ok(news.into_keys().chain(release.into_iter().map(|(name, _)| name)).collect())
}

/// Copies the signoffs of the store that the bundle lacks; answers with their names.
///
/// # Errors
/// Evidence: the bundle has others in their place, or has more, or one is about another bundle. Environment: files cannot
/// be read or written.
pub fn pull(bundle: &Bundle<Sealed>, store: &Path) -> Result<Vec<String>> {
    let (own, stored) = (chain(&bundle.root().join(Signoff::FOLDER))?, chain(&place(bundle, store)?)?);
    let news = continued(&own, &stored)?;
    news.iter().try_for_each(|(name, (statement, _))| is_about(bundle, name, statement))?;
    let release = missing_of_release(&bundle.root().join(Signoff::FOLDER), &place(bundle, store)?)?;
    news.iter().try_for_each(|(name, pair)| add(bundle, name, pair))?;
    release.iter().try_for_each(|(name, bytes)| bundle.attach(&format!("{}/{name}", Signoff::FOLDER), bytes))?;
    Ok(news.into_keys().chain(release.into_iter().map(|(name, _)| name)).collect())
}

/// Adds one signoff that somebody has sent, with its signature beside it (`.sig`), as the next one of the bundle.
///
/// # Errors
/// Evidence: it is not the next one, or is about another bundle. Environment: files cannot be read or written.
pub fn attach(bundle: &Bundle<Sealed>, file: &Path) -> Result<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = chain(&bundle.root().join(Signoff::FOLDER))?;
    let next = format!("{:04}-", own.len() + 1);
    if !name.starts_with(&next) || !name.ends_with(".json") {
        return Err(evidence(format!("{name} is not the next signoff of this bundle, which is {next}<role>.json")));
    }
    let pair = pair(file)?;
    is_about(bundle, &name, &pair.0)?;
    add(bundle, &name, &pair)?;
    Ok(name)
}

fn place(bundle: &Bundle<Sealed>, store: &Path) -> Result<PathBuf> {
    Ok(store.join(bundle.root_sha256()?))
}

fn chain(folder: &Path) -> Result<Chain> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Chain::new()),
        Err(error) => return Err(Error::io("list", folder, error)),
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let statements = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let named = |path: PathBuf| Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), pair(&path)?));
    statements.map(named).collect()
}

fn pair(file: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut signature = file.to_owned().into_os_string();
    signature.push(".sig");
    let read = |path: &Path| fs::read(path).map_err(|error| Error::io("read", path, error));
    Ok((read(file)?, read(Path::new(&signature))?))
}

/// What of a release `from` has and `to` has not, the seal after its page.
fn missing_of_release(to: &Path, from: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut missing = Vec::new();
    for name in OF_RELEASE.iter().filter_map(|path| Path::new(path).file_name()) {
        match (read_if_there(&to.join(name))?, read_if_there(&from.join(name))?) {
            (Some(one), Some(other)) if one != other => {
                return Err(evidence(format!("both sides have {}, and not the same", name.display())));
            }
            (None, Some(bytes)) => missing.push((name.to_string_lossy().into_owned(), bytes)),
            _ => {}
        }
    }
    Ok(missing)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// What `longer` has after all of `shorter`.
fn continued(shorter: &Chain, longer: &Chain) -> Result<Chain> {
    for (one, other) in shorter.iter().zip(longer) {
        if one != other {
            return Err(evidence(format!(
                "both sides have a signoff in one place, and not the same: {} and {}",
                one.0, other.0
            )));
        }
    }
    if let Some(more) = shorter.keys().nth(longer.len()) {
        return Err(evidence(format!("the other side has {more} besides: take that one over first")));
    }
    Ok(longer.iter().skip(shorter.len()).map(|(name, pair)| (name.clone(), pair.clone())).collect())
}

fn is_about(bundle: &Bundle<Sealed>, name: &str, statement: &[u8]) -> Result<()> {
    let root = bundle.root_sha256()?;
    let found = serde_json::from_slice(statement).and_then(|statement| Signoff::parse(&statement));
    match found {
        Ok((subject, _)) if subject == root => Ok(()),
        Ok((subject, _)) => Err(evidence(format!("{name} is about {subject}, and not about {root}"))),
        Err(error) => Err(evidence(format!("{name} is no signoff")).caused_by(error)),
    }
}

/// The signature first: a statement without one is complained about.
fn add(bundle: &Bundle<Sealed>, name: &str, (statement, signature): &(Vec<u8>, Vec<u8>)) -> Result<()> {
    let path = format!("{}/{name}", Signoff::FOLDER);
    bundle.attach(&format!("{path}.sig"), signature)?;
    bundle.attach(&path, statement)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
    written.map_err(|error| Error::io("write", path, error))
}

fn evidence(message: String) -> Error {
    Error::new(ErrorKind::Evidence, message)
}
