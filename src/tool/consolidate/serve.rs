//! The stand-in application: a small HTTP server over the databases of its mode, to rehearse the switch with.
//!
//! It opens its files as any application does, and keeps them open. It answers one request after the other.
//!
//! ```text
//! GET  /readyz                    200 when it may be used, else 503
//! GET  /api/v1/health/database    the document of `health`; 503 when it is red
//! GET  /api/v1/health/startup     what was found when it started
//! GET  /api/v1/counts             rows of the counted tables
//! POST /api/v1/write/<text>       the statement of the profile; 201, or 409 with SQLite's words
//! ```

use super::health::{self, Health};
use super::place::Mode;
use super::shape::Shape;
use super::{Run, sources};
use crate::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Application<'a> {
    run: &'a Run,
    shapes: BTreeMap<String, Shape>,
    /// Open as long as it runs.
    open: BTreeMap<PathBuf, Connection>,
    at_start: Health,
}

/// Serves until it is killed.
///
/// # Errors
/// Refused: the schema is wrong, and the variable says that it must not be. Environment: the address is taken.
pub(super) fn serve(run: &Run) -> Result<()> {
    let mut application = Application::start(run)?;
    let failed = |error| Error::environment(format!("cannot listen on {}", run.options.listen)).caused_by(error);
    let listener = TcpListener::bind(&run.options.listen).map_err(failed)?;
    (run.progress)(&format!("listening on {}", run.options.listen));
    for stream in listener.incoming() {
        // A client that goes away is its own trouble.
        let _ = stream.and_then(|stream| application.answer(stream));
    }
    Ok(())
}

impl Application<'_> {
    fn start(run: &Run) -> Result<Application<'_>> {
        let shapes = sources::target_shapes(&run.profile)?;
        let place = &run.place;
        let files: Vec<&String> = match place.mode {
            Mode::Legacy => run.profile.source.values().map(|source| &source.file).collect(),
            Mode::Consolidated => run.profile.target.values().map(|target| &target.file).collect(),
        };
        let paths = files.into_iter().map(|file| place.file(file));
        let open = paths.filter_map(|path| Some((path.clone(), opened(&path).ok()?))).collect();
        let at_start = judge(run, &shapes, &open);
        if place.require_valid_schema && !place.skip_schema_validation && !at_start.validation.success {
            return Err(Error::refused(at_start.validation.errors.join("\n")));
        }
        Ok(Application { run, shapes, open, at_start })
    }

    fn answer(&mut self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut line = String::new();
        let mut reader = BufReader::new(stream.try_clone()?.take(1 << 16));
        reader.read_line(&mut line)?;
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (status, body) = self.route(method, path);
        let text = format!("{body:#}\n");
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        )
    }

    fn route(&mut self, method: &str, path: &str) -> (&'static str, Value) {
        match (method, path) {
            ("GET", "/readyz") => {
                let ready = self.is_ready();
                (status(ready), json!({ "ready": ready, "mode": self.run.place.mode }))
            }
            ("GET", "/api/v1/health/database") => {
                let health = judge(self.run, &self.shapes, &self.open);
                (status(health.validation.success), json!(health))
            }
            ("GET", "/api/v1/health/startup") => {
                let validation = &self.at_start.validation;
                let said =
                    json!({ "status": self.at_start.status, "mode": self.run.place.mode, "validation": validation });
                (status(validation.success), said)
            }
            ("GET", "/api/v1/counts") => {
                let health = judge(self.run, &self.shapes, &self.open);
                let counts: BTreeMap<_, _> =
                    health.databases.into_values().flat_map(|database| database.counts).collect();
                ("200 OK", json!(counts))
            }
            ("POST", path) => match path.strip_prefix("/api/v1/write/") {
                Some(text) if self.is_ready() => self.write(text),
                Some(_) => ("503 Service Unavailable", json!({ "error": "not ready" })),
                None => ("404 Not Found", json!({ "error": "no such page" })),
            },
            _ => ("404 Not Found", json!({ "error": "no such page" })),
        }
    }

    /// It may be used when its schema is right, or when somebody said not to look: the health pages tell which.
    fn is_ready(&self) -> bool {
        let all_open = self.open.len() == self.at_start.databases.len();
        all_open && (self.run.place.skip_schema_validation || self.at_start.validation.success)
    }

    fn write(&self, text: &str) -> (&'static str, Value) {
        let write = &self.run.profile.application.write;
        let file = match self.run.place.mode {
            Mode::Legacy => &self.run.profile.source[&write.legacy].file,
            Mode::Consolidated => &self.run.profile.target[&write.consolidated].file,
        };
        let Some(connection) = self.open.get(&self.run.place.file(file)) else {
            return ("503 Service Unavailable", json!({ "error": format!("{file} is not open") }));
        };
        match connection.execute(&write.sql, [text]) {
            Ok(rows) => ("201 Created", json!({ "rows": rows })),
            Err(error) => ("409 Conflict", json!({ "error": error.to_string() })),
        }
    }
}

fn status(good: bool) -> &'static str {
    if good { "200 OK" } else { "503 Service Unavailable" }
}

fn opened(path: &Path) -> Result<Connection> {
    if path.metadata().map_or(true, |about| about.len() == 0) {
        return Err(Error::environment("it is missing or empty"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| Error::environment("SQLite cannot open it").caused_by(error);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(1)).map_err(failed)?;
    let ask = "select count(*) from sqlite_master";
    connection.query_row(ask, [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    Ok(connection)
}

/// Through the connections that are open: another handle of ours, once closed, would take SQLite's locks with it.
fn judge(run: &Run, shapes: &BTreeMap<String, Shape>, open: &BTreeMap<PathBuf, Connection>) -> Health {
    let look = |path: &Path, examine: &mut dyn FnMut(&Connection) -> Result<()>| match open.get(path) {
        Some(_) if !path.exists() => Err(Error::environment("it is gone")),
        Some(connection) => examine(connection),
        None => Err(opened(path).err().unwrap_or_else(|| Error::environment("it was not there at the start"))),
    };
    health::judge(&run.profile, &run.place, shapes, &look)
}
