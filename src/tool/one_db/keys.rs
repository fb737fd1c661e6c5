//! Keys after rows: what is sorted once costs less than what is kept in order row by row. A table's keys and indexes
//! leave and return inside its transaction, so nobody else ever sees it without them.

use super::Run;
use super::catalog::{self, Fields, ident, literal, qualified};
use super::lane::Connections;
use super::session::Session;
use super::table::Table;
use crate::Result;
use std::collections::BTreeSet;

/// A key or index that its own definition brings back whole.
#[derive(Debug)]
pub(super) struct Key {
    drop: String,
    create: String,
}

/// Marks the tables that are worth it, by the size that they have in their source. Rows that join those of the target
/// need its keys.
pub(super) async fn choose(run: &Run, tables: &mut [Table], connections: &mut Connections) -> Result<()> {
    let worth_bytes = run.profile.target.keys_after_bytes();
    let sources = if run.options.upsert { BTreeSet::new() } else { connections.of_weight(worth_bytes) };
    for index in sources {
        let mut mine: Vec<&mut Table> = tables.iter_mut().filter(|table| table.job.source == index).collect();
        let names: Vec<String> = mine.iter().map(|table| literal(&table.source())).collect();
        let step = format!("plan {} sizes", run.layout.sources[index].name);
        let sizes = catalog::sizes(connections.pair(index)?.0, &step, &names).await?;
        mine.iter_mut().zip(sizes).for_each(|(table, bytes)| table.keys_after = bytes >= worth_bytes);
    }
    Ok(())
}

/// Takes the keys and indexes away; the table is locked against everybody. Those stay that something refers to or
/// needs meanwhile, or that would not be the same again.
pub(super) async fn take_away(target: &mut Session, table: &Table) -> Result<Vec<Key>> {
    let rows = target.rows(&table.step("keys"), &removable(table)).await?;
    let keys = rows.into_iter().map(Fields).map(|row| key(&row, table)).collect::<Result<Vec<Key>>>()?;
    if !keys.is_empty() {
        let drops: Vec<&str> = keys.iter().map(|key| key.drop.as_str()).collect();
        target.execute(&table.step("keys away"), &drops.join("; ")).await?;
    }
    Ok(keys)
}

/// Makes them again, over all rows at once.
pub(super) async fn bring_back(target: &mut Session, table: &Table, keys: &[Key]) -> Result<()> {
    for key in keys {
        target.execute(&table.step("keys back"), &key.create).await?;
    }
    Ok(())
}

fn key(row: &Fields, table: &Table) -> Result<Key> {
    let (name, definition) = (row.text(0)?, row.text(1)?);
    if !row.truth(2)? {
        let index = qualified(&(table.target_name().0, name));
        return Ok(Key { drop: format!("DROP INDEX {index}"), create: definition });
    }
    let (table, name) = (table.target(), ident(&name));
    Ok(Key {
        drop: format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
        create: format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"),
    })
}

/// Names, definitions and whether it is a constraint, in the order in which they were made. Nothing at all where
/// - the table has heirs or ancestors, or we may not make what we drop;
/// - triggers may look into the table while it is filled, or wait for the end of the transaction, before which no key
///   can be made;
/// - the server has triggers of its own on definitions.
///
/// One by one those stay that a definition does not give back whole (comments, statistics targets, a tablespace,
/// options of a constraint's index, the choice for CLUSTER or replication, what an extension owns), what is not valid,
/// and what others depend on (foreign keys, views).
fn removable(table: &Table) -> String {
    format!(
        "SELECT ic.relname::text, coalesce(pg_catalog.pg_get_constraintdef(k.oid), \
                pg_catalog.pg_get_indexdef(i.indexrelid)), (k.oid IS NOT NULL)::text \
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
        JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
        LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') \
        WHERE t.oid = {}::regclass AND t.relkind = 'r' \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE t.oid IN (h.inhparent, h.inhrelid)) \
            AND pg_catalog.pg_has_role(t.relowner, 'USAGE') \
            AND pg_catalog.has_schema_privilege(t.relnamespace, 'CREATE') \
            AND pg_catalog.has_schema_privilege(t.relowner, t.relnamespace, 'CREATE') \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = t.oid \
                AND (g.tginitdeferred OR NOT g.tgisinternal AND g.tgenabled <> 'D')) \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D') \
            AND i.indisvalid AND i.indisready AND i.indislive \
            AND NOT (i.indisclustered OR i.indisreplident) AND ic.reltablespace = 0 \
            AND (k.oid IS NULL OR ic.reloptions IS NULL) \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = ic.oid AND a.attstattarget >= 0) \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_description d WHERE (d.classoid, d.objoid) IN \
                (('pg_class'::regclass, ic.oid), ('pg_constraint'::regclass, k.oid))) \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE (d.refclassid, d.refobjid) IN \
                (('pg_class'::regclass, ic.oid), ('pg_constraint'::regclass, k.oid)) \
                AND d.deptype = 'n') \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE (d.classid, d.objid) IN \
                (('pg_class'::regclass, ic.oid), ('pg_constraint'::regclass, k.oid)) AND d.deptype IN ('e', 'x')) \
        ORDER BY i.indexrelid",
        literal(&table.target())
    )
}
