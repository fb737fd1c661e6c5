//! A migration of all tables from one SQLite file to another, as somebody else would write it:
//! `copy_notes OLD NEW [BUG]`.
//!
//! The tests rehearse it; `BUG` is one of `loses-a-note`, `marks-the-source`, `through-text`.

use rusqlite::{Connection, Result, params};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bug = arguments.get(2).map(String::as_str);
    let mut new = Connection::open(&arguments[1])?;
    new.execute("attach ?1 as source", params![arguments[0]])?;
    new.execute_batch("pragma foreign_keys = off")?; // tables come in any order
    let transaction = new.transaction()?;
    let copy = if bug == Some("through-text") { "cast(@ as text)" } else { "@" };
    for statement in statements(&transaction, copy)? {
        transaction.execute_batch(&statement)?;
    }
    match bug {
        Some("loses-a-note") => {
            transaction.execute_batch("delete from main.notes where id = (select max(id) from main.notes)")?
        }
        Some("marks-the-source") => {
            transaction.execute_batch("create table if not exists source.moved (id integer)")?
        }
        _ => {}
    }
    transaction.commit()
}

/// Empties and fills each table that the source has, column by name; computed columns compute themselves.
fn statements(connection: &Connection, copy: &str) -> Result<Vec<String>> {
    let sql = "with tables as (
            select name, '\"' || replace(name, '\"', '\"\"') || '\"' as quoted from pragma_table_list
            where schema = 'source' and type = 'table' and name not in ('sqlite_schema', 'sqlite_stat1')),
        columns as (
            select t.name, t.quoted, '\"' || replace(x.name, '\"', '\"\"') || '\"' as column_name, x.pk
            from tables t, pragma_table_xinfo(t.name, 'source') x where x.hidden = 0)
        select 'delete from main.' || quoted || '; insert into main.' || quoted || ' (' || group_concat(column_name, ', ')
            || ') select ' || group_concat(case when pk or name <> 'classes' then column_name
                else replace(?1, '@', column_name) end, ', ') || ' from source.' || quoted
        from columns group by name order by name like 'sqlite\\_%' escape '\\', name";
    let mut query = connection.prepare(sql)?;
    query.query_map(params![copy], |row| row.get(0))?.collect()
}
