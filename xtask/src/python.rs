//! The modules that the shipped tools in Python import, in `target/python`: made once, the same on every machine, and
//! without the scripts that some machines put before their `python3`.
#![allow(clippy::disallowed_methods)] // starts Python

use crate::rehearse::say;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("../../fixtures/tools/requirements.txt");
/// Found, not loaded, which takes a tenth of the time.
const LOOK: &str = "import sys, importlib.util as u\n\
    sys.exit(any(u.find_spec(name) is None for name in ('alembic', 'psycopg', 'psycopg2')))";

/// What `PATH` must be for them to be found; nothing where it may stay as it is.
///
/// What cannot be had is said, unless `python3` has it. The scenarios that need it are unknown then, and say so too.
pub(crate) fn path() -> Option<OsString> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python");
    if !is_made(&home) && !may_fetch() {
        return None;
    }
    match made("python3", &home) {
        Ok(()) => Some(before(&home.join("bin"), std::env::var_os("PATH").unwrap_or_default().as_os_str())),
        Err(_) if has_them("python3") => None,
        Err(why) => {
            say(&format!("the modules of fixtures/tools/requirements.txt could not be installed: {why}"));
            None
        }
    }
}

fn may_fetch() -> bool {
    std::env::var_os("REHEARSE_FETCH").is_none_or(|fetch| fetch != "never")
}

fn has_them(python: &str) -> bool {
    quietly(python, &["-c".as_ref(), LOOK.as_ref()]).is_ok()
}

/// The list of what is in it is written last.
fn is_made(home: &Path) -> bool {
    fs::read_to_string(home.join("requirements.txt")).is_ok_and(|found| found == REQUIREMENTS)
}

fn made(python: &str, home: &Path) -> Result<(), String> {
    if is_made(home) {
        return Ok(());
    }
    say("installing psycopg and alembic into target/python, for the tools in Python");
    let new = home.with_extension(format!("{}.new", std::process::id())); // another run may be at it too
    let built = build(python, &new).and_then(|()| replace(home, &new).map_err(|error| error.to_string()));
    let _ = fs::remove_dir_all(&new);
    match is_made(home) {
        true => Ok(()),
        false => built,
    }
}

fn build(python: &str, home: &Path) -> Result<(), String> {
    quietly(python, &["-m".as_ref(), "venv".as_ref(), home.as_os_str()])?;
    let list = home.join("wanted.txt");
    fs::write(&list, REQUIREMENTS).map_err(|error| error.to_string())?;
    let own: PathBuf = home.join("bin/python3");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "-r"];
    let arguments: Vec<&OsStr> = install.iter().map(OsStr::new).chain([list.as_os_str()]).collect();
    quietly(&own.to_string_lossy(), &arguments)?;
    fs::rename(&list, home.join("requirements.txt")).map_err(|error| error.to_string())
}

/// A folder cannot be renamed over one that holds something.
fn replace(home: &Path, new: &Path) -> std::io::Result<()> {
    let _ = fs::remove_dir_all(home);
    fs::rename(new, home)
}

/// The last line that it wrote to stderr says why it failed.
fn quietly(program: &str, arguments: &[&OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start {program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(said.lines().last().unwrap_or("it said nothing").to_owned()),
    }
}

fn before(folder: &Path, path: &OsStr) -> OsString {
    let all = std::iter::once(folder.to_owned()).chain(std::env::split_paths(path));
    std::env::join_paths(all).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for Python in a folder of its own: `venv` copies it, and `pip` ends as `pip` says.
    fn stand_in(name: &str, pip: &str) -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("xtask-python-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let script = format!(
            "#!/bin/sh\ncase $2 in\nvenv) mkdir -p \"$3/bin\" && cp \"$0\" \"$3/bin/python3\" ;;\npip) {pip} ;;\nesac\n"
        );
        let python = folder.join("python3");
        // Not by ourselves: a child of another test would have it open for writing, and nobody could execute it.
        let write = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
        let shell = ["-c".as_ref(), write.as_ref(), python.as_os_str(), script.as_ref()];
        quietly("/bin/sh", &shell).unwrap();
        (folder, python)
    }

    #[test]
    fn what_was_installed_is_there_and_not_installed_again() {
        let (folder, python) = stand_in("whole", "exit 0");
        let home = folder.join("made");
        made(&python.to_string_lossy(), &home).unwrap();
        assert!(home.join("bin/python3").is_file());
        made("no-such-python", &home).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_installed_is_said_and_leaves_nothing() {
        let (folder, python) = stand_in("broken", "echo no route to the index >&2; exit 1");
        let home = folder.join("made");
        assert_eq!(made(&python.to_string_lossy(), &home), Err("no route to the index".to_owned()));
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["python3"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn its_programs_stand_first_in_the_path() {
        assert_eq!(before(Path::new("/made/bin"), "/usr/bin:/bin".as_ref()), "/made/bin:/usr/bin:/bin");
    }
}
