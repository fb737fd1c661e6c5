//! What a client does not notice of the proxy, and what it does.

use super::client::{Client, packet, query};
use super::server::{Case, DEADLINE, psql};
use futures_util::TryStreamExt;
use proptest::prelude::*;
use rehearsal::engine::proxy::Act;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SCRIPT: &str = r"
\set VERBOSITY verbose
select 1, 'é', null, repeat('x', 100000);
create table t (a int primary key, b text);
insert into t select g, repeat('y', g % 50) from generate_series(1, 20000) g;
insert into t values (1, 'twice');
begin; insert into t values (0, 'gone'); select 1/0; select 'skipped'; rollback;
do $$ begin raise notice 'hear ye'; raise warning 'twice'; end $$;
copy t from stdin;
-1	from the client
-2	\N
\.
copy t from stdin;
nonsense
\.
\copy (select * from t order by a) to pstdout
listen news; notify news, 'hello';
prepare p as select count(*) from t where a > $1; execute p(10);
select nonsense;
select current_user, current_database() like 'case%', inet_server_addr();
\; select 1 \; select 2;
";

#[tokio::test]
async fn psql_says_the_same_with_and_without_the_proxy() {
    let (direct, proxied) = (Case::new().await, Case::new().await);
    let expected = psql(&direct, false, SCRIPT).await;
    let said = psql(&proxied, true, SCRIPT).await;
    // Backends have numbers of their own.
    let masked = |text: &str| text.split("server process with PID").next().unwrap_or_default().to_owned();
    assert!(expected.output.len() > 500_000 && expected.errors.contains("division by zero"));
    assert_eq!(masked(&said.output), masked(&expected.output));
    assert_eq!((said.code, said.errors), (expected.code, expected.errors));
}

#[tokio::test]
async fn sqlx_prepares_rolls_back_and_copies_both_ways() {
    let case = Case::with_table().await;
    let mut connection = case.connect().await;
    let insert = sqlx::query("insert into t values ($1, $2)").bind(1).bind("one");
    assert_eq!(insert.execute(&mut connection).await.unwrap().rows_affected(), 1);
    let mut lost = connection.begin().await.unwrap();
    lost.execute("delete from t").await.unwrap();
    lost.rollback().await.unwrap();
    let mut copy = connection.copy_in_raw("copy t from stdin").await.unwrap();
    copy.send(&b"2\ttwo\n3\tthree\n"[..]).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    let error = sqlx::query("insert into t values ('x'::text::int)").execute(&mut connection).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "22P02");
    let out: Vec<_> = connection.copy_out_raw("copy t to stdout").await.unwrap().try_collect().await.unwrap();
    assert_eq!(out.concat(), b"1\tone\n2\ttwo\n3\tthree\n");
}

#[tokio::test]
async fn two_connections_wait_for_each_other_as_they_should() {
    let case = Case::with_table().await;
    let (mut a, mut b) = (case.connect().await, case.connect().await);
    let mut transaction = a.begin().await.unwrap();
    transaction.execute("lock table t").await.unwrap();
    let waits = tokio::spawn(async move { b.execute("insert into t values (1, 'b')").await.map(|_| b) });
    case.until(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
        1,
    )
    .await;
    assert!(!waits.is_finished());
    transaction.commit().await.unwrap();
    waits.await.unwrap().unwrap();
    assert_eq!(case.number("select count(*) from t").await, 1);
}

#[tokio::test]
async fn a_password_is_checked_by_the_server() {
    let case = Case::new().await;
    let secret = case.options().username("secret");
    let mut connection = secret.clone().password("open sesame").connect().await.unwrap();
    assert_eq!(sqlx::query("select 7").fetch_one(&mut connection).await.unwrap().get::<i32, _>(0), 7);
    let refused = PgConnection::connect_with(&secret.password("open barley")).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "28P01");
    assert!(!format!("{:?}", case.proxy.take_trace()).contains("open "));
}

