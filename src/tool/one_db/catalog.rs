//! What the two servers say about the tables: columns, keys, sequences, references.

use super::session::{Session, TextRow};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// A schema and a name, not quoted.
pub(super) type Qualified = (String, String);

/// The shape of one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// A partitioned table: plain COPY would not give its rows.
    pub(super) partitioned: bool,
    /// Others inherit from it, as partitions or otherwise: plain COPY would not give their rows.
    pub(super) inherited: bool,
    /// Sorted by name.
    pub(super) columns: Vec<Column>,
    /// Names of the primary key's columns, in its order; empty: no key.
    pub(super) key: Vec<String>,
}

impl Shape {
    /// Others inherit from it, and are tables in their own right.
    pub(super) fn is_parent(&self) -> bool {
        self.inherited && !self.partitioned
    }
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// Type with modifiers, a user's enum with its labels, a collation of its own.
    pub(super) type_name: String,
    /// Its binary form means the same on every server. Not so a user's type, nor what is sent as an oid (`reg*`,
    /// `aclitem`) or by a setting (`money`), nor what the server does not read back (an empty `oidvector` or `tsquery`).
    pub(super) portable: bool,
    pub(super) not_null: bool,
    pub(super) generated: bool,
    /// GENERATED ALWAYS AS IDENTITY: can be inserted, never updated.
    pub(super) identity: bool,
}

/// A sequence that feeds a column.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) table: Qualified,
    pub(super) column: String,
    pub(super) name: Qualified,
    pub(super) increment: i128,
    pub(super) min: i128,
    pub(super) max: i128,
    pub(super) start: i128,
}

/// A foreign key of `child` on a table that we were asked about.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) child: Qualified,
    pub(super) parent: Qualified,
    pub(super) name: String,
    /// It can wait for the end of a transaction.
    pub(super) deferrable: bool,
    /// Deleting a parent row changes the child's rows, instead of being refused.
    pub(super) cascades: bool,
    /// Condition under which a child's row refers to something.
    pub(super) refers: String,
}

/// `"name"`.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `"schema"."name"`.
pub(super) fn qualified((schema, name): &Qualified) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// `'text'`, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn pairs(tables: &[Qualified]) -> String {
    let pairs: Vec<String> =
        tables.iter().map(|(schema, name)| format!("({}, {})", literal(schema), literal(name))).collect();
    pairs.join(", ")
}

/// Shapes of those of `tables` that exist.
pub(super) async fn shapes(
    session: &mut Session,
    step: &str,
    tables: &[Qualified],
) -> Result<BTreeMap<Qualified, Shape>> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, (c.relkind = 'p')::text, \
            EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid)::text, a.attname::text, \
            CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace \
                THEN pg_catalog.format_type(a.atttypid, a.atttypmod) \
                ELSE t.typname::text || coalesce((SELECT '(' || string_agg(e.enumlabel::text, ',' ORDER BY e.enumsortorder) || ')' \
                    FROM pg_catalog.pg_enum e WHERE e.enumtypid IN (t.oid, t.typelem)), '') END \
            || CASE WHEN a.attcollation <> t.typcollation THEN ' collate ' || (SELECT l.collname::text \
                FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation) ELSE '' END, \
            (t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm') \
                AND t.typname !~ '^_?(reg.*|money|aclitem|int2vector|oidvector|tsquery)$')::text, \
            a.attnotnull::text, (a.attgenerated <> '')::text, \
            (a.attidentity = 'a')::text, pg_catalog.array_position(i.indkey::int2[], a.attnum)::text \
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
        LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary \
        WHERE c.relkind IN ('r', 'p') AND (n.nspname, c.relname) IN ({}) \
        ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attname COLLATE \"C\"",
        pairs(tables)
    );
    let mut shapes: BTreeMap<Qualified, Shape> = BTreeMap::new();
    let mut keys: BTreeMap<Qualified, BTreeMap<i64, String>> = BTreeMap::new();
    for row in session.rows(step, &sql).await? {
        let row = Fields(row);
        let table = (row.text(0)?, row.text(1)?);
        let shape = shapes.entry(table.clone()).or_default();
        (shape.partitioned, shape.inherited) = (row.truth(2)?, row.truth(3)?);
        shape.columns.push(Column {
            name: row.text(4)?,
            type_name: row.text(5)?,
            portable: row.truth(6)?,
            not_null: row.truth(7)?,
            generated: row.truth(8)?,
            identity: row.truth(9)?,
        });
        if let Some(position) = row.0[10].as_deref().and_then(|position| position.parse().ok()) {
            keys.entry(table).or_default().insert(position, row.text(4)?);
        }
    }
    for (table, key) in keys {
        shapes.entry(table).or_default().key = key.into_values().collect();
    }
    Ok(shapes)
}

