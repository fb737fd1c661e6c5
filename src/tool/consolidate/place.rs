//! Where the files are, and in which mode: options, then variables, then the profile's defaults.

use super::Profile;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Which files an application reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// The sources.
    Legacy,
    /// The targets.
    Consolidated,
}

/// A folder by its whole path and without a slash at its end: it has a parent, and files may lie beside it.
pub(super) fn absolute(folder: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(folder).map_err(|error| Error::io("find", folder, error))?;
    Ok(whole.components().collect())
}

/// The data folder and what the variables say.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The folder of the files.
    pub(super) data_dir: PathBuf,
    /// The mode.
    pub(super) mode: Mode,
    /// An application with a wrong schema must not start.
    pub(super) require_valid_schema: bool,
    /// The application does not look at its schema.
    pub(super) skip_schema_validation: bool,
}

impl Place {
    /// # Errors
    /// An unknown mode, a switch that is neither on nor off, a folder that is not there.
    pub(super) fn find(profile: &Profile, data_dir: Option<&Path>) -> Result<Place> {
        let variables = &profile.variables;
        let data_dir = data_dir.map(Path::to_owned).or_else(|| std::env::var_os(&variables.data_dir).map(Into::into));
        let data_dir = data_dir.unwrap_or_else(|| profile.defaults.data_dir.clone().into());
        if !data_dir.is_dir() {
            let text = format!("{} is no folder: say --data-dir or {}", data_dir.display(), variables.data_dir);
            return Err(Error::environment(text));
        }
        let mode = variable(&variables.mode)?.unwrap_or_else(|| profile.defaults.mode.clone());
        Ok(Place {
            data_dir,
            mode: mode_of(&variables.mode, &mode)?,
            require_valid_schema: switch(&variables.require_valid_schema)?,
            skip_schema_validation: switch(&variables.skip_schema_validation)?,
        })
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }
}

fn mode_of(name: &str, text: &str) -> Result<Mode> {
    match text {
        "legacy" => Ok(Mode::Legacy),
        "consolidated" => Ok(Mode::Consolidated),
        _ => Err(Error::environment(format!("{name} is `{text}`; it is `legacy` or `consolidated`"))),
    }
}

fn switch(name: &str) -> Result<bool> {
    match variable(name)?.as_deref() {
        Some("1" | "true" | "yes" | "on") => Ok(true),
        None | Some("" | "0" | "false" | "no" | "off") => Ok(false),
        Some(other) => Err(Error::environment(format!("{name} is `{other}`; it is `true` or `false`"))),
    }
}

fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(Error::environment(format!("variable {name}")).caused_by(error)),
    }
}
