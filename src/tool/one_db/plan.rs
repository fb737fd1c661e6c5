//! The plan: everything that a run would refuse is found here, before anything is written.

use super::catalog::{self, Qualified, Reference};
use super::clear::Group;
use super::fit::{self, Problems};
use super::lane::Connections;
use super::report::{Database, Report};
use super::session::{Endpoint, Session};
use super::table::Table;
use super::{Run, order, verify};
use crate::db::postgres::Identity;
use crate::{Error, Result};
use std::sync::Arc;

/// What is to be done, in which order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One for each job, in their order.
    pub(super) tables: Vec<Table>,
    /// Tables that are copied in one transaction, in this order: one alone, or all of a circle of foreign keys.
    pub(super) units: Vec<Vec<usize>>,
    /// The first table of each unit; parents are in earlier waves.
    pub(super) waves: Vec<Vec<usize>>,
    /// All tables, in groups that are emptied together.
    pub(super) groups: Vec<Group>,
}

impl Plan {
    /// The tables of the unit that begins with this one.
    pub(super) fn unit(&self, first: usize) -> Vec<&Table> {
        let unit = self.units.iter().find(|unit| unit.first() == Some(&first));
        unit.into_iter().flatten().map(|index| &self.tables[*index]).collect()
    }

    /// What a rollback would reach or orphan.
    pub(super) async fn refuse_reach(&self, run: &Run, target: &mut Session) -> Result<()> {
        let mut problems = Problems::default();
        for group in &self.groups {
            let occupied = group.tables.iter().find(|index| self.tables[**index].target_before > 0);
            let Some(index) = occupied else { continue };
            for reached in group.reached(target).await? {
                problems.add(*index, reached);
            }
        }
        problems.refuse(run)
    }
}

/// Shapes only: enough to compare or to remove. All sides stay in the snapshots in which they were read.
pub(super) async fn shapes(run: &Arc<Run>, connections: &mut Connections) -> Result<Plan> {
    connections.take_snapshots(run, "plan").await?;
    prove_different(run, connections).await?;
    let tables = fit::fit_all(run, connections).await?;
    let names: Vec<Qualified> = tables.iter().map(Table::target_name).collect();
    let references = catalog::references(&mut connections.target, "plan target references", &names).await?;
    let (inside, outside) = references.into_iter().partition(|reference| names.contains(&reference.child));
    let mut problems = Problems::default();
    let plan = ordered(tables, &names, inside, outside, &mut problems);
    problems.refuse(run)?;
    Ok(plan)
}

/// The whole plan. `count`: also the rows of the sources, for a report that no copy will fill in.
pub(super) async fn plan(run: &Arc<Run>, connections: &mut Connections, count: bool) -> Result<Plan> {
    let mut plan = shapes(run, connections).await?;
    count_target(run, &mut plan, &mut connections.target).await?;
    if count {
        count_sources(run, &plan, connections).await?;
    }
    if run.options.replace_target {
        plan.refuse_reach(run, &mut connections.target).await?;
        for table in plan.tables.iter().filter(|table| table.target_before > 0) {
            (run.progress)(&format!("to be replaced: {}, {} rows", table.name(), table.target_before));
        }
    } else if !run.options.upsert {
        refuse_occupied(run, &mut plan, connections).await?;
    }
    run.ledger.save()?;
    Ok(plan)
}

/// Rows in the target before anything is done.
pub(super) async fn count_target(run: &Run, plan: &mut Plan, target: &mut Session) -> Result<()> {
    let names: Vec<String> = plan.tables.iter().map(Table::target_rows).collect();
    let counts = catalog::counts(target, "plan target counts", &names).await?;
    for (table, rows) in plan.tables.iter_mut().zip(counts) {
        table.target_before = rows;
        run.ledger.row(table.index, |row| {
            row.target_count = Some(rows);
            row.target_count_before = Some(rows);
        });
    }
    run.ledger.update(Report::count);
    Ok(())
}

async fn count_sources(run: &Run, plan: &Plan, connections: &mut Connections) -> Result<()> {
    for (index, endpoint) in run.layout.sources.iter().enumerate() {
        let tables: Vec<&Table> = plan.tables.iter().filter(|table| table.job.source == index).collect();
        let names: Vec<String> = tables.iter().map(|table| table.source_rows()).collect();
        let (source, _) = connections.pair(index)?;
        let counts = catalog::counts(source, &format!("plan {} counts", endpoint.name), &names).await?;
        for (table, rows) in tables.into_iter().zip(counts) {
            run.ledger.row(table.index, |row| row.source_count = Some(rows));
        }
    }
    Ok(())
}

