//! The plan: everything that a run would refuse is found here, before anything is written.

use super::catalog::{self, Identity, Qualified, Reference};
use super::clear::Group;
use super::fit::{self, Problems};
use super::lane::{Snapshot, SnapshotIds};
use super::report::{Database, Report};
use super::session::Endpoint;
use super::table::Table;
use super::{Run, order, verify};
use crate::{Error, Result};
use std::sync::Arc;

/// What is to be done, in which order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One for each job, in their order.
    pub(super) tables: Vec<Table>,
    /// Indices of tables; parents are in earlier waves.
    pub(super) waves: Vec<Vec<usize>>,
    /// All tables, in groups that are emptied together.
    pub(super) groups: Vec<Group>,
}

/// A plan and the connections that it was made with: the snapshots of the sources stay open.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) sources: Vec<Snapshot>,
    pub(super) target: Snapshot,
}

impl Planned {
    pub(super) fn ids(&self, phase: &'static str) -> SnapshotIds {
        SnapshotIds { phase, sources: self.sources.iter().map(|s| s.id.clone()).collect(), target: None }
    }

    pub(super) async fn close(self) {
        Snapshot::close(self.sources).await;
        self.target.session.close().await;
    }

    /// What a rollback would reach or orphan.
    pub(super) async fn refuse_reach(&mut self, run: &Run) -> Result<()> {
        let mut problems = Problems::default();
        for group in &self.plan.groups {
            let occupied = group.tables.iter().find(|index| self.plan.tables[**index].target_before > 0);
            let Some(index) = occupied else { continue };
            for reached in group.reached(&mut self.target.session).await? {
                problems.add(*index, reached);
            }
        }
        problems.refuse(run)
    }
}

/// Shapes only: enough to compare or to remove.
pub(super) async fn shapes(run: &Arc<Run>) -> Result<Planned> {
    let mut sources = Vec::new();
    for endpoint in &run.layout.sources {
        sources.push(Snapshot::take(endpoint, &format!("plan {}", endpoint.name)).await?);
    }
    let mut target = Snapshot::take(&run.layout.target, "plan target").await?;
    prove_different(run, &mut sources, &mut target).await?;
    let tables = fit::fit_all(run, &mut sources, &mut target.session).await?;
    let names: Vec<Qualified> = tables.iter().map(Table::target_name).collect();
    let references = catalog::references(&mut target.session, "plan target references", &names).await?;
    let (inside, outside) = references.into_iter().partition(|reference| names.contains(&reference.child));
    let mut problems = Problems::default();
    let plan = ordered(tables, &names, inside, outside, &mut problems);
    problems.refuse(run)?;
    Ok(Planned { plan, sources, target })
}

/// The whole plan. `count`: also the rows of the sources, for a report that no copy will fill in.
pub(super) async fn plan(run: &Arc<Run>, count: bool) -> Result<Planned> {
    let mut planned = shapes(run).await?;
    count_target(run, &mut planned).await?;
    for table in planned.plan.tables.iter().filter(|_| count) {
        let source = &mut planned.sources[table.job.source].session;
        let sql = format!("SELECT count(*)::text FROM {}", table.source());
        let rows = source.number(&table.step("plan source count"), &sql).await?;
        run.ledger.row(table.index, |row| row.source_count = Some(rows));
    }
    if run.options.replace_target {
        planned.refuse_reach(run).await?;
        for table in planned.plan.tables.iter().filter(|table| table.target_before > 0) {
            (run.progress)(&format!("to be replaced: {}, {} rows", table.name(), table.target_before));
        }
    } else if !run.options.upsert {
        refuse_occupied(run, &mut planned).await?;
    }
    run.ledger.save()?;
    Ok(planned)
}

/// Rows in the target before anything is done.
pub(super) async fn count_target(run: &Run, planned: &mut Planned) -> Result<()> {
    for table in &mut planned.plan.tables {
        let sql = format!("SELECT count(*)::text FROM {}", table.target());
        table.target_before = planned.target.session.number(&table.step("plan target count"), &sql).await?;
        run.ledger.row(table.index, |row| {
            row.target_count = Some(table.target_before);
            row.target_count_before = Some(table.target_before);
        });
    }
    run.ledger.update(Report::count);
    Ok(())
}

/// By what the servers say, not by how the DSNs are spelled.
async fn prove_different(run: &Run, sources: &mut [Snapshot], target: &mut Snapshot) -> Result<()> {
    let mut known: Vec<(&Endpoint, Identity)> = Vec::new();
    let sessions = sources.iter_mut().chain(std::iter::once(target));
    for (endpoint, snapshot) in run.layout.sources.iter().chain(std::iter::once(&run.layout.target)).zip(sessions) {
        let identity = Identity::ask(&mut snapshot.session, &format!("plan {} identity", endpoint.name)).await?;
        run.ledger.update(|report| {
            report.databases.push(Database {
                name: endpoint.name.clone(),
                variable: endpoint.variable.clone(),
                address: endpoint.address.clone(),
                server_version: identity.server_version.clone(),
                identity: identity.text(),
            });
        });
        if let Some((twin, _)) = known.iter().find(|(_, other)| other.same(&identity)) {
            return Err(Error::refused(format!(
                "{} and {} are the same database; give each source, and the target, a database of its own",
                twin.place(),
                endpoint.place()
            )));
        }
        known.push((endpoint, identity));
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
    let edges: Vec<(usize, usize)> =
        inside.iter().filter_map(|r| Some((position(&r.child)?, position(&r.parent)?))).collect();
    let waves = order::waves(tables.len(), &edges).unwrap_or_else(|cycle| {
        cycle.iter().for_each(|index| problems.add(*index, "foreign keys form a cycle; that is not supported"));
        Vec::new()
    });
    let children_first: Vec<usize> = waves.iter().rev().flatten().copied().collect();
    let groups = order::groups(tables.len(), &edges).into_iter().map(|members| Group {
        outside: outside.iter().filter(|r| members.iter().any(|i| r.parent == names[*i])).cloned().collect(),
        tables: children_first.iter().copied().filter(|index| members.contains(index)).collect(),
    });
    Plan { groups: groups.collect(), tables, waves }
}

/// Rows that are there already must be the source's own, all of them: then an earlier run got that far.
async fn refuse_occupied(run: &Arc<Run>, planned: &mut Planned) -> Result<()> {
    let mut problems = Problems::default();
    let occupied = planned.plan.tables.iter_mut().filter(|table| table.target_before > 0);
    for table in occupied {
        let source = &mut planned.sources[table.job.source].session;
        let sides = verify::digests(table, source, &mut planned.target.session).await?;
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
