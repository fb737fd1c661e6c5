//! Everything that a Postgres database holds, read in one snapshot and a handful of round trips.
//!
//! Each row is the server's own text of `row(columns in the order of their names)`, so that neither the order of rows
//! nor the order of columns counts. What is not looked at is listed in docs/verdicts.md.

use crate::db::postgres::{BEGIN, LOCAL_PINS, execute, failed, quoted};
use crate::db::{catalog, copy_text};
use crate::error::{Error, Result};
use crate::model::{DatabaseState, TableDigest};
use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// Columns that are left out of the rows, per table; tables by qualified name, in SQLite by the bare one.
pub type Volatile = BTreeMap<String, BTreeSet<String>>;

/// The state of the database behind `connection`: all ordinary tables (also partitions and materialised views) of all
/// schemas that are not the system's, the next value of every sequence, and every definition.
///
/// Read in one repeatable-read, read-only transaction of its own: `connection` must not be inside another. It waits up
/// to 5 seconds for a lock. Sequences are not transactional: their values are those of the moment.
///
/// # Errors
/// Names the step; nothing partial is returned. Drop the connection then: after a COPY that the server refused to start
/// (no right to a table, a lock not granted) sqlx is one answer behind.
pub async fn postgres_state(connection: &mut PgConnection, volatile: &Volatile) -> Result<DatabaseState> {
    execute(connection, &format!("{BEGIN} {LOCAL_PINS} {OWN}")).await?;
    let state = read(connection, volatile).await;
    end(connection, state).await
}

/// The same inside a transaction of the caller's, with what it has changed; settings of it stay changed until its end.
///
/// # Errors
/// As [`postgres_state`].
pub(crate) async fn postgres_state_inside(connection: &mut PgConnection, volatile: &Volatile) -> Result<DatabaseState> {
    execute(connection, &format!("{LOCAL_PINS} {OWN}")).await?;
    read(connection, volatile).await
}

/// The state without the rows of tables: every definition, and the next value of every sequence.
///
/// # Errors
/// As [`postgres_state`].
pub async fn postgres_definitions(connection: &mut PgConnection) -> Result<DatabaseState> {
    execute(connection, &format!("{BEGIN} {LOCAL_PINS} {OWN}")).await?;
    let read = async {
        let (mut state, sources) = read_definitions(connection).await?;
        let is_sequence = |source: &Source| matches!(source.content, Content::NextValue { .. });
        let sequences: Vec<Source> = sources.into_iter().filter(is_sequence).collect();
        for batch in sequences.chunks(TABLES_PER_COPY) {
            read_rows(connection, batch, &Volatile::new(), &mut state).await?;
        }
        Ok(state)
    };
    let state = read.await;
    end(connection, state).await
}

/// Count and digest of the rows that `sql` (one SELECT) returns; columns count by position.
///
/// # Errors
/// The server's message. A query that does not even plan leaves the connection usable, any other trouble does not.
pub async fn query_digest(connection: &mut PgConnection, sql: &str) -> Result<TableDigest> {
    let sql = sql.trim().trim_end_matches(';');
    execute(connection, &format!("{BEGIN} {LOCAL_PINS}")).await?;
    let planned = execute(connection, &format!("explain {sql}")).await;
    if planned.is_err() {
        return end(connection, planned).await.map(|()| TableDigest::default());
    }
    let mut digest = TableDigest::default();
    let copy = format!("copy ({sql}\n) to stdout"); // the newline ends a comment in the last line of `sql`
    let add = |line: &[u8]| {
        digest.add(line);
        Ok(())
    };
    let read = copy_lines(connection, &copy, add).await;
    end(connection, read).await.map(|()| digest)
}

/// Names in full. A lock that is not granted in five seconds will not be: whoever works for a tool has gone before we
/// look.
pub(crate) const OWN: &str = "set local search_path = ''; set local lock_timeout = '5s';";
const ROW_SOURCES: &str = include_str!("row_sources.sql");
/// Tables read by one COPY: enough to save the round trips, few enough to plan quickly.
const TABLES_PER_COPY: usize = 200;

async fn end<T>(connection: &mut PgConnection, outcome: Result<T>) -> Result<T> {
    let ended = execute(connection, if outcome.is_ok() { "commit" } else { "rollback" }).await;
    let value = outcome?; // the first error is the one to tell
    ended.map(|()| value)
}

async fn read(connection: &mut PgConnection, volatile: &Volatile) -> Result<DatabaseState> {
    let (mut state, sources) = read_definitions(connection).await?;
    for batch in sources.chunks(TABLES_PER_COPY) {
        read_rows(connection, batch, volatile, &mut state).await?;
    }
    Ok(state)
}

