//! What the comparison saw of all mutations of the databases of a plan, and its cache.

use super::postgres::postgres_tried;
use super::{Candidate, MUTATIONS, by_mutation};
use super::{postgres_candidates, sqlite_candidates, sqlite_mutate};
use crate::db::{self, Volatile};
use crate::engine::run::context::Rehearsed;
use crate::engine::run::house::{House, Origin};
use crate::engine::{Options, SOURCE_SHA256};
use crate::model::{Body, DatabaseState, Difference, Engine, Proof, TargetSpec, canonical};
use crate::target::{Capability, Database, Pool, SqliteTemplate, Template};
use crate::{Error, Result};
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use sqlx::{Connection as _, PgConnection};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Scenarios side by side often share a dataset: the second one finds the proof in the cache.
static PROVING: Mutex<()> = Mutex::const_new(());

/// Proves the comparison on the databases of a scenario, or takes the proof from the cache, and writes it down.
///
/// # Errors
/// A change was not seen, or one was seen that is none: nothing that this comparison says could be believed.
pub(in crate::engine) async fn prove(context: &Rehearsed<'_>, options: &Options) -> Result<()> {
    let house = &context.run.house;
    let has_postgres = context.plan.targets.iter().any(|target| target.engine == Engine::Postgres);
    if has_postgres && !house.can(context.plan, Capability::Superuser) {
        let text = format!("{}: the comparison was not checked, as allowed: no superuser", context.scenario.name);
        return context.run.journal.append(Body::Note { case: None, text });
    }
    let _proving = PROVING.lock().await;
    let (path, known) = cached(context)?;
    let was_cached = known.is_some();
    let proof = match known {
        Some(proof) => proof,
        None => proof(context, options.jobs.clamp(1, 4)).await?,
    };
    let dataset = context.scenario.dataset.clone();
    context.run.journal.append(Body::ChecksProved { dataset, proof: proof.clone(), cached: was_cached })?;
    if !proof.is_green() {
        let all = [proof.survived, proof.false_alarms].concat().join("\n");
        return Err(Error::bug(format!("the comparison cannot be trusted with {}:\n{all}", context.scenario.dataset)));
    }
    if !was_cached {
        keep(house, &path, &proof);
    }
    Ok(())
}

/// Where the proof is kept, and what is there. Our own code is part of the name: it is what was proved.
fn cached(context: &Rehearsed<'_>) -> Result<(PathBuf, Option<Proof>)> {
    let house = &context.run.house;
    let databases: BTreeSet<_> = databases(context).into_iter().map(|target| which(house, target)).collect();
    let key = canonical::sha256(&(SOURCE_SHA256, context.dataset.digest(), databases))?;
    let path = house.session.base().cache().join(format!("proof-{}.json", &key[..32]));
    let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Proof>(&bytes).ok());
    Ok((path, known.filter(Proof::is_green)))
}

/// That it cannot be kept costs the next run some time, and no more.
fn keep(house: &House, path: &std::path::Path, proof: &Proof) {
    let new = path.with_extension(format!("{}.new", house.session.id()));
    let written = serde_json::to_vec(proof).map_err(std::io::Error::from).and_then(|bytes| std::fs::write(&new, bytes));
    let _ = written.and_then(|()| std::fs::rename(&new, path));
}

async fn proof(context: &Rehearsed<'_>, jobs: usize) -> Result<Proof> {
    let mut proof = Proof::default();
    for target in databases(context) {
        let subject = Subject::open(context, target).await?;
        let untouched = subject.differences(&[]).await?;
        if let Some((_, differences)) = untouched.filter(|(_, differences)| !differences.is_empty()) {
            alarm(&mut proof, &format!("nothing at all in {}", target.database), &differences);
        }
        let kinds = by_mutation(subject.candidates.clone());
        let kinds = kinds.into_iter().filter(|kind| !proof.killed.contains(&kind[0].mutation));
        let tried = kinds.map(|kind| subject.tried(kind));
        let tried: Vec<_> = iter(tried).buffer_unordered(jobs).try_collect().await?;
        for (candidate, differences) in tried.into_iter().flatten() {
            add(&mut proof, &target.database, &candidate, &differences);
        }
        subject.end().await?;
    }
    let tried = |mutation: &str| {
        let survived = proof.survived.iter().any(|what| what.starts_with(&format!("{mutation} in ")));
        survived || proof.killed.contains(mutation)
    };
    let without_place = MUTATIONS.iter().filter(|mutation| !tried(mutation));
    proof.not_applicable = without_place.map(|mutation| (*mutation).to_owned()).collect();
    Ok(proof)
}

fn add(proof: &mut Proof, database: &str, candidate: &Candidate, differences: &[Difference]) {
    let what = || format!("{} in {database}: {}", candidate.mutation, candidate.statement);
    match (candidate.is_judged_right(differences), candidate.is_control()) {
        (true, true) => {}
        (true, false) => drop(proof.killed.insert(candidate.mutation.clone())),
        (false, true) => alarm(proof, &what(), differences),
        (false, false) => proof.survived.push(what()),
    }
}

fn alarm(proof: &mut Proof, what: &str, differences: &[Difference]) {
    let first = differences.first().map(ToString::to_string).unwrap_or_default();
    proof.false_alarms.push(format!("{what}; {first}"));
}

