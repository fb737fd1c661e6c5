//! SQLite files: opened without a trace, and everything they hold as plain data.
//!
//! Each value is its storage class and its bytes, so that `1`, `1.0` and `'1'` are three values. The order of rows does
//! not count, nor that of columns in a row; the text of a `CREATE TABLE` counts as it is. Not looked at: hidden rowids,
//! virtual tables (their shadow tables are), the journal mode, page size and free pages.

use crate::db::sqlite_value;
use crate::db::state::Volatile;
use crate::error::{Error, Result};
use crate::model::{DatabaseState, TableDigest};
use rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The state of the file at `path`, with what lies beside it in `-wal` or a hot journal.
///
/// Neither the file nor anything beside it is touched, created or locked: without side files it is read as immutable,
/// with them a copy is read. Nobody may write meanwhile; for a file in use there is [`connection_state`].
///
/// # Errors
/// No such file, or SQLite's words, as for a damaged file.
pub fn sqlite_state(path: &Path, volatile: &Volatile) -> Result<DatabaseState> {
    untouched(path, |connection| connection_state(connection, volatile))
}

/// What is found at `path` whatever it is, as [`sqlite_state`] reads it: a file that is not there or that SQLite calls
/// damaged is a state, too, with the entry `file` or [`DatabaseState::DAMAGE`] in its catalog.
///
/// # Errors
/// The file cannot be read, for a reason that lies not in it.
pub fn found_state(path: &Path, volatile: &Volatile) -> Result<DatabaseState> {
    let only = |entry: &str, text: String| {
        let catalog = BTreeMap::from([(entry.to_owned(), text)]);
        DatabaseState { catalog, ..DatabaseState::default() }
    };
    if !path.is_file() {
        return Ok(only("file", "missing".to_owned()));
    }
    untouched(path, |connection| match damage(connection) {
        Err(error) if is_damage(&error) => Ok(only(DatabaseState::DAMAGE, error.to_string())),
        found => match found.map_err(|error| failed("cannot check it", error))?.into_iter().next() {
            Some(first) => Ok(only(DatabaseState::DAMAGE, first)),
            None => connection_state(connection, volatile),
        },
    })
}

/// The state of an open database, in one read transaction of its own.
///
/// # Errors
/// SQLite's words, with the table.
pub fn connection_state(connection: &Connection, volatile: &Volatile) -> Result<DatabaseState> {
    let transaction = connection.unchecked_transaction().map_err(|error| failed("begin", error))?;
    let mut state = definitions(&transaction)?;
    for table in stored_tables(&transaction).map_err(|error| failed("cannot list the tables", error))? {
        let digest = table_digest(&transaction, &table, volatile);
        let digest = digest.map_err(|error| failed(&format!("cannot read table {table}"), error))?;
        state.tables.insert(table, digest);
    }
    Ok(state)
}

/// The state without the rows: every definition, and the next value of every sequence.
///
/// # Errors
/// SQLite's words.
pub fn definitions(connection: &Connection) -> Result<DatabaseState> {
    let mut state = DatabaseState::default();
    read_catalog(connection, &mut state).map_err(|error| failed("cannot read the schema", error))?;
    Ok(state)
}

/// Count and digest of the rows that `sql` returns; columns count by position.
///
/// # Errors
/// SQLite's words.
pub fn sqlite_query_digest(connection: &Connection, sql: &str) -> Result<TableDigest> {
    digest_of(connection, sql).map_err(|error| failed("cannot run the query", error))
}

/// The first row of `query`, columns apart by tabs; nothing where there is no row. Read as in [`sqlite_state`].
///
/// # Errors
/// No such file, or SQLite's words.
pub fn first_row(path: &Path, query: &str) -> Result<Option<String>> {
    let ask = |connection: &Connection| -> rusqlite::Result<Option<String>> {
        let mut statement = connection.prepare(query)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let texts = (0..columns).map(|index| text(row.get_ref(index)?)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Some(texts.join("\t")))
    };
    untouched(path, |connection| ask(connection).map_err(|error| failed("SQLite says", error)))
}

