//! What a scenario needs of this machine: a program such as `psql`, or a module of an interpreter, `python3:psycopg`.

use crate::process;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why it cannot be used, and how to get it; nothing where it is there. `beside`: folders that stand after `PATH`.
pub(in crate::engine) fn lacks(need: &str, beside: &[PathBuf]) -> Option<String> {
    let (program, module) = need.split_once(':').map_or((need, None), |(program, module)| (program, Some(module)));
    let allowed = format!("or run with --allow-missing {need}");
    let Some(path) = find(program, beside) else {
        return Some(format!("program `{program}` is not in PATH; install it, {allowed}"));
    };
    let module = module?;
    let why = || format!("`{program}` ({}) has no module `{module}`; install it there, {allowed}", path.display());
    (!has_module(&path, module)).then(why)
}

fn find(program: &str, beside: &[PathBuf]) -> Option<PathBuf> {
    let own = || beside.iter().map(|folder| folder.join(program)).find(|path| path.is_file());
    which::which(program).ok().or_else(own)
}

/// Asked once of each interpreter, which takes a tenth of a second to start. The module is found, not loaded.
fn has_module(interpreter: &Path, module: &str) -> bool {
    static KNOWN: Mutex<BTreeMap<(PathBuf, String), bool>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry((interpreter.to_owned(), module.to_owned())).or_insert_with(|| ask(interpreter, module))
}

fn ask(interpreter: &Path, module: &str) -> bool {
    let script = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
    let argv: Vec<OsString> = vec![interpreter.into(), "-c".into(), script.into(), module.into()];
    let path = std::env::var_os("PATH").map(|path| (OsString::from("PATH"), path));
    let output = process::run(&argv, Path::new("/"), &path.into_iter().collect(), None, "");
    output.is_ok_and(|output| output.exit.is_success())
}

#[cfg(test)]
mod tests {
    use super::lacks;

    #[test]
    fn programs_and_modules_are_looked_for_and_named() {
        assert_eq!(lacks("sh", &[]), None);
        let nowhere = lacks("no-such-program:module", &[]).unwrap();
        assert!(nowhere.starts_with("program `no-such-program` is not in PATH"), "{nowhere}");
        // `sh` cannot load Python; whatever it is asked for, it has not.
        let without = lacks("sh:no_such_module", &[]).unwrap();
        assert!(without.contains("has no module `no_such_module`"), "{without}");
        assert!(without.contains("--allow-missing sh:no_such_module"), "{without}");
    }
}
