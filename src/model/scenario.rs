//! A scenario: what is rehearsed, on which data, injured how, recovered how, and what is expected of it.

use crate::model::{Address, Guard, OwnCheck, Place, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One scenario, whether it came from a file or was built in Rust.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The path of its file under `scenarios/` without `.toml`, such as `one-db/kill-anywhere`.
    pub name: String,
    /// What is shown, in a sentence.
    pub about: String,
    /// The procedure; `None` when every step is the scenario's own.
    pub flow: Option<String>,
    /// The dataset and its size, such as `butlers-small`.
    pub dataset: String,
    /// Which program is rehearsed.
    pub tool: Tool,
    /// The seed of the data and of every sample that is drawn.
    pub seed: u64,
    /// Programs that must be found, such as `psql`, and modules of interpreters, such as `python3:psycopg`; without them the scenario is not run, and the run is inconclusive.
    pub needs: Vec<String>,
    /// Whether each case has a server of its own: for tools that use names which a server has but once, as those of
    /// prepared transactions.
    pub own_server: bool,
    /// The databases; empty: those of the flow.
    pub targets: Vec<TargetSpec>,
    /// The steps; empty: those of the flow.
    pub steps: Vec<Step>,
    /// The misfortunes; empty: the golden run alone.
    pub faults: Vec<FaultSpec>,
    /// The documented ways out, first match wins; none that matches: the injured step again.
    pub recovery: Vec<Recovery>,
    /// What running the injured step again after success must do.
    pub rerun: Rerun,
    /// Declared transformations.
    pub maps: Vec<Map>,
    /// Columns that may differ from run to run.
    pub volatile: Vec<Volatile>,
    /// What runs beside the steps.
    pub services: Vec<Service>,
    /// Commands that must refuse.
    pub guards: Vec<Guard>,
    /// Checks of its own.
    pub checks: Vec<OwnCheck>,
    /// The definitions of targets that the migration may change, as patterns such as `index public.accounts.*`.
    pub may_change: Vec<String>,
    /// The file of the criteria that it answers, from the root of the repository; `None`: those of the flow.
    pub criteria: Option<String>,
    /// What a canary must turn red; `None` for scenarios that must be green.
    pub expect: Option<Expect>,
}

/// Which program is rehearsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Replaces `rehearse tool <flow>`; `None` is the reference migrator.
    pub prefix: Option<Vec<String>>,
    /// Files that make up the tool, as patterns from the root of the repository; they are digested.
    pub inputs: Vec<String>,
}

/// A database of the dataset under the name that the scenario gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// The dotted name in the scenario, such as `source.general` or `target`; its URL stands for `{source.general}`.
    pub name: String,
    /// Which engine holds it.
    pub engine: Engine,
    /// The database of the dataset that it starts as.
    pub database: String,
    /// The major version of its Postgres server, such as 18; nothing: that of the run.
    #[serde(default)]
    pub version: Option<u32>,
}

/// The engines that a target can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A Postgres database.
    Postgres,
    /// A SQLite file.
    Sqlite,
}

impl TargetSpec {
    /// On whatever server the run has, or in a file.
    pub fn new(name: &str, engine: Engine, database: &str) -> TargetSpec {
        TargetSpec { name: name.to_owned(), engine, database: database.to_owned(), version: None }
    }

    /// The name in addresses: `pg.source.general`, `pg.target`, `file.core`.
    pub fn endpoint(&self) -> String {
        match self.engine {
            Engine::Postgres => format!("pg.{}", self.name),
            Engine::Sqlite => format!("file.{}", self.name.rsplit('.').next().unwrap_or(&self.name)),
        }
    }

    /// True of what must not be changed.
    pub fn is_source(&self) -> bool {
        self.name == "source" || self.name.starts_with("source.")
    }
}

/// A misfortune and where it strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSpec {
    /// The kind, such as `proc.kill`.
    pub kind: String,
    /// What the kind needs besides.
    pub arg: Option<String>,
    /// The step during which it strikes.
    pub during: String,
    /// Everywhere, or at one place.
    pub at: At,
    /// What strikes the way out.
    pub then: Option<Then>,
}

