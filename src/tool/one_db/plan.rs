//! The plan: everything that a run would refuse is found here, before anything is written.

use super::catalog::{self, Identity, Qualified, Reference, Sequence, Shape, qualified};
use super::clear::{self, Group};
use super::lane::{Snapshot, SnapshotIds};
use super::report::{Database, Report};
use super::session::Session;
use super::table::{PlannedSequence, Table};
use super::{Run, order, verify};
use crate::{Error, Result};
use std::collections::BTreeMap;
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
    outside: Vec<Reference>,
    problems: Problems,
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
        let reached = clear::reached(&mut self.target.session, &self.outside).await?;
        self.problems.add_reached(&self.plan, reached);
        std::mem::take(&mut self.problems).refuse(run)
    }
}

/// Problems by job, in the order found; job `None` concerns all.
#[derive(Default)]
struct Problems(Vec<(usize, String)>);

impl Problems {
    fn add(&mut self, job: usize, problem: impl Into<String>) {
        self.0.push((job, problem.into()));
    }

    fn add_reached(&mut self, plan: &Plan, reached: Vec<(Qualified, String)>) {
        for (parent, problem) in reached {
            let hit = |table: &&Table| table.target_name() == parent && table.target_before > 0;
            if let Some(table) = plan.tables.iter().find(hit) {
                self.add(table.index, problem);
            }
        }
    }

