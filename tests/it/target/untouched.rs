//! Clones that nobody has written to are told from those that somebody has, without going there.

use super::{Scratch, execute, text};
use crate::db::{PLANTED, SCHEMA};
use rehearsal::clock::Stopwatch;
use rehearsal::db::{postgres, sequence_oids};
use rehearsal::process::{Signal, kill};
use rehearsal::target::{Database, Pool, Template};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
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

/// Whether nothing of a clone has changed, its sequences included, once nobody is there.
async fn is_whole(pool: &Pool, clone: &Database, sequences: &[i64]) -> bool {
    is_untouched(pool, clone).await && pool.are_unread(clone.name(), sequences).await
}

async fn sequences(pool: &Pool, template: &Template) -> Vec<i64> {
    let clone = pool.clone(template, "sequences").await.unwrap();
    let mut connection = postgres::connect(&pool.cluster().admin(clone.name())).await.unwrap();
    let found = sequence_oids(&mut connection).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(pool.are_unread(clone.name(), &found).await, "who asks for their numbers does not read them");
    drop(connection);
    pool.drop(clone).await.unwrap();
    found
}

#[tokio::test]
async fn whoever_takes_sets_or_reads_a_next_value_is_seen_without_going_there() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let template = template(&pool).await;
    let sequences = sequences(&pool, &template).await;
    let seen = [
        "select nextval('public.loose')",
        "select nextval('app.users_id_seq')",
        "select setval('public.loose', 6, false)",
        "begin; select nextval('public.loose'); rollback",
        "select last_value from public.loose",
        "select pg_sequence_last_value('public.loose')",
        "alter sequence public.loose restart",
        "alter sequence public.loose owned by app.users.id",
        "begin; insert into app.users (name) values ('eve'); rollback",
        "truncate app.users restart identity cascade",
        "do $$ begin perform nextval('public.loose'); raise 'no'; exception when others then null; end $$",
        "select nextval('public.loose'), pg_terminate_backend(pg_backend_pid())",
        "begin; select nextval('public.loose'); select pg_terminate_backend(pg_backend_pid())",
    ];
    let mut unseen = Vec::new();
    for sql in seen {
        let clone = pool.clone(&template, "c").await.unwrap();
        let mut connection = PgConnection::connect_with(&pool.cluster().admin(clone.name())).await.unwrap();
        let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await; // some end the session
        drop(connection);
        if is_whole(&pool, &clone, &sequences).await {
            unseen.push(sql);
        }
        pool.drop(clone).await.unwrap();
    }
    assert_eq!(unseen, [""; 0]);
}

#[tokio::test]
async fn whoever_only_reads_rows_and_definitions_leaves_a_clone_whole() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let template = template(&pool).await;
    let sequences = sequences(&pool, &template).await;
    let clone = pool.clone(&template, "c").await.unwrap();
    assert!(is_whole(&pool, &clone, &sequences).await, "nobody was there");
    let admin = || pool.cluster().admin(clone.name());
    execute(admin(), "select count(*) from app.users; select * from pg_sequence; select * from pg_class").await;
    execute(admin(), "select pg_get_serial_sequence('app.users', 'id')").await;
    assert!(is_whole(&pool, &clone, &sequences).await);
    assert!(!pool.are_unread("no_such_database", &sequences).await, "of what is not there nothing is known");
}

#[tokio::test]
async fn a_tool_can_neither_remark_nor_open_nor_drop_a_template() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let clone = pool.clone(&template(&pool).await, "c").await.unwrap();
    let admin = pool.cluster().admin("postgres");
    let name = text(admin, "select datname::text from pg_database where datname like 'template\\_%'").await;
    let mut tool = PgConnection::connect_with(&pool.cluster().tool(clone.name())).await.unwrap();
    for sql in [
        format!("comment on database {name} is 'mine'"),
        format!("alter database {name} with allow_connections true"),
        format!("alter database {name} with is_template false"),
        format!("drop database {name}"),
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut tool).await.unwrap_err();
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"), "{refused}");
    }
    tool.close().await.unwrap();
}

#[tokio::test]
async fn what_is_remarked_of_a_template_is_there_for_the_next_session_and_in_no_clone() {
    let scratch = Scratch::new();
    let (session, next) = (scratch.session(), scratch.session());
    let (pool, template, text_of_it) = (scratch.pool(&session).await, "schema", "it's \\ \"seen\"\n");
    let first = self::template(&pool).await;
    assert_eq!(pool.remarked(&first).await, None);
    pool.remark(&first, text_of_it).await;
    let later = scratch.pool(&next).await;
    let load = async |_| panic!("{template} is there");
    let again = later.template(template, load).await.unwrap();
    assert_eq!(later.remarked(&again).await.as_deref(), Some(text_of_it));

    let clone = pool.clone(&first, "c").await.unwrap();
    let sql = "select count(*)::text from pg_shdescription where objoid = (select oid from pg_database where datname = \
               current_database())";
    assert_eq!(text(pool.cluster().admin(clone.name()), sql).await, "0");
    let kept = pool.keep(&clone, "k").await.unwrap();
    pool.remark(&kept, text_of_it).await;
    assert_eq!(pool.remarked(&kept).await, None, "it ends with its session");
}

/// Kills a process without which the server goes on only after a recovery, and waits for that.
async fn crash(pool: &Pool) {
    let aside = pool.cluster().aside();
    let mut before = PgConnection::connect_with(&aside).await.unwrap();
    let checkpointer = "select pid::text from pg_stat_activity where backend_type = 'checkpointer'";
    let pid = text(aside.clone(), checkpointer).await;
    kill(pid.parse().unwrap(), Signal::KILL).unwrap();
    let watch = Stopwatch::start();
    // Until it has seen that, it serves whoever comes. It lets in nobody while anybody of before is left.
    while before.ping().await.is_ok() || PgConnection::connect_with(&aside).await.is_err() {
        assert!(watch.elapsed() < PATIENCE, "the server does not recover");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn after_a_crash_of_the_server_nothing_is_known() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let pool = scratch.pool(&session).await;
    let clone = pool.clone(&template(&pool).await, "c").await.unwrap();
    execute(pool.cluster().admin(clone.name()), "delete from public.unnamed").await;
    crash(&pool).await;
    assert!(pool.untouched(&[clone.name()]).await.is_empty());
    assert!(!pool.are_unread(clone.name(), &[16_384]).await);
}
