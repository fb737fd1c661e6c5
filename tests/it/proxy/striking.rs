//! What a strike does, and what the server has done then.

use super::client::{Client, query};
use super::server::{Case, DEADLINE};
use rehearsal::engine::proxy::{Act, Armed, Fired};
use rstest::rstest;
use std::io::ErrorKind;

const INSERT: &str = "insert into t values (1, 'a')";

async fn fired(armed: &mut Armed) -> Fired {
    tokio::time::timeout(DEADLINE, armed.fired()).await.expect("the strike did not happen")
}

#[rstest]
#[case("stmt.1", INSERT, 0)]
#[case("ack.1", INSERT, 1)]
#[case("commit.1", INSERT, 1)]
#[case("stmt.3", "", 0)]
#[case("ack.2", "", 0)]
#[case("ack.3", "", 1)]
#[case("commit.1", "", 1)]
#[tokio::test]
async fn a_held_point_leaves_the_server_where_the_address_says(
    #[case] place: &str,
    #[case] sql: &'static str,
    #[case] rows: i64,
) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::Hold);
    let sent = tokio::spawn(async move {
        let queries: &[&str] = if sql.is_empty() { &["begin", INSERT, "commit"] } else { &[sql] };
        for sql in queries {
            client.send(&query(sql)).await;
            client.until(b'Z').await?;
        }
        std::io::Result::Ok(())
    });
    let fired = fired(&mut armed).await;
    assert_eq!(fired.place.to_string(), format!("pg.target:{place}"));
    assert!(armed.has_fired() && !sent.is_finished());
    case.proxy.sever().await;
    assert!(sent.await.unwrap().is_err());
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, rows);
}

#[tokio::test]
async fn a_held_connection_has_not_reached_the_server() {
    let case = Case::new().await;
    let mut armed = case.arm("conn.2", Act::Hold);
    let _first = Client::open(&case).await;
    assert!(!armed.has_fired());
    let _second = Client::start(&case, "tool").await.unwrap();
    let fired = fired(&mut armed).await;
    assert_eq!((fired.conn, fired.nth, fired.index), (2, 2, 1));
    let backends = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'tool'";
    assert_eq!(case.number(backends).await, 1);
}

#[tokio::test]
async fn a_hold_freezes_the_other_connections_and_disarming_lets_everything_flow() {
    let case = Case::with_table().await;
    let (mut a, mut b) = (Client::open(&case).await, Client::open(&case).await);
    let mut armed = case.arm("stmt.1", Act::Hold);
    a.send(&query(INSERT)).await;
    fired(&mut armed).await;
    b.send(&query("insert into t values (2, 'b')")).await;
    case.until_traced("2 stmt insert into t values (?)").await;
    assert_eq!(case.number("select count(*) from t").await, 0);
    case.proxy.disarm();
    assert_eq!(a.until(b'Z').await.unwrap(), "CZ");
    assert_eq!(b.until(b'Z').await.unwrap(), "CZ");
    assert_eq!(case.number("select count(*) from t").await, 2);
}

#[tokio::test]
async fn a_frozen_proxy_forwards_nothing_until_it_is_healed() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    case.proxy.freeze();
    client.send(&query(INSERT)).await;
    case.until_traced("1 stmt insert into t values (?)").await;
    assert_eq!(case.number("select count(*) from t").await, 0);
    case.proxy.disarm();
    assert_eq!(client.until(b'Z').await.unwrap(), "CZ");
}

#[tokio::test]
async fn who_is_given_up_hears_nothing_more_and_learns_it_when_the_proxy_is_healed() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    case.proxy.freeze();
    let of_tool = "from pg_stat_activity where usename = 'tool' and datname = current_database()";
    case.admin(&format!("select pg_terminate_backend(pid) {of_tool}")).await;
    case.until_no_backend().await;
    case.proxy.give_up();
    let (mut later, ()) = tokio::join!(Client::open(&case), async { case.proxy.disarm() });
    assert_eq!(client.frame().await.unwrap_err().kind(), ErrorKind::UnexpectedEof, "not even what ended it");
    assert_eq!(later.ask(&query(INSERT)).await, "CZ");
}

#[rstest]
#[case("stmt.1", 0)]
#[case("ack.1", 1)]
#[case("commit.1", 1)]
#[tokio::test]
async fn a_reset_is_seen_as_such_and_the_next_connection_works(#[case] place: &str, #[case] rows: i64) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::Reset);
    client.send(&query(INSERT)).await;
    let error = client.until(b'Z').await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(&*fired(&mut armed).await.what, "insert into t values (?)");
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, rows);
    assert_eq!(Client::open(&case).await.ask(&query(INSERT)).await, "CZ");
}

#[tokio::test]
async fn a_reset_of_one_connection_leaves_the_others() {
    let case = Case::with_table().await;
    let (mut a, mut b) = (Client::open(&case).await, Client::open(&case).await);
    let _armed = case.arm("stmt.1", Act::Reset);
    a.send(&query(INSERT)).await;
    assert!(a.until(b'Z').await.is_err());
    assert_eq!(b.ask(&query(INSERT)).await, "CZ");
}

#[tokio::test]
async fn connections_reset_for_ever_come_back_when_the_proxy_is_disarmed() {
    let case = Case::new().await;
    let mut armed = case.arm("conn.1+", Act::Reset);
    for nth in 1..4 {
        let refused = Client::open_as(&case, "tool").await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ConnectionReset);
        assert_eq!(fired(&mut armed).await.nth, nth);
    }
    case.proxy.disarm();
    Client::open(&case).await;
}

#[tokio::test]
async fn a_fingerprint_strikes_its_own_statement_on_whichever_connection() {
    let case = Case::with_table().await;
    let (mut a, mut b) = (Client::open(&case).await, Client::open(&case).await);
    a.ask(&query(INSERT)).await;
    let points = case.proxy.take_trace().points;
    let print = points.last().unwrap().fingerprint.unwrap();
    let mut armed = case.arm(&format!("stmt-{print}.2"), Act::Reset);
    a.ask(&query("insert into t values (7, 'other')")).await;
    a.ask(&query("select a from t")).await;
    b.send(&query("insert into t values (8, null)")).await;
    b.until(b'Z').await.unwrap();
    b.send(&query(INSERT)).await;
    assert!(b.until(b'Z').await.is_err());
    assert_eq!(fired(&mut armed).await.conn, 2);
}

#[tokio::test]
async fn severing_and_dropping_leave_no_backend() {
    let case = Case::new().await;
    let (mut a, b) = (Client::open(&case).await, Client::open(&case).await);
    drop(b);
    case.until("select count(*) from pg_stat_activity where usename = 'tool' and datname = current_database()", 1)
        .await;
    case.proxy.sever().await;
    assert!(a.frame().await.is_err());
    case.until_no_backend().await;
    let mut c = Client::open(&case).await;
    let Case { proxy, database } = case;
    drop(proxy);
    assert!(c.frame().await.is_err());
    let case = Case { database, ..Case::new().await };
    case.until_no_backend().await;
}
