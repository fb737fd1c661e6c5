//! Servers of cases' own.

use super::*;
use rehearsal::target::{Seed, Server};

/// A seed with one database, `<session>_seeded`, that holds a table of one row.
async fn seed(scratch: &Scratch, session: &Session) -> Seed {
    let shared = scratch.join(session).await;
    let fill = async |pool: Pool| {
        let database = pool.empty("seeded").await?;
        execute(pool.cluster().tool(database.name()), "create table t (n int); insert into t values (1)").await;
        Ok(())
    };
    Seed::grow(session, &scratch.binaries(), &shared, "seed", fill).await.unwrap()
}

fn seeded(server: &Server, session: &Session) -> sqlx::postgres::PgConnectOptions {
    server.cluster().tool(&format!("{}_seeded", session.id()))
}

const ROWS: &str = "select string_agg(n::text, ',' order by n) from t";

#[tokio::test]
async fn a_server_of_its_own_begins_with_what_the_seed_has_and_shares_nothing() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let seed = seed(&scratch, &session).await;
    let one = Server::start(&session, &seed, "one").await.unwrap();
    let other = Server::start(&session, &seed, "other").await.unwrap();
    execute(seeded(&one, &session), "insert into t values (2)").await;
    assert_eq!(text(seeded(&one, &session), ROWS).await, "1,2");
    assert_eq!(text(seeded(&other, &session), ROWS).await, "1");
    assert_eq!(text(one.cluster().admin("postgres"), "show synchronous_commit").await, "on");
}

#[tokio::test]
async fn a_crash_keeps_what_was_committed_and_nothing_else_on_the_same_address() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let mut open = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    execute(seeded(&server, &session), "insert into t values (2)").await;
    let begin = "begin; insert into t values (3)";
    sqlx::raw_sql(begin).execute(&mut open).await.unwrap();

    let data = server.cluster().socket().0.with_file_name("data");
    server.crash().await.unwrap();
    assert_eq!(processes_in(&data, &["postgres"]), [0; 0]);
    sqlx::raw_sql("commit").execute(&mut open).await.unwrap_err();
    server.resume().await.unwrap();
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1,2");
}

#[tokio::test]
async fn a_restart_ends_connections_and_keeps_what_was_committed() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let mut open = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    server.shut_down().await.unwrap();
    server.resume().await.unwrap();
    sqlx::raw_sql("select 1").execute(&mut open).await.unwrap_err();
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1");
}

#[rstest]
#[case::running(false)]
#[case::crashed_before(true)]
#[tokio::test]
async fn nothing_is_left_of_a_server_that_was_ended(#[case] crashes: bool) {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let dir = server.cluster().socket().0.parent().unwrap().to_owned();
    if crashes {
        server.crash().await.unwrap();
        server.resume().await.unwrap();
    }
    let postmaster = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
    let postmaster = postmaster.lines().next().unwrap().parse().unwrap();
    server.end().await.unwrap();
    assert!(!dir.exists());
    assert_eq!((processes_in(&dir, &["postgres"]), memory_segments_of(postmaster)), (vec![], 0));
}
