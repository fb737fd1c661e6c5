//! Clones that nobody has written to are told from those that somebody has, without going there.

use super::{Scratch, execute, text};
use crate::db::{PLANTED, SCHEMA};
use rehearsal::clock::Stopwatch;
use rehearsal::process::{Signal, kill};
use rehearsal::target::{Database, Pool, Template};
use sqlx::Connection;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

async fn template(pool: &Pool) -> Template {
    let load = async |access: rehearsal::target::Access| {
        execute(access.admin, SCHEMA).await;
        Ok(())
    };
    pool.template("schema", load).await.unwrap()
}

/// Whether a clone is taken for untouched once nobody is there.
async fn is_untouched(pool: &Pool, clone: &Database) -> bool {
    pool.wait_empty(&[clone.name()], PATIENCE).await.unwrap();
    pool.untouched(&[clone.name()]).await.contains(clone.name())
}

#[tokio::test]
async fn whatever_turns_the_state_different_is_counted_but_for_next_values() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let template = template(&pool).await;
    let mut unseen = Vec::new();
    for (sql, _) in PLANTED.iter().filter(|(sql, _)| !sql.starts_with("select ")) {
        let clone = pool.clone(&template, "c").await.unwrap();
        // `set unlogged` is refused for a table that a logged one refers to.
        let before = if sql.contains("unlogged") { "drop table app.notes;" } else { "" };
        let statement = format!("{before} set allow_system_table_mods = on; {sql}");
        execute(pool.cluster().admin(clone.name()), &statement).await;
        if is_untouched(&pool, &clone).await {
            unseen.push(*sql);
        }
        pool.drop(clone).await.unwrap();
    }
    assert_eq!(unseen, [""; 0]);
}

#[tokio::test]
async fn what_stands_outside_of_a_database_and_what_is_not_committed_count_too() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let template = template(&pool).await;
    let written = [
        "grant create on database {} to rehearse_tool",
        "alter database {} set work_mem = '1MB'",
        "alter database {} connection limit 3",
        "alter database {} owner to rehearse_admin",
        "begin; insert into public.unnamed values (7); rollback",
        "begin; lock public.unnamed; prepare transaction 'left'",
        "truncate public.nothing",
        "select lo_from_bytea(0, '7')",
    ];
    for sql in written {
        let clone = pool.clone(&template, "c").await.unwrap();
        execute(pool.cluster().admin(clone.name()), &sql.replace("{}", clone.name())).await;
        assert!(!is_untouched(&pool, &clone).await, "{sql}");
        pool.drop(clone).await.unwrap();
    }
}

#[tokio::test]
async fn a_clone_that_was_only_read_is_untouched_also_where_a_sequence_was_used() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let clone = pool.clone(&template(&pool).await, "c").await.unwrap();
    let admin = || pool.cluster().admin(clone.name());
    assert_eq!(text(admin(), "select count(*)::text from app.users").await, "104");
    execute(admin(), "begin; lock app.users; select * from app.users for update; commit").await;
    execute(admin(), "select nextval('public.loose')").await;
    assert!(is_untouched(&pool, &clone).await);
}

#[tokio::test]
async fn after_a_crash_of_the_server_nothing_is_known() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let clone = pool.clone(&template(&pool).await, "c").await.unwrap();
    execute(pool.cluster().admin(clone.name()), "delete from public.unnamed").await;
    let checkpointer = "select pid::text from pg_stat_activity where backend_type = 'checkpointer'";
    let pid = text(pool.cluster().aside(), checkpointer).await;
    kill(pid.parse().unwrap(), Signal::KILL).unwrap();
    let watch = Stopwatch::start();
    while sqlx::PgConnection::connect_with(&pool.cluster().admin(clone.name())).await.is_err() {
        assert!(watch.elapsed() < PATIENCE, "the server does not recover");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(pool.untouched(&[clone.name()]).await.is_empty());
}