/// Sequences of identity columns and of defaults, sorted by table, column and name.
pub(super) async fn sequences(session: &mut Session, step: &str, tables: &[Qualified]) -> Result<Vec<Sequence>> {
    let sql = format!(
        "WITH used AS ( \
            SELECT d.refobjid AS rel, d.refobjsubid AS col, d.objid AS seq FROM pg_catalog.pg_depend d \
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
                AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 \
            UNION SELECT b.adrelid, b.adnum, d.refobjid FROM pg_catalog.pg_attrdef b JOIN pg_catalog.pg_depend d \
                ON d.classid = 'pg_attrdef'::regclass AND d.objid = b.oid AND d.refclassid = 'pg_class'::regclass) \
        SELECT tn.nspname::text, tc.relname::text, a.attname::text, sn.nspname::text, sc.relname::text, \
            s.seqincrement::text, s.seqmin::text, s.seqmax::text, s.seqstart::text \
        FROM used u JOIN pg_catalog.pg_sequence s ON s.seqrelid = u.seq \
        JOIN pg_catalog.pg_class sc ON sc.oid = u.seq JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace \
        JOIN pg_catalog.pg_class tc ON tc.oid = u.rel JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = u.rel AND a.attnum = u.col \
            AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) \
        WHERE (tn.nspname, tc.relname) IN ({}) \
        ORDER BY tn.nspname COLLATE \"C\", tc.relname COLLATE \"C\", a.attname COLLATE \"C\", \
            sn.nspname COLLATE \"C\", sc.relname COLLATE \"C\"",
        pairs(tables)
    );
    let rows = session.rows(step, &sql).await?;
    rows.into_iter().map(Fields).map(|row| sequence(&row)).collect()
}

fn sequence(row: &Fields) -> Result<Sequence> {
    Ok(Sequence {
        table: (row.text(0)?, row.text(1)?),
        column: row.text(2)?,
        name: (row.text(3)?, row.text(4)?),
        increment: row.number(5)?,
        min: row.number(6)?,
        max: row.number(7)?,
        start: row.number(8)?,
    })
}

/// For each sequence the value before the next one: the last that was given out, or one step before the start.
pub(super) async fn last_values(session: &mut Session, step: &str, sequences: &[Sequence]) -> Result<Vec<i128>> {
    let last = |sequence: &Sequence| {
        let (name, increment) = (qualified(&sequence.name), sequence.increment);
        format!("SELECT last_value::numeric - CASE WHEN is_called THEN 0 ELSE ({increment}) END FROM {name}")
    };
    session.numbers(step, &sequences.iter().map(last).collect::<Vec<_>>()).await
}

/// The number of rows of each of `tables`, which are names in SQL.
pub(super) async fn counts(session: &mut Session, step: &str, tables: &[String]) -> Result<Vec<u64>> {
    let count = |table: &String| format!("SELECT count(*) FROM {table}");
    session.numbers(step, &tables.iter().map(count).collect::<Vec<_>>()).await
}