/// A second misfortune: it strikes the way out of the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// The kind.
    pub kind: String,
    /// What the kind needs besides.
    pub arg: Option<String>,
    /// The step of the way out during which it strikes; `None`: the first.
    pub during: Option<String>,
    /// Everywhere, or at one place, counted from the beginning of that step.
    pub at: At,
}

impl FaultSpec {
    /// Whether a case of this fault may have this address.
    pub fn may_have(&self, address: &Address) -> bool {
        let (first, second) = (address.first(), address.points().get(1));
        let is_first = first.kind == self.kind && first.arg == self.arg;
        let is_second = match (&self.then, second) {
            (Some(then), Some(second)) => second.kind == then.kind && second.arg == then.arg,
            // A sweep of pairs begins with the first fault alone.
            (Some(then), None) => then.at.is_sweep(),
            (None, second) => second.is_none(),
        };
        is_first && is_second && address.points().len() <= 2
    }
}

impl FaultSpec {
    /// The kind with its argument, such as `sql.error=40001`.
    pub fn name(&self) -> String {
        self.arg.as_ref().map_or_else(|| self.kind.clone(), |arg| format!("{}={arg}", self.kind))
    }
}

/// Where a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// At every point that the golden run recorded.
    Sweep,
    /// The same, and each time for ever after.
    SweepOn,
    /// At this one.
    Place(Place),
}

impl At {
    /// Whether it is every point.
    pub fn is_sweep(&self) -> bool {
        matches!(self, At::Sweep | At::SweepOn)
    }
}

/// A documented way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Only for faults during this step.
    pub step: Option<String>,
    /// Only for faults of this kind.
    pub kind: Option<String>,
    /// Only where this was not reached.
    pub before: Option<Landmark>,
    /// Only where this was reached.
    pub after: Option<Landmark>,
    /// The steps to run, in order.
    pub steps: Vec<String>,
}

/// What a way out may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landmark {
    /// A step: the injured one stands before or after it in the plan.
    Step(String),
    /// A place: the injured step had not come there, or had, when it ended.
    Place(Place),
}

/// What running again after success must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rerun {
    /// End in the same state; writing again is allowed.
    #[default]
    SameState,
    /// Refuse, and write nothing.
    Refuses,
}

impl Rerun {
    /// All, with their names in scenarios.
    pub const ALL: [(Rerun, &'static str); 2] = [(Rerun::SameState, "same-state"), (Rerun::Refuses, "refuses")];
}

/// A declared transformation: what the source query gives is what the target query must give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// The source that it reads, such as `source.general`.
    pub on: String,
    /// A query over that source.
    pub source: String,
    /// A query over the target.
    pub target: String,
    /// The target that it reads, such as `target.core`; `None`: the first one.
    pub into: Option<String>,
    /// The columns that identify a row; empty: rows are compared as a multiset.
    pub key: Vec<String>,
}

/// A program that runs beside the steps, such as the application in front of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its command line and variables; its name is that of the service.
    pub command: Step,
    /// The page that answers 200 once it is ready, such as `http://{service.app}/readyz`.
    pub ready: String,
    /// The step before which it is started.
    pub from: String,
    /// The step before which it is ended; `None`: it runs to the end of the case.
    pub until: Option<String>,
}

/// Columns that may differ from run to run, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volatile {
    /// `schema.table`; in SQLite the bare name.
    pub table: String,
    /// The columns.
    pub columns: BTreeSet<String>,
    /// Why.
    pub reason: String,
}

/// What a canary must turn red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// Exactly these checks.
    pub red: BTreeSet<String>,
    /// The word of at least one case.
    pub outcome: Option<crate::model::Outcome>,
}

impl Scenario {
    /// The columns to leave out, by table.
    pub fn volatile_columns(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for volatile in &self.volatile {
            columns.entry(volatile.table.clone()).or_default().extend(volatile.columns.iter().cloned());
        }
        columns
    }

    /// The name in tokens: `/` is not shell-safe in them, and no part of a name holds a dot.
    pub fn token_name(&self) -> String {
        self.name.replace('/', ".")
    }
}
