//! `src.write` to a SQLite file: as an application would that opens it for one transaction.

use super::source_write::{Written, verb};
use crate::db::sqlite::{self, quoted, stored_tables};
use crate::fault::Write;
use crate::{Error, Result};
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::time::Duration;

/// How long the tool may hold its locks before it counts as keeping writers out.
const PATIENCE: Duration = Duration::from_millis(300);

/// Changes one row in each table that `is_wanted`, where its constraints let us.
///
/// # Errors
/// SQLite's words; no table lets us.
pub(super) fn write(path: &Path, is_wanted: impl Fn(&str) -> bool, write: Write) -> Result<Written> {
    let failed = |error| Error::environment(format!("cannot write to {}", path.display())).caused_by(error);
    let connection = sqlite::open(path)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    connection.execute_batch("pragma foreign_keys = on").map_err(failed)?;
    let changed = match changed(&connection, is_wanted, write) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Ok(Written::KeptOut),
        changed => changed.map_err(failed)?,
    };
    match changed.is_empty() {
        true => Err(Error::environment(format!("no table of {} lets us {} a row", path.display(), verb(write)))),
        false => Ok(Written::Rows(changed)),
    }
}

/// In one transaction, which is undone when this fails.
fn changed(connection: &Connection, is_wanted: impl Fn(&str) -> bool, write: Write) -> rusqlite::Result<Vec<String>> {
    connection.execute_batch("begin immediate")?;
    let mut tables = stored_tables(connection)?;
    tables.retain(|table| is_wanted(table));
    let mut changed = Vec::new();
    for name in tables {
        let table = Table { columns: columns(connection, &name)?, from: quoted(&name) };
        // A constraint that speaks against one undoes that alone.
        if table.statements(write).iter().any(|sql| connection.execute(sql, []).is_ok_and(|rows| rows > 0)) {
            changed.push(name);
        }
    }
    connection.execute_batch("commit").map(|()| changed)
}

struct Table {
    /// As SQL takes it.
    from: String,
    columns: Vec<Column>,
}

struct Column {
    /// As SQL takes it.
    name: String,
    /// In the primary key.
    is_primary: bool,
    /// In some key.
    is_key: bool,
    is_referring: bool,
    is_computed: bool,
    numbers_itself: bool,
}

const COLUMNS: &str = "select c.name, c.pk > 0, c.pk > 0 or exists (select 1 from pragma_index_list(?1) i, \
    pragma_index_info(i.name) k where i.\"unique\" and k.name = c.name), \
    exists (select 1 from pragma_foreign_key_list(?1) f where f.\"from\" = c.name), c.hidden > 1, \
    c.pk = 1 and upper(c.type) = 'INTEGER' and (select max(pk) from pragma_table_xinfo(?1)) = 1 \
    from pragma_table_xinfo(?1) c where c.hidden <> 1 order by c.cid";

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = connection.prepare(COLUMNS)?;
    let column = |row: &rusqlite::Row<'_>| {
        Ok(Column {
            name: quoted(&row.get::<_, String>(0)?),
            is_primary: row.get(1)?,
            is_key: row.get(2)?,
            is_referring: row.get(3)?,
            is_computed: row.get(4)?,
            numbers_itself: row.get(5)?,
        })
    };
    statement.query_map([table], column)?.collect()
}

impl Table {
    /// Statements that would do it, the most promising first; the first one that changes a row is enough.
    fn statements(&self, write: Write) -> Vec<String> {
        let (from, first) = (&self.from, self.first());
        match write {
            Write::Insert => self.insert().into_iter().collect(),
            Write::Update => self.columns.iter().filter_map(|column| self.update(column)).collect(),
            Write::Delete => vec![format!("delete from {from} where {first}")],
        }
    }