/// Bytes of the rows of each of `tables`, which are literals, without their indexes; partitions are not looked for.
pub(super) async fn sizes(session: &mut Session, step: &str, tables: &[String]) -> Result<Vec<u64>> {
    let size = |table: &String| format!("SELECT pg_catalog.pg_table_size({table})");
    session.numbers(step, &tables.iter().map(size).collect::<Vec<_>>()).await
}

/// Foreign keys on `tables`, also from elsewhere; a table's reference to itself is left out.
pub(super) async fn references(session: &mut Session, step: &str, tables: &[Qualified]) -> Result<Vec<Reference>> {
    let sql = format!(
        "SELECT cn.nspname::text, cc.relname::text, rn.nspname::text, rc.relname::text, f.conname::text, \
            f.condeferrable::text, (f.confdeltype NOT IN ('a', 'r'))::text, \
            (SELECT string_agg(quote_ident(a.attname) || ' IS NOT NULL', ' AND ' ORDER BY a.attnum) \
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)) \
        FROM pg_catalog.pg_constraint f \
        JOIN pg_catalog.pg_class cc ON cc.oid = f.conrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace \
        JOIN pg_catalog.pg_class rc ON rc.oid = f.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace \
        WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid <> f.confrelid AND (rn.nspname, rc.relname) IN ({}) \
        ORDER BY 1, 2, 5",
        pairs(tables)
    );
    let rows = session.rows(step, &sql).await?;
    rows.into_iter().map(Fields).map(|row| reference(&row)).collect()
}

fn reference(row: &Fields) -> Result<Reference> {
    Ok(Reference {
        child: (row.text(0)?, row.text(1)?),
        parent: (row.text(2)?, row.text(3)?),
        name: row.text(4)?,
        deferrable: row.truth(5)?,
        cascades: row.truth(6)?,
        refers: row.text(7)?,
    })
}

/// Pairs of one of `tables`, which are not partitioned, and a table that inherits from it, directly or not.
pub(super) async fn heirs(
    session: &mut Session,
    step: &str,
    tables: &[Qualified],
) -> Result<Vec<(Qualified, Qualified)>> {
    let sql = format!(
        "WITH RECURSIVE heirs (ancestor, heir) AS ( \
            SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits \
            UNION SELECT h.ancestor, i.inhrelid FROM heirs h JOIN pg_catalog.pg_inherits i ON i.inhparent = h.heir) \
        SELECT an.nspname::text, a.relname::text, hn.nspname::text, c.relname::text FROM heirs h \
        JOIN pg_catalog.pg_class a ON a.oid = h.ancestor AND a.relkind = 'r' \
        JOIN pg_catalog.pg_namespace an ON an.oid = a.relnamespace \
        JOIN pg_catalog.pg_class c ON c.oid = h.heir JOIN pg_catalog.pg_namespace hn ON hn.oid = c.relnamespace \
        WHERE (an.nspname, a.relname) IN ({}) ORDER BY 1, 2, 3, 4",
        pairs(tables)
    );
    let rows = session.rows(step, &sql).await?;
    let pair = |row: Fields| Ok(((row.text(0)?, row.text(1)?), (row.text(2)?, row.text(3)?)));
    rows.into_iter().map(Fields).map(pair).collect()
}

/// A row of a catalog query of ours.
pub(super) struct Fields(pub(super) TextRow);

impl Fields {
    pub(super) fn text(&self, index: usize) -> Result<String> {
        let value = self.0.get(index).cloned().flatten();
        value.ok_or_else(|| Error::bug(format!("a catalog query left field {index} empty")))
    }

    pub(super) fn truth(&self, index: usize) -> Result<bool> {
        Ok(self.text(index)? == "true")
    }

    fn number(&self, index: usize) -> Result<i128> {
        let text = self.text(index)?;
        text.parse().map_err(|e| Error::bug(format!("a catalog query gave `{text}` for a number")).caused_by(e))
    }
}
