//! What SQLite says of a table of `main`: where its rows and indexes are, and what must hold for them.

use super::sqlite_affinity::Affinity;
use super::sqlite_file::{Field, Kind, Lacking, Layout, Tree};
use rusqlite::Connection;

/// See the module.
pub(super) struct Table {
    /// In the order in which they are stored.
    pub(super) columns: Vec<Column>,
    /// A name of the rowid that no column has; nothing where there is none.
    pub(super) rowid: Option<&'static str>,
    /// Types are binding.
    pub(super) is_strict: bool,
    pub(super) tree: Tree,
    pub(super) indexes: Vec<Index>,
}

pub(super) struct Column {
    pub(super) name: String,
    is_real: bool,
    is_required: bool,
    has_default: bool,
    is_generated: bool,
    /// It is the rowid by another name.
    is_rowid: bool,
}

pub(super) struct Index {
    pub(super) name: String,
    pub(super) is_unique: bool,
    pub(super) tree: Tree,
    /// Name and whether it descends; nothing where entries have another order than that of bytes, or are not of all
    /// rows.
    pub(super) key: Option<Vec<(String, bool)>>,
}

impl Table {
    pub(super) fn read(connection: &Connection, table: &str) -> rusqlite::Result<Table> {
        let sql = "select not wr, strict from pragma_table_list(?1) where schema = 'main'";
        let (has_rowid, is_strict) =
            connection.query_row(sql, [table], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?)))?;
        let sql = "select rootpage from sqlite_master where type = 'table' and name = ?1";
        let root = connection.query_row(sql, [table], |row| row.get(0))?;
        let columns = columns(connection, table)?;
        let is_free = |name: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(is_free).filter(|_| has_rowid);
        let tree = Tree { root, kind: if has_rowid { Kind::Table } else { Kind::Index } };
        let indexes = indexes(connection, table)?;
        Ok(Table { columns, rowid, is_strict, tree, indexes })
    }

    /// How the columns at `places` are read from a row of the table, the rowid last; nothing where some of them are
    /// not stored.
    pub(super) fn layout(&self, places: &[usize]) -> Option<Layout> {
        let is_stored = self.rowid.is_some() && !self.columns.iter().any(|column| column.is_generated);
        let field = |place: &usize| self.columns[*place].field(*place, true);
        is_stored.then(|| Layout {
            fields: places.iter().map(field).chain([Field::Rowid]).collect(),
            width: self.columns.len(),
            lacking: match self.columns.iter().any(|column| column.has_default) {
                true => Lacking::Default,
                false => Lacking::Null,
            },
        })
    }

    /// How the columns at `places` are read from an entry of an index of them, the rowid last.
    pub(super) fn entry(&self, places: &[usize]) -> Layout {
        let fields = places.iter().enumerate().map(|(place, column)| self.columns[*column].field(place, false));
        let rowid = Field::Value { place: places.len(), is_real: false, is_required: true };
        Layout { fields: fields.chain([rowid]).collect(), width: places.len() + 1, lacking: Lacking::Nothing }
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

impl Column {
    /// `place`: where it is in a record; in that of a row, what is the rowid is not.
    fn field(&self, place: usize, is_row: bool) -> Field {
        match self.is_rowid && is_row {
            true => Field::Rowid,
            false => Field::Value { place, is_real: self.is_real, is_required: self.is_required && is_row },
        }
    }
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let sql = "select exists (select 1 from pragma_index_list(?1) where origin = 'pk'), \
               (select count(*) from pragma_table_xinfo(?1) where pk > 0)";
    let (has_key_index, in_key): (bool, i64) =
        connection.query_row(sql, [table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let sql = "select name, type, \"notnull\", coalesce(lower(dflt_value), 'null') <> 'null', pk > 0, hidden from \
               pragma_table_xinfo(?1) where hidden <> 1 order by cid";
    let mut statement = connection.prepare(sql)?;
    let columns = statement.query_map([table], |row| {
        let (type_name, is_key, hidden): (String, bool, i64) = (row.get(1)?, row.get(4)?, row.get(5)?);
        Ok(Column {
            name: row.get(0)?,
            is_real: Affinity::of(&type_name) == Affinity::Real,
            is_required: row.get(2)?,
            has_default: row.get(3)?,
            is_generated: hidden > 1,
            is_rowid: is_key && in_key == 1 && !has_key_index && type_name.eq_ignore_ascii_case("integer"),
        })
    })?;
    columns.collect()
}

fn indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Index>> {
    let encoding = connection.query_row("pragma encoding", [], |row| row.get::<_, String>(0))?;
    // The key of a table without a rowid is the table itself.
    let sql = "select l.name, l.\"unique\", l.partial, m.rootpage from pragma_index_list(?1) l \
               join sqlite_master m on m.type = 'index' and m.name = l.name where m.rootpage > 0 order by l.seq";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([table], |row| {
        let (name, is_partial): (String, bool) = (row.get(0)?, row.get(2)?);
        let key = match is_partial || encoding != "UTF-8" {
            true => None,
            false => key(connection, table, &name)?,
        };
        Ok(Index { name, is_unique: row.get(1)?, tree: Tree { root: row.get(3)?, kind: Kind::Index }, key })
    })?;
    found.collect()
}

fn key(connection: &Connection, table: &str, index: &str) -> rusqlite::Result<Option<Vec<(String, bool)>>> {
    let sql = "select x.name, x.\"desc\", x.coll = 'BINARY' and x.cid >= 0 and c.hidden = 0 from \
               pragma_index_xinfo(?1) x left join pragma_table_xinfo(?2) c on c.cid = x.cid where x.key order by x.seqno";
    let mut statement = connection.prepare(sql)?;
    let parts = statement.query_map([index, table], |row| {
        let is_plain = row.get::<_, Option<bool>>(2)?.unwrap_or_default();
        Ok(row.get::<_, Option<String>>(0)?.filter(|_| is_plain).zip(Some(row.get::<_, bool>(1)?)))
    })?;
    parts.collect()
}
