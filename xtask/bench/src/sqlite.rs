//! Digests and comparisons of SQLite files.

use super::ground::Ground;
use super::line::Line;
use rehearsal::clock::Stopwatch;
use rehearsal::db::sqlite;
use rehearsal::{Error, Result};
use std::hint::black_box;
use std::path::Path;

const ROWS: &str = "create table t (id integer primary key, a integer, b real, c text, d text, e blob); \
    insert into t select value, value % 1000, value * 0.37, 'name ' || value, hex(value * value), \
    case value % 3 when 0 then null else x'0011223344' end from generate";

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let (one, other) = (ground.dir.path().join("one.db"), ground.dir.path().join("other.db"));
    fill(&one, ground.rows / 2)?;
    std::fs::copy(&one, &other).map_err(|error| Error::io("copy", &one, error))?;
    let mut lines = vec![digest(ground, &one)?];
    let peer = ("", "compare two files", "sqlite3 .sha3sum of both", 0.5);
    let program = "sqlite3";
    lines.push(match ground.has(program) {
        false => Line::missing(peer, program),
        true => {
            let ours = "$REHEARSE compare sqlite:one.db sqlite:other.db > /dev/null";
            let theirs = "sqlite3 one.db .sha3sum > /dev/null && sqlite3 other.db .sha3sum > /dev/null";
            Line::paired(peer, ground.rounds, || ground.sh(ours, &[], &[0]), || ground.sh(theirs, &[], &[0]))?
        }
    });
    Ok(lines)
}

fn fill(path: &Path, rows: u64) -> Result<()> {
    let failed = |error: rusqlite::Error| Error::environment("cannot fill a file").caused_by(error);
    let connection = rusqlite::Connection::open(path).map_err(failed)?;
    let generate =
        format!("with generate as (select 1 as value union all select value + 1 from generate limit {rows})");
    let sql = ROWS.replace("insert", &format!("{generate} insert"));
    connection.execute_batch(&format!("pragma synchronous = off; {sql}")).map_err(failed)
}

fn digest(ground: &Ground, path: &Path) -> Result<Line> {
    let connection = sqlite::open_read_only(path)?;
    let sql = "select a, b, c, d, e, id from t";
    let ours = || {
        let watch = Stopwatch::start();
        black_box(sqlite::sqlite_query_digest(&connection, sql)?);
        Ok(watch.elapsed().as_secs_f64())
    };
    let theirs = || {
        let watch = Stopwatch::start();
        step(&connection, sql).map_err(|error| Error::environment("cannot step").caused_by(error))?;
        Ok(watch.elapsed().as_secs_f64())
    };
    let what = ("G8", "digest of a SQLite table", "stepping through all columns", 1.8);
    Line::paired(what, ground.rounds, ours, theirs)
}

fn step(connection: &rusqlite::Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            black_box(row.get_ref(column)?);
        }
    }
    Ok(())
}