/// For each key that `query` gives, its rows as text. Several rows of one key are taken together. Read as in
/// [`sqlite_state`].
///
/// # Errors
/// No such file, SQLite's words, or a column of the key that is not there.
pub fn rows_by_key(path: &Path, query: &str, key: &[String]) -> Result<BTreeMap<String, String>> {
    let ask = |connection: &Connection| -> rusqlite::Result<BTreeMap<String, String>> {
        let mut statement = connection.prepare(query)?;
        let key = key.iter().map(|name| statement.column_index(name)).collect::<rusqlite::Result<Vec<_>>>()?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let name = key.iter().map(|index| text(row.get_ref(*index)?)).collect::<rusqlite::Result<Vec<_>>>()?;
            let values = (0..columns).map(|index| Ok(format!("{:?}", row.get_ref(index)?)));
            found.entry(name.join(", ")).or_default().push(values.collect::<rusqlite::Result<Vec<_>>>()?.join(", "));
        }
        let together = |(key, mut rows): (String, Vec<String>)| {
            rows.sort();
            (key, rows.join("; "))
        };
        Ok(found.into_iter().map(together).collect())
    };
    untouched(path, |connection| ask(connection).map_err(|error| failed("SQLite says", error)))
}

/// What SQLite finds damaged, foreign keys included; nothing when all is well. Read without a trace, as in
/// [`sqlite_state`].
///
/// # Errors
/// The file cannot be read at all. A file that is no database is a finding, not an error.
pub fn integrity(path: &Path) -> Result<Vec<String>> {
    untouched(path, |connection| match complaints(connection) {
        Ok(found) => Ok(found),
        Err(error) if is_damage(&error) => Ok(vec![error.to_string()]),
        Err(error) => Err(failed("cannot check it", error)),
    })
}

/// Opens an existing file to read it, beside others who write. May create `-shm` and `-wal` of a file in WAL mode.
///
/// # Errors
/// No such file, or SQLite's words.
pub fn open_read_only(path: &Path) -> Result<Connection> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Opens an existing file to read and write it. Nothing is written before the first statement does.
///
/// # Errors
/// No such file, or SQLite's words.
pub fn open(path: &Path) -> Result<Connection> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn open_with(path: &Path, flags: OpenFlags) -> Result<Connection> {
    if !path.is_file() {
        return Err(Error::environment(format!("there is no file {}", path.display())));
    }
    let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    opened.map_err(|error| failed(&format!("cannot open {}", path.display()), error))
}

/// Reads the file at `path`, with what lies beside it, without a trace, as [`sqlite_state`] does.
///
/// # Errors
/// No such file, SQLite's words, or those of `read`.
pub fn untouched<T>(path: &Path, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    if !path.is_file() {
        return Err(Error::environment(format!("there is no file {}", path.display())));
    }
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    let side_files: Vec<&str> = ["-wal", "-journal"].into_iter().filter(|suffix| beside(suffix).exists()).collect();
    let outcome = if side_files.is_empty() {
        open_immutable(path).and_then(|connection| read(&connection))
    } else {
        // Beside the file, so that it goes with it, whatever becomes of us.
        let parent = path.parent().unwrap_or(path);
        let folder = tempfile::tempdir_in(parent).map_err(|error| Error::io("create a copy in", parent, error))?;
        let copy = folder.path().join("copy");
        copy_file(path, &copy)?;
        for suffix in side_files {
            copy_file(&beside(suffix), &folder.path().join(format!("copy{suffix}")))?;
        }
        open(&copy).and_then(|connection| read(&connection))
    };
    outcome.map_err(|error| error.within(path.display()))
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).map(drop).map_err(|error| Error::io("copy", from, error))
}

/// Who reads from end to end comes to no page twice.
pub(crate) const LITTLE_CACHE: &str = "cache_size = -500";

/// Opens a file that nobody changes, to read it: without a lock, without a log, without a trace.
pub(crate) fn open_immutable(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(immutable_uri(path), flags).map_err(|error| failed("cannot open it", error))
}