/// The catalog, and what holds rows or values.
async fn read_definitions(connection: &mut PgConnection) -> Result<(DatabaseState, Vec<Source>)> {
    let mut state = DatabaseState::default();
    let mut sources = Vec::new();
    let definitions = format!(
        "copy (select 'catalog', c.name, c.definition, null from ({}\n) c (name, definition) \
         union all {ROW_SOURCES}) to stdout",
        catalog::query(connection).await?
    );
    copy_lines(connection, &definitions, |line| {
        let line = String::from_utf8_lossy(line);
        match Definition::parse(&line)? {
            Definition::Object { name, definition } => drop(state.catalog.insert(name, definition)),
            Definition::Source(source) => sources.push(source),
        }
        Ok(())
    })
    .await
    .map_err(|error| error.within("cannot read the catalog"))?;
    Ok((state, sources))
}

/// One line of the catalog query.
enum Definition {
    Object { name: String, definition: String },
    Source(Source),
}

/// A table or a sequence: its name, its name as SQL takes it, and what to select from it.
struct Source {
    name: String,
    from: String,
    content: Content,
}

enum Content {
    Rows { columns: Vec<String> },
    NextValue { step: String },
}

impl Definition {
    fn parse(line: &str) -> Result<Definition> {
        let mut fields = copy_text::fields(line).into_iter().map(|field| field.unwrap_or_default().into_owned());
        let mut next = || fields.next().unwrap_or_default();
        let (section, name, definition, detail) = (next(), next(), next(), next());
        let content = match section.as_str() {
            "catalog" => return Ok(Definition::Object { name, definition }),
            "sequence" => Content::NextValue { step: detail },
            _ => Content::Rows {
                columns: serde_json::from_str(&detail)
                    .map_err(|error| Error::bug(format!("columns of table {name}")).caused_by(error))?,
            },
        };
        Ok(Definition::Source(Source { name, from: definition, content }))
    }
}

impl Source {
    /// One arm of the query over all tables: its number, and the text of each row.
    fn select(&self, number: usize, volatile: &Volatile) -> String {
        let from = &self.from;
        match &self.content {
            Content::Rows { columns } => {
                let left_out = volatile.get(&self.name);
                let kept = columns.iter().filter(|column| left_out.is_none_or(|names| !names.contains(*column)));
                let kept: Vec<String> = kept.map(|column| quoted(column)).collect();
                format!("select {number}, row({})::text from only {from}", kept.join(", "))
            }
            Content::NextValue { step } => format!(
                "select {number}, (last_value::numeric + case when is_called then {step} else 0 end)::text from {from}"
            ),
        }
    }
}

async fn read_rows(
    connection: &mut PgConnection,
    sources: &[Source],
    volatile: &Volatile,
    state: &mut DatabaseState,
) -> Result<()> {
    let arms: Vec<String> =
        sources.iter().enumerate().map(|(number, source)| source.select(number, volatile)).collect();
    let mut digests = vec![TableDigest::default(); sources.len()];
    copy_lines(connection, &format!("copy ({}) to stdout", arms.join(" union all ")), |line| {
        let (number, row) = numbered(line).ok_or_else(|| Error::bug("a row without the number of its table"))?;
        match &sources[number].content {
            Content::Rows { .. } => digests[number].add(row),
            Content::NextValue { .. } => {
                state.sequences.insert(sources[number].name.clone(), String::from_utf8_lossy(row).into_owned());
            }
        }
        Ok(())
    })
    .await
    .map_err(|error| error.within("cannot read the rows of all tables"))?;

    let tables = sources.iter().zip(digests).filter(|(source, _)| matches!(source.content, Content::Rows { .. }));
    state.tables.extend(tables.map(|(source, digest)| (source.name.clone(), digest)));
    Ok(())
}

fn numbered(line: &[u8]) -> Option<(usize, &[u8])> {
    let tab = memchr::memchr(b'\t', line)?;
    let number = str::from_utf8(&line[..tab]).ok()?.parse().ok()?;
    Some((number, &line[tab + 1..]))
}

/// Runs a COPY TO STDOUT in text form and gives each line, without its newline, to `each`.
///
/// When `each` fails the rest is read and thrown away, so that the connection stays usable.
pub(crate) async fn copy_lines(
    connection: &mut PgConnection,
    copy: &str,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut messages = connection.copy_out_raw(copy).await.map_err(|error| failed(&error))?;
    let mut lines = Lines::default();
    let mut outcome = Ok(());
    while let Some(message) = messages.try_next().await.map_err(|error| failed(&error))? {
        if outcome.is_ok() {
            outcome = lines.push(&message, &mut each);
        }
    }
    outcome
}

/// Cuts messages into lines: the server sends one row per message, the protocol does not promise it.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, message: &[u8], each: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut rest = message;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            match self.begun.is_empty() {
                true => each(&rest[..end])?,
                false => {
                    self.begun.extend_from_slice(&rest[..end]);
                    each(&std::mem::take(&mut self.begun))?;
                }
            }
            rest = &rest[end + 1..];
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }
}
