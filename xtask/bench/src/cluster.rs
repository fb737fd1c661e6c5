//! Fresh clusters and fresh databases.

use super::ground::Ground;
use super::line::{Line, What};
use rehearsal::Result;
use rehearsal::clock::Stopwatch;
use rehearsal::db::postgres;
use rehearsal::target::{Binaries, Cluster, Pool, Provider, Wanted};
use std::cell::Cell;

const CLUSTER: What<'static> =
    ("G1", "fresh cluster to the first query", "initdb, pg_ctl -w start, create database", 0.125);
const DATABASE: What<'static> =
    ("G2", "fresh database from a template", "create database ... strategy file_copy", 1.25);
const FETCHED_CLUSTER: What<'static> = ("G1", "the same, of programs that pip fetched", "the same of them", 0.125);
const FETCHED_DATABASE: What<'static> = ("G2", "the same, of programs that pip fetched", "the same of them", 1.25);

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let mut lines = vec![cluster(ground, CLUSTER, &ground.binaries)?, database(ground, DATABASE, &ground.pool)?];
    match Binaries::find(ground.session.base(), &Wanted { provider: Provider::Fetch, ..Wanted::default() }) {
        Ok(fetched) => {
            let server = ground.runtime.block_on(Cluster::private(&ground.session, &fetched, "fetched", &[]))?;
            let pool = Pool::new(&server, ground.session.id());
            lines.extend([cluster(ground, FETCHED_CLUSTER, &fetched)?, database(ground, FETCHED_DATABASE, &pool)?]);
        }
        Err(why) => lines.extend([FETCHED_CLUSTER, FETCHED_DATABASE].map(|what| Line::missing(what, &why.to_string()))),
    }
    Ok(lines)
}

fn cluster(ground: &Ground, what: What<'_>, binaries: &Binaries) -> Result<Line> {
    let number = Cell::new(0);
    let ours = || {
        number.set(number.get() + 1);
        let name = format!("fresh{}-{}", binaries.major(), number.get());
        let watch = Stopwatch::start();
        ground.runtime.block_on(async {
            let cluster = Cluster::private(&ground.session, binaries, &name, &[]).await?;
            postgres::connect(&cluster.admin("postgres")).await.map(drop)
        })?;
        Ok(watch.elapsed().as_secs_f64())
    };
    let ids = ground.server_ids()?;
    let bin = binaries.dir.display().to_string();
    let theirs = || {
        let start = "D=$PWD/theirs; rm -rf $D; $B/initdb -D $D -A trust -U postgres > /dev/null && \
            $B/pg_ctl -D $D -w -l $D.log -o \"-k $PWD -c listen_addresses= -p 5499\" start > /dev/null && \
            psql -h $PWD -p 5499 -U postgres -c 'create database mine' > /dev/null && \
            psql -h $PWD -p 5499 -U postgres -d mine -c 'select 1' > /dev/null";
        let (seconds, _) = ground.shell(start, &[("B", &bin)], &[0], Some(ids))?;
        let stop = "$B/pg_ctl -D $PWD/theirs -m immediate stop > /dev/null; rm -rf $PWD/theirs $PWD/theirs.log";
        ground.shell(stop, &[("B", &bin)], &[0], Some(ids))?;
        Ok(seconds)
    };
    Line::paired(what, ground.rounds, ours, theirs)
}

const TABLES: &str = "create table t as select n, n::text as v from generate_series(1, 1000) n";

/// Seconds that a database takes from a template with a table.
pub(crate) async fn cloned(pool: &Pool) -> Result<f64> {
    let load = async |access: rehearsal::target::Access| {
        postgres::execute(&mut postgres::connect(&access.admin).await?, TABLES).await
    };
    let template = pool.template("bench", load).await?;
    let watch = Stopwatch::start();
    let database = pool.clone(&template, "ours").await?;
    let seconds = watch.elapsed().as_secs_f64();
    pool.drop(database).await?;
    Ok(seconds)
}

fn database(ground: &Ground, what: What<'_>, pool: &Pool) -> Result<Line> {
    let (base, mut admin) = ground.runtime.block_on(async {
        let base = pool.empty("base").await?;
        let mut inside = postgres::connect(&pool.cluster().admin(base.name())).await?;
        postgres::execute(&mut inside, TABLES).await?;
        drop(inside);
        pool.wait_empty(&[base.name()], std::time::Duration::from_secs(10)).await?;
        Ok::<_, rehearsal::Error>((base, postgres::connect(&pool.cluster().admin("postgres")).await?))
    })?;
    let ours = || ground.runtime.block_on(cloned(pool));
    let sql = format!("create database bare template {} strategy file_copy", base.name());
    let theirs = || {
        ground.runtime.block_on(async {
            let watch = Stopwatch::start();
            postgres::execute(&mut admin, &sql).await?;
            let seconds = watch.elapsed().as_secs_f64();
            postgres::execute(&mut admin, "drop database bare").await?;
            Ok(seconds)
        })
    };
    Line::paired(what, ground.rounds.max(9), ours, theirs)
}
