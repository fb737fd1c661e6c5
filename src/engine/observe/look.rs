//! How to look into the databases of a case, with no password on any screen: it is in a file that only we can read.

use crate::engine::case::stage::{Place, Stage};
use crate::engine::run::context::CaseLog;
use crate::{Error, Result};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The ways into one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The name of the case.
    pub case: String,
    /// What has become of it, or where it is.
    pub what: String,
    /// Its working directory.
    pub work: PathBuf,
    /// One per endpoint.
    pub views: Vec<View>,
}

/// The way into one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// A Postgres database.
    Postgres {
        /// Its endpoint.
        endpoint: String,
        /// The directory of the server's socket.
        socket: PathBuf,
        /// The port in the socket's name.
        port: u16,
        /// Its name.
        database: String,
        /// The role of the tools.
        user: String,
        /// The file that holds the password, readable by us alone.
        services: PathBuf,
        /// Its name in that file.
        service: String,
    },
    /// A SQLite file.
    Sqlite {
        /// Its endpoint.
        endpoint: String,
        /// The file.
        path: PathBuf,
    },
}

impl Look {
    /// The ways into the databases of a stage, and the file of passwords beside its directories.
    pub(in crate::engine) fn into(stage: &Stage<'_>, log: &CaseLog<'_>, what: String) -> Result<Look> {
        let services = stage.folder("services.conf");
        let mut file = String::new();
        let mut views = Vec::new();
        for holding in stage.holdings() {
            let endpoint = holding.endpoint.clone();
            views.push(match &holding.place {
                Place::Sqlite { path } => View::Sqlite { endpoint, path: path.clone() },
                Place::Postgres { .. } => {
                    let (cluster, database) = stage.reached(holding)?;
                    let (socket, port) = cluster.socket();
                    let (user, password) = (cluster.tool_role(), cluster.tool_password());
                    let service = holding.name.clone();
                    let host = socket.display();
                    writeln!(
                        file,
                        "[{service}]\nhost={host}\nport={port}\ndbname={database}\nuser={user}\npassword={password}"
                    )
                    .expect("a String takes everything");
                    let (socket, user, services) = (socket.to_owned(), user.to_owned(), services.clone());
                    View::Postgres { endpoint, socket, port, database: database.to_owned(), user, services, service }
                }
            });
        }
        write_secret(&services, &file)?;
        Ok(Look { case: log.case(), what, work: stage.folder("work"), views })
    }

    /// For people: a line of what it is, then the commands.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}  {}", self.case, self.what)];
        for view in &self.views {
            match view {
                View::Sqlite { endpoint, path } => {
                    lines.push(format!("  {endpoint:<12}  sqlite3 {}", path.display()));
                }
                View::Postgres { endpoint, socket, port, database, user, services, service } => {
                    let services = services.display();
                    lines.push(format!("  {endpoint:<12}  PGSERVICEFILE={services} psql service={service}"));
                    let socket = socket.display();
                    lines.push(format!("  {:<12}  host {socket}  port {port}  database {database}  user {user}", ""));
                }
            }
        }
        lines.push(format!("  {:<12}  cd {}", "work", self.work.display()));
        lines
    }
}

fn write_secret(path: &Path, text: &str) -> Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| Error::io("write", path, error))
}
