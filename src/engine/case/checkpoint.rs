//! The databases of the golden run right before a step: cases that injure that step begin there.
//!
//! What came before would do the same again, as long as nothing of it depends on the case: so only where earlier steps
//! wrote no file but their reports, where both golden runs held the same without volatile columns (a database that
//! remembers its own name or port would differ), and where every target is a Postgres database. The nightly tier runs
//! everything.

use crate::Result;
use crate::engine::case::stage::{Place, Stage};
use crate::engine::run::context::{CaseLog, Rehearsed};
use crate::model::Engine;
use crate::target::Template;
use std::collections::{BTreeMap, BTreeSet};

/// A template per endpoint.
pub(in crate::engine) struct Checkpoint {
    templates: BTreeMap<String, Template>,
}

impl Checkpoint {
    /// Keeps what the databases of `stage` hold now. Nobody may be connected to them but we.
    pub(in crate::engine) async fn take(stage: &Stage<'_>, step: &str) -> Result<Checkpoint> {
        stage.close_observers().await;
        let mut templates = BTreeMap::new();
        for holding in stage.holdings() {
            let Place::Postgres { pool, database, .. } = &holding.place else { continue };
            let name = format!("k{}_{}", stage.context.run.house.next_case(), templates.len());
            let template =
                pool.keep(database, &name).await.map_err(|error| error.within(format!("before `{step}`")))?;
            templates.insert(holding.endpoint.clone(), template);
        }
        Ok(Checkpoint { templates })
    }

    /// What an endpoint held.
    pub(in crate::engine) fn template(&self, endpoint: &str) -> Option<&Template> {
        self.templates.get(endpoint)
    }
}

/// Whether no database has got settings or rights of its own since the start: a clone would not have them.
pub(in crate::engine) fn keeps_settings(stage: &Stage<'_>, log: &CaseLog<'_>) -> bool {
    let states = stage.context.run.states();
    let own = |digest: &str| -> Option<BTreeMap<String, String>> {
        let catalog = states.get(digest)?.catalog.iter();
        let is_own = |name: &String| name == "database" || name.starts_with("setting");
        Some(catalog.filter(|(name, _)| is_own(name)).map(|(name, text)| (name.clone(), text.clone())).collect())
    };
    stage.context.plan.endpoints().iter().all(|endpoint| {
        let mut probes = log.events.probes().filter(|(_, of, _)| of == endpoint).map(|(_, _, state)| own(state));
        let first = probes.next();
        first.is_some() && probes.all(|later| Some(later) == first)
    })
}

/// The steps before which a golden run keeps its databases, if it turns out that it may.
pub(in crate::engine) fn steps(context: &Rehearsed<'_>) -> BTreeSet<String> {
    let is_postgres = context.plan.targets.iter().all(|target| target.engine == Engine::Postgres);
    // A service holds connections to what would be cloned.
    let has_service = !context.scenario.services.is_empty();
    if !is_postgres || has_service || context.scenario.own_server || !context.scenario.volatile.is_empty() {
        return BTreeSet::new();
    }
    let first = context.plan.steps.first().map(|step| &step.name);
    let injured = context.run.goldens.injured(context.scenario);
    injured.into_iter().filter(|during| Some(during) != first).collect()
}