    /// A copy of the first row, under a key of its own.
    fn insert(&self) -> Option<String> {
        let given = self.columns.iter().filter(|column| !column.is_computed && !column.numbers_itself);
        let given: Vec<&Column> = given.collect();
        if given.iter().any(|column| column.is_key && column.is_referring) {
            return None; // a key that others gave out
        }
        let names: Vec<&str> = given.iter().map(|column| column.name.as_str()).collect();
        let values: Vec<String> = given.iter().map(|column| self.copied(column)).collect();
        let (from, names, values) = (&self.from, names.join(", "), values.join(", "));
        Some(format!("insert into {from} ({names}) select {values} from {from} where {}", self.first()))
    }

    fn copied(&self, column: &Column) -> String {
        let (name, from) = (&column.name, &self.from);
        match column.is_key {
            false => name.clone(),
            true => format!(
                "case typeof({name}) when 'text' then {name} || '-rehearse' when 'blob' then cast({name} || '~' as blob) \
                 else (select max({name}) from {from} where typeof({name}) in ('integer', 'real')) + 1 end"
            ),
        }
    }

    fn update(&self, column: &Column) -> Option<String> {
        let (name, from) = (&column.name, &self.from);
        if column.is_key || column.is_referring || column.is_computed {
            return None;
        }
        let other = format!(
            "case typeof({name}) when 'text' then {name} || '~' when 'blob' then cast({name} || '~' as blob) \
             else {name} + 1 end"
        );
        Some(format!("update {from} set {name} = {other} where {name} is not null and {}", self.first()))
    }

    /// The row with the lowest key: what is deleted should not be what a counter has just given out.
    fn first(&self) -> String {
        let keys: Vec<&str> = self.columns.iter().filter(|c| c.is_primary).map(|c| c.name.as_str()).collect();
        let keys = if keys.is_empty() { "rowid".to_owned() } else { keys.join(", ") };
        format!("({keys}) = (select {keys} from {} order by {keys} limit 1)", self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const SCHEMA: &str = "pragma foreign_keys = on;
        create table numbers (id integer primary key, body text);
        create table names (name text primary key, twin text unique, size real) without rowid;
        create table pairs (a integer, b text, c blob, primary key (a, b));
        create table bare (x);
        create table computed (id integer primary key, n integer, twice as (n * 2));
        create table parts (number integer references numbers, place integer, primary key (number, place));
        create table noted (id integer primary key, of_number integer references numbers (id), note text);
        insert into numbers values (5, 'five'), (7, null);
        insert into names values ('a', 'b', 1.5), ('c', 'd', 2);
        insert into pairs values (1, 'x', x'00'), (1, 'y', x'01');
        insert into bare values ('only');
        insert into computed (id, n) values (1, 2);
        insert into parts values (7, 1);
        insert into noted values (1, 5, 'a note')";

    fn filled(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("a.db");
        Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
        path
    }

    #[rstest]
    #[case::insert(Write::Insert, "bare computed names noted numbers pairs")]
    #[case::update(Write::Update, "bare computed names noted numbers pairs")]
    #[case::delete(Write::Delete, "bare computed names noted numbers pairs parts")]
    fn one_row_is_changed_wherever_constraints_let_us(#[case] how: Write, #[case] expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path());
        let Written::Rows(mut changed) = write(&path, |_| true, how).unwrap() else { panic!("nobody keeps us out") };
        changed.sort();
        assert_eq!(changed.join(" "), expected);
        assert_eq!(sqlite::integrity(&path).unwrap(), [""; 0]);
    }

    #[test]
    fn only_what_is_wanted_is_changed_and_a_lock_keeps_us_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path());
        let Written::Rows(changed) = write(&path, |table| table == "bare", Write::Delete).unwrap() else { panic!() };
        assert_eq!(changed, ["bare"]);
        let empty = write(&path, |table| table == "bare", Write::Delete).map(drop);
        assert!(empty.unwrap_err().to_string().contains("lets us delete a row"));
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("begin immediate").unwrap();
        assert!(matches!(write(&path, |_| true, Write::Update).unwrap(), Written::KeptOut));
    }
}
