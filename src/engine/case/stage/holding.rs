//! The databases of a case: clones, each with a proxy before it or in a file of its own.

use super::own::{Own, seeded_name};
use crate::Result;
use crate::engine::Rehearsed;
use crate::engine::case::checkpoint::Checkpoint;
use crate::engine::proxy::{Proxy, ProxyRules};
use crate::engine::run::house::Origin;
use crate::model::{Engine, TargetSpec};
use crate::target::{Database, Pool, Template};
use sqlx::PgConnection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// A database under the name that the scenario gives it.
pub(in crate::engine) struct Holding {
    pub(in crate::engine) endpoint: String,
    /// The dotted name, as in `{source.general}`.
    pub(in crate::engine) name: String,
    pub(in crate::engine) is_source: bool,
    pub(in crate::engine) place: Place,
}

pub(in crate::engine) enum Place {
    Postgres {
        /// Of the server that it is on.
        pool: Arc<Pool>,
        database: Database,
        /// What it is a clone of, on the server of all.
        template: Option<Template>,
        proxy: Proxy,
        /// Our own connection, kept from one look to the next: half of what a look costs is connecting.
        observer: Mutex<Option<PgConnection>>,
    },
    Sqlite {
        path: PathBuf,
    },
}

pub(super) async fn hold(
    context: &Rehearsed<'_>,
    target: &TargetSpec,
    (own, from): (&[Own], Option<&Checkpoint>),
    number: u32,
    dir: &Path,
) -> Result<Holding> {
    let house = &context.run.house;
    let leaf = target.name.rsplit('.').next().unwrap_or(&target.name);
    let version = house.sites.version(target.version);
    if let (Some(own), Engine::Postgres) = (own.iter().find(|own| own.version == version), target.engine) {
        let database = own.pool.existing(&seeded_name(target));
        return held(target, &own.pool, database, None).await;
    }
    let kept = from.and_then(|checkpoint| checkpoint.template(&target.endpoint())).cloned();
    let origin = match kept {
        Some(template) => Origin::Postgres(house.postgres(target.version).await?, template),
        None => house.origin(context.dataset, target).await?,
    };
    let place = match origin {
        Origin::Postgres(pool, template) => {
            let database = Pool::clone(&pool, &template, &database_name(number, leaf)).await?;
            return held(target, &pool, database, Some(template)).await;
        }
        Origin::Sqlite(template) => {
            let path = dir.join("files").join(format!("{leaf}.db"));
            template.clone_to(&path)?;
            Place::Sqlite { path }
        }
    };
    Ok(Holding { endpoint: target.endpoint(), name: target.name.clone(), is_source: target.is_source(), place })
}

/// A database, with a proxy before it.
async fn held(
    target: &TargetSpec,
    pool: &Arc<Pool>,
    database: Database,
    template: Option<Template>,
) -> Result<Holding> {
    let cluster = pool.cluster();
    let rules = ProxyRules { forbidden_role: cluster.admin_role().map(str::to_owned), side: Some(cluster.aside()) };
    let place = Place::Postgres {
        pool: Arc::clone(pool),
        database,
        template,
        proxy: Proxy::start(&target.endpoint(), cluster.reach().clone(), rules).await?,
        observer: Mutex::default(),
    };
    Ok(Holding { endpoint: target.endpoint(), name: target.name.clone(), is_source: target.is_source(), place })
}

/// Names of clones are of `[a-z0-9_]` and unique in the session.
pub(super) fn database_name(number: u32, leaf: &str) -> String {
    let plain: String =
        leaf.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("c{number}_{}", &plain[..plain.len().min(30)])
}
