//! Whether the two sides of each table fit: columns, types, keys, nulls, sequences.

use super::Run;
use super::catalog::{self, Qualified, Sequence, Shape, qualified};
use super::lane::Connections;
use super::layout::Job;
use super::session::Session;
use super::table::{PlannedSequence, Table};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// One planned table for each job.
///
/// # Errors
/// Refused, with all that does not fit.
pub(super) async fn fit_all(run: &Run, connections: &mut Connections) -> Result<Vec<Table>> {
    let names: Vec<Qualified> = run.layout.jobs.iter().map(|job| (job.schema.clone(), job.table.clone())).collect();
    let target = Side::read(&mut connections.target, "plan target", &names).await?;
    let (mut tables, mut problems) = (Vec::new(), Problems::default());
    for index in 0..run.layout.sources.len() {
        connections.weigh(index, &format!("plan {} size", run.layout.sources[index].name)).await?;
        let (source, _) = connections.pair(index)?;
        tables.extend(fit_source(run, index, source, &target, &mut problems).await?);
    }
    mark_shared_sequences(&mut tables);
    problems.refuse(run)?;
    Ok(tables)
}

/// What one server says about its tables.
struct Side {
    shapes: BTreeMap<Qualified, Shape>,
    sequences: Vec<Sequence>,
}

impl Side {
    async fn read(session: &mut Session, label: &str, tables: &[Qualified]) -> Result<Side> {
        Ok(Side {
            shapes: catalog::shapes(session, &format!("{label} catalog"), tables).await?,
            sequences: catalog::sequences(session, &format!("{label} sequences"), tables).await?,
        })
    }
}

async fn fit_source(
    run: &Run,
    index: usize,
    session: &mut Session,
    target: &Side,
    problems: &mut Problems,
) -> Result<Vec<Table>> {
    let jobs: Vec<(usize, &Job)> = run.layout.jobs.iter().enumerate().filter(|(_, job)| job.source == index).collect();
    let names: Vec<Qualified> = jobs.iter().map(|(_, job)| (job.source_schema.clone(), job.table.clone())).collect();
    let label = format!("plan {}", run.layout.sources[index].name);
    let source = Side::read(session, &label, &names).await?;
    let values = catalog::last_values(session, &format!("{label} sequence values"), &source.sequences).await?;
    let fed: Vec<(&Sequence, i128)> = source.sequences.iter().zip(values).collect();
    let mut tables = Vec::new();
    for ((number, job), name) in jobs.into_iter().zip(&names) {
        let target_name = (job.schema.clone(), job.table.clone());
        let sides = (source.shapes.get(name), target.shapes.get(&target_name));
        let (Some(from), Some(to)) = sides else {
            missing(problems, number, sides, run, name);
            continue;
        };
        misfits(from, to).into_iter().for_each(|problem| problems.add(number, problem));
        if run.options.upsert && to.key.is_empty() {
            problems.add(number, "no primary key, and --upsert needs one; use --replace-target");
        }
        let sequences = planned_sequences(&target.sequences, &fed, &target_name, name);
        let table = Table::new(number, job, from, to, sequences);
        null_problems(session, problems, &table, from, to).await?;
        tables.push(table);
    }
    let parents: Vec<&Table> = tables.iter().filter(|table| target.shapes[&table.target_name()].is_parent()).collect();
    heir_problems(session, problems, &label, &parents, &names).await?;
    Ok(tables)
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
            Some(other) if other.generated && !column.generated => problems.push(format!(
                "column {name} is stored in the source and computed in the target, which would not take its values"
            )),
            Some(_) => {}
        }
    }
    let surplus = targets.keys().filter(|name| !sources.contains_key(*name));
    problems.extend(surplus.map(|name| format!("column {name} is missing in the source")));
    problems.extend(key_problem(source, target));
    problems
}

fn key_problem(source: &Shape, target: &Shape) -> Option<String> {
    let sorted = |shape: &Shape| {
        let mut key = shape.key.clone();
        key.sort();
        key
    };
    match (source.key.is_empty(), target.key.is_empty()) {
        (true, true) => None,
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
    table: &Table,
    source: &Shape,
    target: &Shape,
) -> Result<()> {
    for column in source.columns.iter().filter(|column| !column.not_null) {
        if !target.columns.iter().any(|other| other.name == column.name && other.not_null) {
            continue;
        }
        let (rows, name) = (table.source_rows(), catalog::ident(&column.name));
        let sql = format!("SELECT count(*)::text FROM {rows} WHERE {name} IS NULL");
        let nulls = session.number(&format!("plan {}.{} nulls", table.job.table, column.name), &sql).await?;
        if nulls > 0 {
            problems.add(
                table.index,
                format!("column {} is null in {nulls} rows, and NOT NULL in the target", column.name),
            );
        }
    }
    Ok(())
}

/// Where the target keeps heirs apart, those of the source must be moved as well, or their rows would stay behind.
async fn heir_problems(
    session: &mut Session,
    problems: &mut Problems,
    label: &str,
    parents: &[&Table],
    moved: &[Qualified],
) -> Result<()> {
    if parents.is_empty() {
        return Ok(());
    }
    let name = |table: &Table| (table.job.source_schema.clone(), table.job.table.clone());
    let names: Vec<Qualified> = parents.iter().map(|table| name(table)).collect();
    for (parent, heir) in catalog::heirs(session, &format!("{label} heirs"), &names).await? {
        let Some(table) = parents.iter().find(|table| name(table) == parent).filter(|_| !moved.contains(&heir)) else {
            continue;
        };
        let heir = qualified(&heir);
        problems.add(table.index, format!("{heir} inherits from it in the source, and is not migrated; name it too"));
    }
    Ok(())
}

fn planned_sequences(
    targets: &[Sequence],
    sources: &[(&Sequence, i128)],
    target: &Qualified,
    source: &Qualified,
) -> Vec<PlannedSequence> {
    let planned = |sequence: &Sequence| {
        let twin = sources.iter().find(|(other, _)| other.table == *source && other.column == sequence.column);
        let source_last = twin.map(|(twin, last)| last + twin.increment - sequence.increment);
        PlannedSequence { sequence: sequence.clone(), source_last, shared: false }
    };
    targets.iter().filter(|sequence| sequence.table == *target).map(planned).collect()
}

/// Two tables that are copied at the same time must not move one sequence at the same time.
fn mark_shared_sequences(tables: &mut [Table]) {
    let mut users: BTreeMap<Qualified, usize> = BTreeMap::new();
    let all = tables.iter().flat_map(|table| &table.sequences);
    all.for_each(|planned| *users.entry(planned.sequence.name.clone()).or_default() += 1);
    for planned in tables.iter_mut().flat_map(|table| &mut table.sequences) {
        planned.shared = users.get(&planned.sequence.name).is_some_and(|users| *users > 1);
    }
}

/// Problems by job, in the order found.
#[derive(Default)]
pub(super) struct Problems(Vec<(usize, String)>);

impl Problems {
    pub(super) fn add(&mut self, job: usize, problem: impl Into<String>) {
        self.0.push((job, problem.into()));
    }

    pub(super) fn refuse(self, run: &Run) -> Result<()> {
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
