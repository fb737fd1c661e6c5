//! Our own executable: built-in tools and the supervisor are children, and this is what they are children of.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The `rehearse` binary, to be started as a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    path: PathBuf,
}

impl Executable {
    /// Looks for it: `REHEARSE_BIN`, then ourselves if we are `rehearse`, then what cargo built for a test.
    ///
    /// Never the running executable of another name: a test harness would start itself for ever.
    ///
    /// # Errors
    /// Not found; says which variable to set.
    pub fn find() -> Result<Executable> {
        if let Some(path) = std::env::var_os("REHEARSE_BIN") {
            return Executable::at(path).map_err(|error| error.within("REHEARSE_BIN"));
        }
        let ourselves = std::env::current_exe().ok().filter(|path| path.file_stem().is_some_and(|s| s == "rehearse"));
        let built = || std::env::var_os("CARGO_BIN_EXE_rehearse").map(PathBuf::from);
        match ourselves.or_else(built) {
            Some(path) => Executable::at(path),
            None => Err(Error::environment(
                "cannot find the `rehearse` executable, which runs the tools and cleans up: \
                 install it with `cargo install rehearsal` and set REHEARSE_BIN to its path",
            )),
        }
    }

    /// The binary at a path.
    ///
    /// # Errors
    /// No such file.
    pub fn at(path: impl Into<PathBuf>) -> Result<Executable> {
        let path = path.into();
        // Absolute, for children start in directories of their own.
        let path = path.canonicalize().map_err(|error| Error::io("find the executable", &path, error))?;
        match path.is_file() {
            true => Ok(Executable { path }),
            false => Err(Error::environment(format!("{} is not an executable file", path.display()))),
        }
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