/// By what the servers say, not by how the DSNs are spelled.
async fn prove_different(run: &Run, connections: &mut Connections) -> Result<()> {
    let mut known: Vec<(&Endpoint, Identity)> = Vec::new();
    for (index, endpoint) in run.layout.sources.iter().chain(std::iter::once(&run.layout.target)).enumerate() {
        let of_source = index < run.layout.sources.len();
        let session = if of_source { connections.pair(index)?.0 } else { &mut connections.target };
        let identity = session.identity(&format!("plan {} identity", endpoint.name)).await?;
        run.ledger.update(|report| {
            report.databases.push(Database {
                name: endpoint.name.clone(),
                variable: endpoint.variable.clone(),
                address: endpoint.address.clone(),
                server_version: identity.server_version.clone(),
                identity: identity.short(),
            });
        });
        if let Some((twin, _)) = known.iter().find(|(_, other)| other.is_same(&identity)) {
            return Err(Error::refused(format!(
                "{} and {} are the same database; give each source, and the target, a database of its own",
                twin.place(),
                endpoint.place()
            )));
        }
        known.push((endpoint, identity));
    }
    refuse_exchanged(&known)
}

/// Two databases that are named after each other's role were exchanged: of sources that look alike nothing else tells.
fn refuse_exchanged(known: &[(&Endpoint, Identity)]) -> Result<()> {
    let is_of = |(_, identity): &(&Endpoint, Identity), (endpoint, _): &(&Endpoint, Identity)| {
        identity.database.to_lowercase().contains(&endpoint.name.to_lowercase())
    };
    for (index, one) in known.iter().enumerate() {
        let is_exchanged = |other: &&(&Endpoint, Identity)| {
            is_of(one, other) && is_of(other, one) && !is_of(one, one) && !is_of(other, other)
        };
        if let Some(other) = known[index + 1..].iter().find(is_exchanged) {
            return Err(Error::refused(format!(
                "{} and {} are exchanged, by the names of their databases; give each its own",
                one.0.place(),
                other.0.place()
            )));
        }
    }
    Ok(())
}

fn ordered(
    tables: Vec<Table>,
    names: &[Qualified],
    inside: Vec<Reference>,
    outside: Vec<Reference>,
    problems: &mut Problems,
) -> Plan {
    let position = |name: &Qualified| names.iter().position(|other| other == name);
    let edge = |r: &Reference| {
        Some(order::Edge { child: position(&r.child)?, parent: position(&r.parent)?, deferrable: r.deferrable })
    };
    let edges: Vec<order::Edge> = inside.iter().filter_map(edge).collect();
    let units = order::units(tables.len(), &edges).unwrap_or_else(|circle| {
        let text = "foreign keys form a circle, and not one of them is DEFERRABLE; make one so, or drop it for the run";
        circle.iter().for_each(|index| problems.add(*index, text));
        Vec::new()
    });
    let in_order = order::waves(&units, &edges);
    let children_first: Vec<usize> = in_order.iter().flatten().flat_map(|unit| &units[*unit]).rev().copied().collect();
    let groups = order::groups(tables.len(), &edges).into_iter().map(|members| Group {
        outside: outside.iter().filter(|r| members.iter().any(|i| r.parent == names[*i])).cloned().collect(),
        circular: units.iter().any(|unit| unit.len() > 1 && members.contains(&unit[0])),
        tables: children_first.iter().copied().filter(|index| members.contains(index)).collect(),
    });
    let groups = groups.collect();
    let waves = in_order.into_iter().map(|wave| wave.into_iter().map(|unit| units[unit][0]).collect()).collect();
    Plan { tables, units, waves, groups }
}

/// Rows that are there already must be the source's own, all of them: then an earlier run got that far.
async fn refuse_occupied(run: &Run, plan: &mut Plan, connections: &mut Connections) -> Result<()> {
    let mut problems = Problems::default();
    for table in plan.tables.iter_mut().filter(|table| table.target_before > 0) {
        let (source, target) = connections.pair(table.job.source)?;
        let sides = verify::digests(table, source, target).await?;
        table.present = sides.source == sides.target;
        run.ledger.row(table.index, |row| sides.note(row, table.form));
        if !table.present {
            problems.add(
                table.index,
                format!(
                    "{} rows are in the target already and the source has {}; use --replace-target, --upsert or rollback",
                    table.target_before, sides.source.rows
                ),
            );
        }
    }
    problems.refuse(run)
}
