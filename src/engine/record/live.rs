//! The real databases. They are read and never written.

use crate::compare::Place;
use crate::db::{self, Dsn};
use crate::model::DatabaseState;
use crate::{Error, Result};
use std::path::PathBuf;

/// A real database, under the name that the scenario gives its stand-in.
#[derive(Clone)]
pub struct Live {
    /// Such as `source.general` or `target`.
    pub name: String,
    /// What stands for `{target}` in a command line: a URL or a path. It may hold a password.
    text: String,
    place: Place,
}

impl Live {
    /// Reads `target=postgres://...`, `target=sqlite:PATH` or `target=env:NAME`.
    ///
    /// # Errors
    /// Says what is wrong, never what the text was: it may hold a password.
    pub fn parse(text: &str) -> Result<Live> {
        let form = "a database is written NAME=env:VARIABLE, NAME=postgres://... or NAME=sqlite:PATH";
        let (name, address) = text.split_once('=').ok_or_else(|| Error::usage(form))?;
        let place = Place::parse(address).map_err(|error| error.within(name))?;
        let text = match address.strip_prefix("env:") {
            Some(variable) => std::env::var(variable).unwrap_or_default().trim().to_owned(),
            None => address.to_owned(),
        };
        let text = text.strip_prefix("sqlite:").unwrap_or(&text).to_owned();
        Ok(Live { name: name.to_owned(), text, place })
    }

    /// What stands for its name in a command line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file, if it is one.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        match &self.place {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }

    /// What must appear nowhere.
    pub(super) fn secrets(&self) -> Vec<String> {
        let Place::Postgres(dsn) = &self.place else { return Vec::new() };
        let password = dsn.password();
        let encoded = Dsn::encoded(&password); // as it stands in the URL
        [password, encoded].into_iter().filter(|secret| !secret.is_empty()).collect()
    }

    /// All that it holds now; with `rows` false the definitions only.
    pub(super) async fn read(&self, rows: bool) -> Result<DatabaseState> {
        let state = match &self.place {
            Place::Postgres(dsn) => of_postgres(dsn, rows).await,
            Place::Sqlite(path) if rows => db::sqlite::sqlite_state(path, &db::Volatile::new()),
            Place::Sqlite(path) => db::sqlite::open_read_only(path).and_then(|file| db::sqlite::definitions(&file)),
        };
        state.map_err(|error| error.within(&self.name))
    }
}

async fn of_postgres(dsn: &Dsn, rows: bool) -> Result<DatabaseState> {
    let mut connection = db::postgres::connect(&dsn.options()).await?;
    match rows {
        true => db::postgres_state(&mut connection, &db::Volatile::new()).await,
        false => db::postgres_definitions(&mut connection).await,
    }
}
