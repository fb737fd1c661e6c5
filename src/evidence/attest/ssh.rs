//! Signatures by people, with the SSH keys that they have already: files, agents, security keys, certificates.
//!
//! All of it is done by `ssh-keygen -Y`, whose answers anybody can ask for again. No key is read here.

use crate::process::{self, Output};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What every signature is bound to, so that none made for something else counts here.
pub const NAMESPACE: &str = "signoff@rehearsal";

/// How a signature stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is by this signer, with the key of this fingerprint.
    Good(String),
    /// It is a signature over this message, and not by a key that the signer is allowed.
    Stranger,
    /// It is no signature over this message.
    Bad,
}

/// Signs `message` with a private key, or with the one in an agent that belongs to this public key. Whoever sits at the
/// terminal may be asked for a passphrase.
///
/// # Errors
/// The environment: there is no `ssh-keygen`, or it has said on stderr why it does not sign.
pub fn sign(message: &[u8], key: &Path) -> Result<Vec<u8>> {
    let folder = Folder::with(&[("signoff.json", message)])?;
    let file = folder.path("signoff.json");
    let argv = ["ssh-keygen", "-q", "-Y", "sign", "-f"].map(OsString::from).into_iter();
    let argv = argv.chain([key.into(), "-n".into(), NAMESPACE.into(), file.into()]);
    let here = std::env::current_dir().map_err(|error| Error::io("find", Path::new("."), error))?;
    let exit = process::run_in_front(&argv.collect::<Vec<_>>(), &here, &environment()).map_err(absent)?;
    let signature = folder.path("signoff.json.sig");
    match exit.is_success() {
        true => std::fs::read(&signature).map_err(|error| Error::io("read the signature", &signature, error)),
        false => Err(Error::environment(format!("ssh-keygen does not sign with {}: {exit}", key.display()))),
    }
}

/// Whether `signature` is one over `message` by `signer`, who is looked up in a file of allowed signers.
///
/// # Errors
/// The environment: there is no `ssh-keygen`, or files cannot be written.
pub fn standing(message: &[u8], signature: &[u8], allowed_signers: &Path, signer: &str) -> Result<Standing> {
    let Ok(message) = std::str::from_utf8(message) else { return Ok(Standing::Bad) };
    let folder = Folder::with(&[("signature", signature)])?;
    let file = folder.path("signature");
    let signed = [OsStr::new("-n"), OsStr::new(NAMESPACE), OsStr::new("-s"), file.as_os_str()];
    let allowed = std::path::absolute(allowed_signers);
    let allowed = allowed.map_err(|error| Error::io("find", allowed_signers, error))?;
    let by = [OsStr::new("-f"), allowed.as_os_str(), OsStr::new("-I"), OsStr::new(signer)];
    let verified = ask("verify", &[&by[..], &signed].concat(), message)?;
    if verified.exit.is_success() {
        return Ok(fingerprint(&verified.stdout).map_or(Standing::Bad, Standing::Good));
    }
    let whoever = ask("check-novalidate", &signed, message)?;
    Ok(if whoever.exit.is_success() { Standing::Stranger } else { Standing::Bad })
}

/// The first principal in the text of a file of allowed signers whose line has this public key; patterns do not count.
pub fn principal(allowed_signers: &str, public_key: &str) -> Option<String> {
    let key: Vec<&str> = public_key.split_whitespace().take(2).collect();
    let lines = allowed_signers.lines().filter(|line| !line.trim_start().starts_with('#'));
    let of_key = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let has_key = key.len() == 2 && words.windows(2).any(|pair| pair == key);
        let names = words.first().filter(|_| has_key)?;
        names.trim_matches('"').split(',').find(|name| !name.contains(['*', '?', '!'])).map(str::to_owned)
    };
    lines.filter_map(of_key).next()
}

fn ask(what: &str, arguments: &[&OsStr], message: &str) -> Result<Output> {
    let argv = ["ssh-keygen", "-Y", what].map(OsStr::new);
    let argv: Vec<OsString> = argv.iter().chain(arguments).map(OsString::from).collect();
    process::run(&argv, Path::new("/"), &environment(), None, message).map_err(absent)
}

/// `Good "signoff@rehearsal" signature for anna with ED25519 key SHA256:...`.
fn fingerprint(stdout: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(stdout);
    said.split_whitespace().rfind(|word| word.starts_with("SHA256:")).map(str::to_owned)
}

fn absent(error: Error) -> Error {
    error.within("signoffs need OpenSSH's ssh-keygen, 8.2 or newer, such as the package openssh-client")
}

/// Agents, askpass programs and homes are found as on the command line; answers come in English.
fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().chain([("LC_ALL".into(), "C".into())]).collect()
}

/// A folder that goes away again.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &[u8])]) -> Result<Folder> {
        let folder =
            tempfile::tempdir().map_err(|error| Error::io("create a folder in", &std::env::temp_dir(), error))?;
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).map_err(|error| Error::io("write", &path, error))?;
        }
        Ok(Folder(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