/// The name by which SQLite opens a file as [`open_immutable`] does.
pub(crate) fn immutable_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

pub(crate) fn failed(what: &str, error: rusqlite::Error) -> Error {
    Error::environment(what).caused_by(error)
}

/// A file that ends too early is damaged, too; SQLite calls that a short read.
fn is_damage(error: &rusqlite::Error) -> bool {
    let is_cut_off = error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHORT_READ);
    is_cut_off || matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn damage(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("select integrity_check from pragma_integrity_check")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

/// The first thing that is wrong by a check such as `quick_check(1)`; nothing when all is well.
pub(crate) fn first_complaint(connection: &Connection, check: &str) -> Result<Option<String>> {
    let found = connection.query_row(&format!("pragma {check}"), [], |row| row.get::<_, String>(0));
    let found = found.map_err(|error| failed("SQLite cannot read it", error))?;
    Ok(Some(found).filter(|found| found != "ok"))
}

fn complaints(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = damage(connection)?;
    let keys = "select \"table\", parent, count(*) from pragma_foreign_key_check group by 1, 2 order by 1, 2";
    let mut statement = connection.prepare(keys)?;
    let broken = statement.query_map([], |row| {
        let (table, parent, rows): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{rows} rows of {table} refer to missing rows of {parent}"))
    })?;
    for line in broken {
        found.push(line?);
    }
    Ok(found)
}

fn read_catalog(connection: &Connection, state: &mut DatabaseState) -> rusqlite::Result<()> {
    for pragma in ["user_version", "application_id", "encoding"] {
        let value = connection.query_row(&format!("pragma {pragma}"), [], |row| text(row.get_ref(0)?))?;
        state.catalog.insert(format!("setting {pragma}"), value);
    }
    let objects = "select type, case when type in ('index', 'trigger') then tbl_name || '.' || name else name end, \
                   coalesce(sql, '(automatic)') from sqlite_master where name not like 'sqlite\\_stat%' escape '\\'";
    let mut statement = connection.prepare(objects)?;
    let mut rows = statement.query([])?;
    let mut has_sequences = false;
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        has_sequences |= name == "sqlite_sequence";
        state.catalog.insert(format!("{kind} {name}"), sql);
    }
    if has_sequences {
        let mut statement = connection.prepare("select name, seq + 1 from sqlite_sequence")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            state.sequences.insert(text(row.get_ref(0)?)?, text(row.get_ref(1)?)?);
        }
    }
    Ok(())
}

fn text(value: ValueRef<'_>) -> rusqlite::Result<String> {
    Ok(match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    })
}

/// Tables that hold rows of their own, shadow tables of virtual ones included.
pub(crate) fn stored_tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "select name from pragma_table_list where schema = 'main' and type in ('table', 'shadow') \
               and name not like 'sqlite\\_%' escape '\\'";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

fn table_digest(connection: &Connection, table: &str, volatile: &Volatile) -> rusqlite::Result<TableDigest> {
    let mut statement = connection.prepare("select name from pragma_table_xinfo(?) where hidden <> 1 order by name")?;
    let columns = statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let left_out = volatile.get(table);
    let kept = columns.iter().filter(|column| left_out.is_none_or(|names| !names.contains(*column)));
    let kept: Vec<String> = kept.map(|column| quoted(column)).collect();
    let list = if kept.is_empty() { "null".to_owned() } else { kept.join(", ") };
    digest_of(connection, &format!("select {list} from {}", quoted(table)))
}

/// `name` as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn digest_of(connection: &Connection, sql: &str) -> rusqlite::Result<TableDigest> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut digest = TableDigest::default();
    let mut encoded = Vec::new();
    while let Some(row) = rows.next()? {
        encoded.clear();
        for column in 0..columns {
            sqlite_value::push(&mut encoded, row.get_ref(column)?);
        }
        digest.add(&encoded);
    }
    Ok(digest)
}
