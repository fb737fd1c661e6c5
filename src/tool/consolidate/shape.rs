//! What a SQLite file is made of, as far as it decides whether rows fit: tables, columns, keys.

use rusqlite::Connection;
use std::collections::BTreeMap;

/// The tables of a file, and what else is defined in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Ordinary tables by name.
    pub(super) tables: BTreeMap<String, Table>,
    /// Virtual tables; what they store belongs to them.
    pub(super) virtual_tables: Vec<String>,
    /// Views and triggers, such as `view v`.
    pub(super) code: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// In their order.
    pub(super) columns: Vec<Column>,
    /// The columns of each key that is unique in every row: primary key, unique constraints and indexes.
    pub(super) keys: Vec<Vec<String>>,
    pub(super) counts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// As it was declared.
    pub(super) type_name: String,
    /// NOT NULL, or part of a primary key that must not be null.
    pub(super) required: bool,
    pub(super) has_default: bool,
    pub(super) generated: bool,
}

impl Shape {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Shape> {
        let mut shape = Shape::default();
        let sql = "select name, type from pragma_table_list where schema = 'main' and name not like 'sqlite\\_%' \
                   escape '\\' order by name";
        for (name, kind) in pairs(connection, sql)? {
            match kind.as_str() {
                "table" => drop(shape.tables.insert(name.clone(), Table::read(connection, &name)?)),
                "virtual" => shape.virtual_tables.push(name),
                _ => {} // views are below, shadow tables belong to their virtual one
            }
        }
        let sql = "select name, type from sqlite_master where type in ('view', 'trigger') order by type, name";
        shape.code = pairs(connection, sql)?.into_iter().map(|(name, kind)| format!("{kind} {name}")).collect();
        Ok(shape)
    }
}

impl Table {
    fn read(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
        let mut statement = connection.prepare(
            "select name, type, \"notnull\", dflt_value is not null, pk, hidden from pragma_table_xinfo(?1) \
             where hidden <> 1 order by cid",
        )?;
        let mut key: Vec<(i64, String)> = Vec::new();
        let columns = statement.query_map([name], |row| {
            let (place, hidden): (i64, i64) = (row.get(4)?, row.get(5)?);
            let name: String = row.get(0)?;
            if place > 0 {
                key.push((place, name.clone()));
            }
            let (type_name, required, has_default) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Column { name, type_name, required, has_default, generated: hidden > 1 })
        })?;
        let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
        key.sort();
        let mut keys: Vec<Vec<String>> = Vec::new();
        if !key.is_empty() {
            keys.push(key.into_iter().map(|(_, column)| column).collect());
        }
        keys.extend(unique_indexes(connection, name)?);
        keys.dedup();
        let sql = "select coalesce(sql, '') from sqlite_master where type = 'table' and name = ?1";
        let definition: String = connection.query_row(sql, [name], |row| row.get(0))?;
        Ok(Table { columns, keys, counts: definition.to_lowercase().contains("autoincrement") })
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// Indexes over expressions and partial ones say nothing of every row, and are left to SQLite.
fn unique_indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let sql = "select i.name, coalesce(c.name, '') from pragma_index_list(?1) i, pragma_index_info(i.name) c \
               where i.\"unique\" and not i.partial order by i.seq desc, c.seqno";
    let mut statement = connection.prepare(sql)?;
    let mut indexes: Vec<(String, Vec<String>)> = Vec::new();
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let (index, column): (String, String) = (row.get(0)?, row.get(1)?);
        match indexes.last_mut() {
            Some((last, columns)) if *last == index => columns.push(column),
            _ => indexes.push((index, vec![column])),
        }
    }
    Ok(indexes
        .into_iter()
        .map(|(_, columns)| columns)
        .filter(|columns| columns.iter().all(|c| !c.is_empty()))
        .collect())
}

fn pairs(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