#[tokio::test]
async fn a_cancel_request_reaches_its_statement_and_is_no_connection() {
    let case = Case::new().await;
    let mut client = Client::open(&case).await;
    client.send(&query("select pg_sleep(600)")).await;
    case.until(
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
        1,
    )
    .await;
    let mut canceller = TcpStream::connect(("127.0.0.1", case.proxy.port())).await.unwrap();
    canceller.write_all(&packet(80_877_102, &client.key)).await.unwrap();
    assert_eq!(canceller.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert!(client.until(b'Z').await.unwrap().ends_with("EZ"));
    assert_eq!(case.trace().iter().filter(|line| line.contains("conn")).count(), 1);
}

#[tokio::test]
async fn a_client_that_has_finished_writing_still_gets_its_answers() {
    let case = Case::new().await;
    let mut client = Client::open(&case).await;
    client.send(&query("select generate_series(1, 100000)")).await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.until(b'Z').await.unwrap().len(), 100_003);
    assert!(client.frame().await.is_err());
    case.until_no_backend().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_server_and_not_the_others() {
    let case = Case::new().await;
    let mut lazy = Client::open(&case).await;
    lazy.send(&query("select repeat('x', 1000) from generate_series(1, 100000)")).await;
    case.until(
        "select count(*) from pg_stat_activity where wait_event = 'ClientWrite' and datname = current_database()",
        1,
    )
    .await;
    assert_eq!(Client::open(&case).await.ask(&query("select 1")).await, "TDCZ");
    assert_eq!(lazy.until(b'Z').await.unwrap().len(), 100_003);
}

#[tokio::test]
async fn the_forbidden_role_is_refused_by_name_and_does_not_count() {
    let case = Case::new().await;
    let refused = Client::open_as(&case, "postgres").await.err().unwrap().to_string();
    assert!(refused.contains("28000") && refused.contains(r#"role "postgres""#), "{refused}");
    assert_eq!(case.trace(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_in_the_protocol() {
    let mut case = Case::new().await;
    let nowhere = std::path::PathBuf::from("/nonexistent/.s.PGSQL.5432");
    case.proxy = rehearsal::engine::proxy::Proxy::start("pg.target", nowhere, Default::default()).await.unwrap();
    let refused = Client::open_as(&case, "postgres").await.err().unwrap().to_string();
    assert!(refused.contains("57P03"), "{refused}");
}

/// Bytes that often look like the beginning of a packet or a frame.
fn nonsense() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..30),
        (any::<u8>(), 0_u32..20, proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(tag, length, body)| [
            &[tag],
            &length.to_be_bytes()[..],
            &body
        ]
        .concat()),
        "[QPBEDCSFcfdHX]".prop_map(|tag| super::client::frame(tag.as_bytes()[0], b"")),
        "[QPBEDCSFcf]".prop_map(|tag| super::client::frame(tag.as_bytes()[0], b"S\0\0select 1")),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// What may be armed while nonsense is sent: nothing, or anything that does not end with the harness.
fn armed() -> impl Strategy<Value = Option<(&'static str, Act)>> {
    let place = proptest::sample::select(vec!["conn.1+", "stmt.1+", "ack.1+", "commit.1+", "copyin.1+", "byte.3"]);
    let acts = vec![
        Act::Reset,
        Act::Close,
        Act::HalfClose,
        Act::LoseAnswer,
        Act::Orphan,
        Act::Slow(Duration::from_micros(50)),
        Act::Stall(Some(Duration::from_micros(50))),
        Act::Raise("40001".parse().unwrap()),
        Act::Raise("57P01".parse().unwrap()),
    ];
    proptest::option::of((place, proptest::sample::select(acts)))
}

#[test]
fn any_bytes_cost_their_sender_its_connection_at_most_whatever_is_armed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let case = runtime.block_on(Case::new());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(250));
    let strategy = (nonsense(), any::<bool>(), armed());
    let done = runner.run(&strategy, |(bytes, opened, armed)| {
        let exchange = async {
            let mut stream = match opened {
                true => Client::open(&case).await.stream,
                false => TcpStream::connect(("127.0.0.1", case.proxy.port())).await.unwrap(),
            };
            let _armed = armed.map(|(place, act)| case.arm(place, act));
            // Being thrown out early is fine.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            case.proxy.disarm();
            Client::open(&case).await.ask(&query("select 1")).await
        };
        let answer = runtime.block_on(async { tokio::time::timeout(DEADLINE, exchange).await });
        prop_assert_eq!(answer.ok(), Some("TDCZ".to_owned()));
        Ok(())
    });
    done.unwrap();
    runtime.block_on(case.until_no_backend());
}