/// A database of the dataset, and the version of its server: on each it is another.
fn which<'t>(house: &House, target: &'t TargetSpec) -> (&'t str, Option<String>) {
    let version = house.sites.version(target.version);
    let is_postgres = target.engine == Engine::Postgres;
    let server = house.started().into_iter().find(|(known, _)| is_postgres && *known == version);
    (&target.database, server.map(|(_, pool)| pool.cluster().server_version().to_owned()))
}

/// The databases of the plan, each once, sources first: they hold the rows.
fn databases<'c>(context: &Rehearsed<'c>) -> Vec<&'c TargetSpec> {
    let mut seen = BTreeSet::new();
    let (sources, targets): (Vec<_>, Vec<_>) = context.plan.targets.iter().partition(|target| target.is_source());
    sources.into_iter().chain(targets).filter(|target| seen.insert(which(&context.run.house, target))).collect()
}

/// A database as the dataset has it.
struct Subject<'c> {
    house: &'c House,
    place: Place,
    state: DatabaseState,
    candidates: Vec<Candidate>,
    lanes: Mutex<Vec<Lane>>,
}

/// A copy on which one change after the other is done and undone.
struct Lane {
    database: Database,
    connection: PgConnection,
}

impl Lane {
    async fn end(self, pool: &Pool) -> Result<()> {
        let _ = self.connection.close().await;
        pool.drop(self.database).await
    }
}

enum Place {
    Postgres { pool: Arc<Pool>, template: Template },
    Sqlite { template: SqliteTemplate },
}

/// What was done, and in what the copy then differed.
type Tried = Option<(Candidate, Vec<Difference>)>;

impl<'c> Subject<'c> {
    async fn open(context: &Rehearsed<'c>, target: &TargetSpec) -> Result<Subject<'c>> {
        let house = &context.run.house;
        let place = match house.origin(context.dataset, target).await? {
            Origin::Postgres(pool, template) => Place::Postgres { pool, template },
            Origin::Sqlite(template) => Place::Sqlite { template },
        };
        let (state, candidates, lanes) = (DatabaseState::default(), Vec::new(), Mutex::default());
        let mut subject = Subject { house, place, state, candidates, lanes };
        (subject.state, subject.candidates) = subject.original().await?;
        Ok(subject)
    }

    async fn original(&self) -> Result<(DatabaseState, Vec<Candidate>)> {
        match &self.place {
            Place::Postgres { pool, template } => self.original_postgres(pool, template).await,
            Place::Sqlite { template } => {
                let copy = self.copy(template)?;
                let path = copy.path().join("copy");
                Ok((db::sqlite::sqlite_state(&path, &Volatile::new())?, sqlite_candidates(&path)?))
            }
        }
    }

    async fn original_postgres(&self, pool: &Pool, template: &Template) -> Result<(DatabaseState, Vec<Candidate>)> {
        let mut lane = self.lane(pool, template).await?;
        let state = db::postgres_state(&mut lane.connection, &Volatile::new()).await?;
        let candidates = postgres_candidates(&mut lane.connection).await?;
        self.lanes.lock().await.push(lane);
        Ok((state, candidates))
    }

    /// A copy that is as the template, and nobody's now.
    async fn lane(&self, pool: &Pool, template: &Template) -> Result<Lane> {
        if let Some(lane) = self.lanes.lock().await.pop() {
            return Ok(lane);
        }
        let database = pool.clone(template, &format!("m{}", self.house.next_case())).await?;
        let connection = db::postgres::connect(&pool.cluster().admin(database.name())).await?;
        Ok(Lane { database, connection })
    }

    async fn tried(&self, candidates: Vec<Candidate>) -> Result<Tried> {
        self.differences(&candidates).await
    }

    /// Does the first of `candidates` that can be done to a copy, and compares; without candidates nothing is done.
    async fn differences(&self, candidates: &[Candidate]) -> Result<Tried> {
        let (done, state) = match &self.place {
            Place::Postgres { pool, template } => self.postgres(pool, template, candidates).await?,
            Place::Sqlite { template } => {
                let copy = self.copy(template)?;
                let path = copy.path().join("copy");
                let done = sqlite_mutate(&path, candidates)?.cloned();
                (done, db::sqlite::sqlite_state(&path, &Volatile::new())?)
            }
        };
        let nothing =
            || Candidate { mutation: "control-nothing".into(), object: String::new(), statement: String::new() };
        let done = if candidates.is_empty() { Some(nothing()) } else { done };
        Ok(done.map(|done| (done, state.differences(&self.state))))
    }

    async fn postgres(
        &self,
        pool: &Pool,
        template: &Template,
        candidates: &[Candidate],
    ) -> Result<(Option<Candidate>, DatabaseState)> {
        let mut lane = self.lane(pool, template).await?;
        let (done, state) = postgres_tried(&mut lane.connection, candidates).await?;
        self.lanes.lock().await.push(lane);
        Ok((done.cloned(), state))
    }

    /// Its copies are dropped.
    async fn end(self) -> Result<()> {
        if let Place::Postgres { pool, .. } = &self.place {
            for lane in self.lanes.into_inner() {
                lane.end(pool).await?;
            }
        }
        Ok(())
    }

    fn copy(&self, template: &SqliteTemplate) -> Result<tempfile::TempDir> {
        let dir = self.house.session.dir();
        let folder = tempfile::tempdir_in(dir).map_err(|error| Error::io("create a copy in", dir, error))?;
        template.clone_to(&folder.path().join("copy"))?;
        Ok(folder)
    }
}