    fn refuse(self, run: &Run) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let line = |(job, problem): &(usize, String)| format!("{}: {problem}", run.layout.jobs[*job].name());
        let text: Vec<String> = self.0.iter().map(line).collect();
        for (job, problem) in &self.0 {
            run.ledger.row(*job, |row| {
                let all = row.error.take().map_or(problem.clone(), |before| format!("{before}; {problem}"));
                row.failed(all);
            });
        }
        Err(Error::refused(format!("the plan does not hold, nothing was changed:\n  {}", text.join("\n  "))))
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
    let (tables, mut problems) = fit_all(run, &mut sources, &mut target.session).await?;
    if !problems.0.is_empty() {
        problems.refuse(run)?;
        return Err(Error::bug("problems that were not refused"));
    }
    let names: Vec<Qualified> = tables.iter().map(Table::target_name).collect();
    let references = catalog::references(&mut target.session, "plan target references", &names).await?;
    let (inside, outside) = references.into_iter().partition(|reference| names.contains(&reference.child));
    let plan = ordered(tables, &names, inside, &outside, &mut problems);
    problems.refuse(run)?;
    Ok(Planned { plan, sources, target, outside, problems: Problems::default() })
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
    let mut known: Vec<(&super::session::Endpoint, Identity)> = Vec::new();
    let sessions = sources.iter_mut().chain(std::iter::once(target));
    for (endpoint, snapshot) in run.layout.sources.iter().chain(std::iter::once(&run.layout.target)).zip(sessions) {
        let identity = Identity::ask(&mut snapshot.session, &format!("plan {} identity", endpoint.name)).await?;
        run.ledger.update(|report| {
            report.databases.push(Database {
                name: endpoint.name.clone(),
                variable: endpoint.variable.clone(),
                address: endpoint.address(),
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

async fn fit_all(run: &Run, sources: &mut [Snapshot], target: &mut Session) -> Result<(Vec<Table>, Problems)> {
    let jobs = &run.layout.jobs;
    let targets: Vec<Qualified> = jobs.iter().map(|job| (job.schema.clone(), job.table.clone())).collect();
    let target_shapes = catalog::shapes(target, "plan target catalog", &targets).await?;
    let target_sequences = catalog::sequences(target, "plan target sequences", &targets).await?;
    let (mut tables, mut problems) = (Vec::new(), Problems::default());
    for (index, snapshot) in sources.iter_mut().enumerate() {
        let own: Vec<usize> = (0..jobs.len()).filter(|job| jobs[*job].source == index).collect();
        let names: Vec<Qualified> =
            own.iter().map(|job| (jobs[*job].source_schema.clone(), jobs[*job].table.clone())).collect();
        let label = format!("plan {}", run.layout.sources[index].name);
        let session = &mut snapshot.session;
        let shapes = catalog::shapes(session, &format!("{label} catalog"), &names).await?;
        let sequences = catalog::sequences(session, &format!("{label} sequences"), &names).await?;
        for (job, name) in own.into_iter().zip(&names) {
            let sides = (shapes.get(name), target_shapes.get(&targets[job]));
            let (Some(source), Some(target_shape)) = sides else {
                missing(&mut problems, job, sides, run, name);
                continue;
            };
            misfits(source, target_shape).into_iter().for_each(|problem| problems.add(job, problem));
            null_problems(session, &mut problems, job, name, source, target_shape).await?;
            let fed = planned_sequences(session, &target_sequences, &sequences, &targets[job], name).await?;
            tables.push(Table::new(job, &jobs[job], source, target_shape, fed));
        }
    }
    shared_sequences(&tables, &mut problems);
    Ok((tables, problems))
}

fn missing(problems: &mut Problems, job: usize, sides: (Option<&Shape>, Option<&Shape>), run: &Run, name: &Qualified) {
    let job_data = &run.layout.jobs[job];
    if sides.0.is_none() {
        let place = run.layout.sources[job_data.source].place();
        problems.add(job, format!("table {} is missing in {place}", qualified(name)));
    }
    if sides.1.is_none() {
        problems.add(job, format!("the table is missing in {}; bootstrap the schema first", run.layout.target.place()));
    }
}

/// Names and types must be equal; the order of the columns may differ.
fn misfits(source: &Shape, target: &Shape) -> Vec<String> {
    let mut problems = Vec::new();
    let by_name = |shape: &Shape| -> BTreeMap<String, catalog::Column> {
        shape.columns.iter().map(|column| (column.name.clone(), column.clone())).collect()
    };
    let (sources, targets) = (by_name(source), by_name(target));
    for (name, column) in &sources {
        match targets.get(name) {
            None => problems.push(format!("column {name} is missing in the target")),
            Some(other) if other.type_name != column.type_name => problems.push(format!(
                "column {name} is {} in the source and {} in the target",
                column.type_name, other.type_name
            )),
            Some(_) => {}
        }
    }
    let surplus = targets.keys().filter(|name| !sources.contains_key(*name));
    problems.extend(surplus.map(|name| format!("column {name} is missing in the source")));
    problems.extend(key_problem(source, target));
    if target.inherited && !target.partitioned {
        problems.push("other tables inherit from it in the target, and would be emptied with it".to_owned());
    }
    problems
}

fn key_problem(source: &Shape, target: &Shape) -> Option<String> {
    let sorted = |shape: &Shape| {
        let mut key = shape.key.clone();
        key.sort();
        key
    };
    match (source.key.is_empty(), target.key.is_empty()) {
        (true, _) => Some("no primary key in the source".to_owned()),
        (_, true) => Some("no primary key in the target".to_owned()),
        _ if sorted(source) != sorted(target) => Some(format!(
            "the primary key is ({}) in the source and ({}) in the target",
            source.key.join(", "),
            target.key.join(", ")
        )),
        _ => None,
    }
}

async fn null_problems(
    session: &mut Session,
    problems: &mut Problems,
    job: usize,
    name: &Qualified,
    source: &Shape,
    target: &Shape,
) -> Result<()> {
    for column in source.columns.iter().filter(|column| !column.not_null) {
        if !target.columns.iter().any(|other| other.name == column.name && other.not_null) {
            continue;
        }
        let sql =
            format!("SELECT count(*)::text FROM {} WHERE {} IS NULL", qualified(name), catalog::ident(&column.name));
        let nulls = session.number(&format!("plan {}.{} nulls", name.1, column.name), &sql).await?;
        if nulls > 0 {
            problems.add(job, format!("column {} is null in {nulls} rows, and NOT NULL in the target", column.name));
        }
    }
    Ok(())
}

async fn planned_sequences(
    session: &mut Session,
    targets: &[Sequence],
    sources: &[Sequence],
    target: &Qualified,
    source: &Qualified,
) -> Result<Vec<PlannedSequence>> {
    let mut planned = Vec::new();
    for sequence in targets.iter().filter(|sequence| sequence.table == *target) {
        let twin = sources.iter().find(|other| other.table == *source && other.column == sequence.column);
        let source_last = match twin {
            Some(twin) => {
                let step = format!("plan {}.{} sequence", source.1, twin.column);
                let last = catalog::last_value(session, &step, twin).await?;
                Some(last + twin.increment - sequence.increment)
            }
            None => None,
        };
        planned.push(PlannedSequence { sequence: sequence.clone(), source_last });
    }
    Ok(planned)
}

/// Two tables that are copied at the same time cannot both move one sequence.
fn shared_sequences(tables: &[Table], problems: &mut Problems) {
    let mut seen: BTreeMap<&Qualified, String> = BTreeMap::new();
    for table in tables {
        for planned in &table.sequences {
            if let Some(other) = seen.insert(&planned.sequence.name, table.name()) {
                let name = qualified(&planned.sequence.name);
                problems.add(table.index, format!("sequence {name} also serves {other}; that is not supported"));
            }
        }
    }
}

fn ordered(
    tables: Vec<Table>,
    names: &[Qualified],
    inside: Vec<Reference>,
    outside: &[Reference],
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
        referenced: members.iter().any(|index| outside.iter().any(|r| r.parent == names[*index])),
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
