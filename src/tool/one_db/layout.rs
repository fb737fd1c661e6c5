//! Who is who: the databases behind the variables, and one job for each table.

use super::session::Endpoint;
use super::{Options, Profile};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// The databases and the jobs.
pub(super) struct Layout {
    pub(super) target: Endpoint,
    /// In the order of the command line or of the profile's names; the shared one is last.
    pub(super) sources: Vec<Endpoint>,
    /// Source by source, tables in the order of the profile.
    pub(super) jobs: Vec<Job>,
}

/// One table of one source.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Index into [`Layout::sources`].
    pub(super) source: usize,
    pub(super) source_name: String,
    pub(super) source_schema: String,
    pub(super) schema: String,
    pub(super) table: String,
}

impl Job {
    /// `schema.table` in the target; unique.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }
}

/// A source before its variable is read.
struct Named {
    name: String,
    variable: String,
    from_schema: String,
    schema: String,
    tables: Vec<String>,
}

impl Layout {
    pub(super) fn resolve(options: &Options, profile: &Profile) -> Result<Layout> {
        if options.shared_source_env.is_some() && profile.shared.is_none() {
            return Err(Error::environment("--shared-source-env is given, but the profile has no shared source"));
        }
        let named = sources(options, profile);
        refuse_twice(&named)?;
        let target_variable = options.target_env.as_ref().unwrap_or(&profile.target.env);
        let target = Endpoint::from_variable("target", target_variable);
        let found: Vec<Result<Endpoint>> =
            named.iter().map(|source| Endpoint::from_variable(&source.name, &source.variable)).collect();
        let jobs = named.iter().enumerate().flat_map(|(index, source)| jobs(index, source)).collect();
        let (target, sources) = all_or_problems(target, found)?;
        Ok(Layout { target, sources, jobs })
    }
}

fn sources(options: &Options, profile: &Profile) -> Vec<Named> {
    let per_source = &profile.per_source;
    let asked: Vec<(String, String)> = if options.source_env.is_empty() {
        profile.source.iter().map(|(name, source)| (name.clone(), source.env.clone())).collect()
    } else {
        options.source_env.clone()
    };
    let own = asked.into_iter().map(|(name, variable)| {
        let known = profile.source.get(&name);
        Named {
            schema: known.and_then(|source| source.schema.clone()).unwrap_or_else(|| name.clone()),
            tables: known.and_then(|source| source.tables.clone()).unwrap_or_else(|| per_source.tables.clone()),
            from_schema: per_source.from_schema.clone(),
            name,
            variable,
        }
    });
    let shared = profile.shared.iter().map(|shared| Named {
        name: "shared".to_owned(),
        variable: options.shared_source_env.clone().unwrap_or_else(|| shared.env.clone()),
        from_schema: shared.from_schema.clone(),
        schema: shared.schema.clone(),
        tables: shared.tables.clone(),
    });
    own.chain(shared).collect()
}

fn refuse_twice(named: &[Named]) -> Result<()> {
    let (mut names, mut tables) = (BTreeSet::new(), BTreeSet::new());
    for source in named {
        if !names.insert(&source.name) {
            return Err(Error::refused(format!("source `{}` is given twice; give it once", source.name)));
        }
        if let Some(table) = source.tables.iter().find(|table| !tables.insert((&source.schema, *table))) {
            let place = format!("{}.{table}", source.schema);
            return Err(Error::refused(format!("two sources map to {place} of the target; give each its own schema")));
        }
    }
    Ok(())
}

fn jobs(index: usize, source: &Named) -> impl Iterator<Item = Job> {
    source.tables.iter().map(move |table| Job {
        source: index,
        source_name: source.name.clone(),
        source_schema: source.from_schema.clone(),
        schema: source.schema.clone(),
        table: table.clone(),
    })
}

/// All problems with the variables in one message.
fn all_or_problems(target: Result<Endpoint>, sources: Vec<Result<Endpoint>>) -> Result<(Endpoint, Vec<Endpoint>)> {
    let mut problems = Vec::new();
    let target = target.map_err(|e| problems.push(e.to_string())).ok();
    let sources: Vec<Endpoint> =
        sources.into_iter().filter_map(|source| source.map_err(|e| problems.push(e.to_string())).ok()).collect();
    match target {
        Some(target) if problems.is_empty() => Ok((target, sources)),
        _ => Err(Error::environment(problems.join("; "))),
    }
}
