//! Servers of cases' own.

use super::*;
use rehearsal::engine::files::{FileAct, Library, Shim};
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

#[tokio::test]
async fn a_server_that_stands_still_answers_later() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let mut open = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    server.pause().await.unwrap();
    {
        let asked = sqlx::raw_sql("insert into t values (2)").execute(&mut open);
        tokio::pin!(asked);
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut asked).await.is_err(), "it stands still");
        server.wake().await.unwrap();
        asked.await.unwrap();
    }
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1,2");
}

#[tokio::test]
async fn a_server_without_network_lets_nobody_in() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    server.unplug().await.unwrap();
    PgConnection::connect_with(&seeded(&server, &session)).await.unwrap_err();
    server.plug().await.unwrap();
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1");
}

#[tokio::test]
async fn a_statement_that_wants_more_memory_than_there_is_is_refused_on_old_and_new_connections() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let large = "select length(string_agg(repeat('x', 1000), ''))::text from generate_series(1, 100000)";
    let mut open = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    server.limit_memory(Some(32)).await.unwrap();
    let mut new = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    for connection in [&mut open, &mut new] {
        let refused = sqlx::raw_sql(large).execute(connection).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "53200");
    }
    server.limit_memory(None).await.unwrap();
    assert_eq!(text(seeded(&server, &session), large).await, "100000000");
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

/// It starts anew with the shim in it.
async fn watched(server: &Server, session: &Session) -> Shim {
    let shim = Shim::install(&server.data().unwrap(), &Library::unpack(session.dir()).unwrap()).unwrap();
    shim.lend().unwrap();
    server.set_environment(shim.environment()).unwrap();
    server.shut_down().await.unwrap();
    server.resume().await.unwrap();
    shim
}

#[tokio::test]
async fn a_disk_that_is_full_for_the_server_is_told_to_the_client_and_leaves_what_was_committed() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let shim = watched(&server, &session).await;
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1");

    shim.arm(&"pg.target:write.1+".parse().unwrap(), "base/", FileAct::Full).unwrap();
    let mut open = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    let grow = "insert into t select generate_series(2, 100000)";
    let refused = sqlx::raw_sql(grow).execute(&mut open).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("53100"), "{refused}");
    assert!(shim.struck().unwrap().is_some_and(|what| what.contains("base/")), "{:?}", shim.struck());

    shim.disarm().unwrap();
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1");
    sqlx::raw_sql(grow).execute(&mut open).await.unwrap();
}

#[tokio::test]
async fn a_server_without_room_for_its_log_ends_itself_and_has_what_was_committed_once_there_is_room() {
    let scratch = Scratch::new();
    let session = scratch.session();
    let server = Server::start(&session, &seed(&scratch, &session).await, "own").await.unwrap();
    let shim = watched(&server, &session).await;

    shim.arm(&"pg.target:write.1+".parse().unwrap(), "pg_wal/xlogtemp", FileAct::Full).unwrap();
    let mut open = PgConnection::connect_with(&seeded(&server, &session)).await.unwrap();
    sqlx::raw_sql("insert into t values (2)").execute(&mut open).await.unwrap(); // there is room for that
    let much = "insert into t select generate_series(3, 100000)";
    sqlx::raw_sql(much).execute(&mut open).await.unwrap_err();
    sqlx::raw_sql("select 1").execute(&mut open).await.unwrap_err();
    assert!(shim.struck().unwrap().is_some_and(|what| what.contains("pg_wal/xlogtemp")), "{:?}", shim.struck());

    shim.disarm().unwrap();
    server.crash().await.unwrap();
    server.resume().await.unwrap();
    assert_eq!(text(seeded(&server, &session), ROWS).await, "1,2");
    execute(seeded(&server, &session), much).await;
}
