//! Fresh clusters and fresh databases.

use super::ground::Ground;
use super::line::Line;
use rehearsal::Result;
use rehearsal::clock::Stopwatch;
use rehearsal::db::postgres;
use rehearsal::target::Cluster;
use std::cell::Cell;

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    Ok(vec![cluster(ground)?, database(ground)?])
}

fn cluster(ground: &Ground) -> Result<Line> {
    let number = Cell::new(0);
    let ours = || {
        number.set(number.get() + 1);
        let name = format!("fresh{}", number.get());
        let watch = Stopwatch::start();
        ground.runtime.block_on(async {
            let cluster = Cluster::private(&ground.session, &ground.binaries, &name, &[]).await?;
            postgres::connect(&cluster.admin("postgres")).await.map(drop)
        })?;
        Ok(watch.elapsed().as_secs_f64())
    };
    let ids = ground.server_ids()?;
    let bin = ground.binaries.dir.display().to_string();
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
    let what = ("G1", "fresh cluster to the first query", "initdb, pg_ctl -w start, create database", 0.125);
    Line::paired(what, ground.rounds, ours, theirs)
}

fn database(ground: &Ground) -> Result<Line> {
    const TABLES: &str = "create table t as select n, n::text as v from generate_series(1, 1000) n";
    let template = ground.runtime.block_on(ground.pool.template("bench", async |access| {
        postgres::execute(&mut postgres::connect(&access.admin).await?, TABLES).await
    }))?;
    let base = ground.runtime.block_on(ground.pool.empty("base"))?;
    ground.execute(base.name(), TABLES)?;
    ground.runtime.block_on(ground.pool.wait_empty(&[base.name()], std::time::Duration::from_secs(10)))?;
    let mut admin = ground.runtime.block_on(postgres::connect(&ground.cluster().admin("postgres")))?;
    let ours = || {
        ground.runtime.block_on(async {
            let watch = Stopwatch::start();
            let database = ground.pool.clone(&template, "ours").await?;
            let seconds = watch.elapsed().as_secs_f64();
            ground.pool.drop(database).await?;
            Ok(seconds)
        })
    };
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
    let what = ("G2", "fresh database from a template", "create database ... strategy file_copy", 1.25);
    Line::paired(what, ground.rounds.max(9), ours, theirs)
}
