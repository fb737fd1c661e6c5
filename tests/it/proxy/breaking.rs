//! Connections that break in other ways than by a reset, and data that is counted in bulk.

use super::client::{Client, extended, frame, query, sync};
use super::server::{Case, DEADLINE, psql};
use rehearsal::clock::Stopwatch;
use rehearsal::engine::proxy::{Act, Armed, Fired};
use rehearsal::model::Axis;
use rstest::rstest;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncReadExt;

const INSERT: &str = "insert into t values (1, 'a')";

async fn fired(armed: &mut Armed) -> Fired {
    tokio::time::timeout(DEADLINE, armed.fired()).await.expect("the strike did not happen")
}

#[rstest]
#[case("stmt.1", 0)]
#[case("ack.1", 1)]
#[case("commit.1", 1)]
#[tokio::test]
async fn a_close_is_an_orderly_end(#[case] place: &str, #[case] rows: i64) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::Close);
    client.send(&query(INSERT)).await;
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).await.unwrap();
    fired(&mut armed).await;
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, rows);
    assert_eq!(Client::open(&case).await.ask(&query(INSERT)).await, "CZ");
}

#[rstest]
#[case("stmt.1")]
#[case("ack.1")]
#[case("commit.1")]
#[tokio::test]
async fn after_a_half_close_the_server_still_hears_the_client(#[case] place: &str) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::HalfClose);
    client.send(&query(INSERT)).await;
    client.stream.read_to_end(&mut Vec::new()).await.unwrap();
    fired(&mut armed).await;
    client.send(&query(INSERT)).await;
    case.until("select count(*) from t", 2).await;
    drop(client);
    case.until_no_backend().await;
}

#[rstest]
#[case("ack.1", &query(INSERT))]
#[case("commit.1", &query(INSERT))]
#[case("ack.1", &[extended(INSERT), sync()].concat())]
#[case("commit.1", &[extended(INSERT), sync()].concat())]
#[tokio::test]
async fn of_a_lost_answer_nothing_is_seen_and_everything_is_done(#[case] place: &str, #[case] sent: &[u8]) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::LoseAnswer);
    client.send(sent).await;
    let mut tags = String::new();
    let error = loop {
        match client.frame().await {
            Ok((tag, _)) => tags.push(tag as char),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(!tags.contains(['C', 'Z']), "{tags}");
    fired(&mut armed).await;
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, 1);
}

#[tokio::test]
async fn answers_to_other_transactions_are_not_held_back_for_one_that_is_lost() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm("commit.3", Act::LoseAnswer);
    assert_eq!(client.ask(&query("begin")).await, "CZ");
    assert_eq!(client.ask(&query(INSERT)).await, "CZ");
    assert_eq!(client.ask(&query("commit")).await, "CZ");
    assert_eq!(client.ask(&query(&format!("{INSERT}; {INSERT}"))).await, "CCZ");
    client.send(&query(INSERT)).await;
    assert!(client.until(b'C').await.is_err());
    fired(&mut armed).await;
    assert_eq!(case.number("select count(*) from t").await, 4);
}

#[rstest]
#[case(&query("insert into t select 1, pg_sleep(0.2)::text"))]
#[case(&extended("insert into t select 1, pg_sleep(0.2)::text"))]
#[tokio::test]
async fn an_orphan_is_finished_by_the_server(#[case] sent: &[u8]) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm("stmt.1", Act::Orphan);
    client.send(sent).await;
    fired(&mut armed).await;
    assert_eq!(client.until(b'Z').await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    // Also when the proxy lets go of it.
    case.proxy.sever().await;
    case.until("select count(*) from t", 1).await;
    case.until_no_backend().await;
}

#[tokio::test]
async fn an_orphan_in_a_transaction_is_rolled_back() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    client.ask(&query("begin")).await;
    let _armed = case.arm("stmt.1", Act::Orphan);
    client.send(&query(INSERT)).await;
    assert!(client.until(b'Z').await.is_err());
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, 0);
}

#[rstest]
#[case("conn.1")]
#[case("stmt.1")]
#[case("ack.1")]
#[case("commit.1")]
#[tokio::test]
async fn a_stall_ends_and_nothing_is_lost(#[case] place: &str) {
    let case = Case::with_table().await;
    let time = Duration::from_millis(30);
    let armed = case.arm(place, Act::Stall(Some(time)));
    let began = Stopwatch::start();
    assert_eq!(Client::open(&case).await.ask(&query(INSERT)).await, "CZ");
    assert!(armed.has_fired() && began.elapsed() >= time);
}

#[tokio::test]
async fn a_stall_for_good_is_of_one_connection_and_ends_with_the_severing() {
    let case = Case::with_table().await;
    let (mut a, mut b) = (Client::open(&case).await, Client::open(&case).await);
    let mut armed = case.arm("stmt.1", Act::Stall(None));
    a.send(&query(INSERT)).await;
    fired(&mut armed).await;
    assert_eq!(b.ask(&query(INSERT)).await, "CZ");
    case.proxy.sever().await;
    assert!(a.until(b'Z').await.is_err());
    assert_eq!(case.number("select count(*) from t").await, 1);
}

#[tokio::test]
async fn a_slow_line_is_slow_from_the_point_on_and_loses_nothing() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let delay = Duration::from_millis(10);
    let armed = case.arm("stmt.1", Act::Slow(delay));
    let began = Stopwatch::start();
    for _ in 0..3 {
        assert_eq!(client.ask(&query(INSERT)).await, "CZ");
    }
    assert!(armed.has_fired() && began.elapsed() >= delay * 6, "{:?}", began.elapsed());
}

#[tokio::test]
async fn copied_rows_are_counted_by_the_statement_that_copies_them_and_not_listed() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    case.trace();
    client.send(&query("copy t from stdin")).await;
    client.until(b'G').await.unwrap();
    let rows: Vec<u8> = (0..50_000).flat_map(|row| frame(b'd', format!("{row}\tx\n").as_bytes())).collect();
    client.send(&rows).await;
    assert_eq!(client.ask(&frame(b'c', b"")).await, "CZ");
    assert_eq!(client.ask(&query("copy t to stdout")).await.len(), 50_000 + 4);
    let trace = case.proxy.take_trace();
    assert_eq!(trace.points.len(), 6);
    let times = |axis| -> Vec<(u64, &str)> {
        let counts = trace.counts.iter().filter(|((of, _), _)| *of == axis);
        counts.map(|(_, tally)| (tally.times, &*tally.label)).collect()
    };
    assert_eq!(times(Axis::Copyin), [(50_000, "copy t from stdin")]);
    assert_eq!(times(Axis::Copyout), [(50_000, "copy t to stdout")]);
    let all: u64 = times(Axis::Byte).iter().map(|(bytes, _)| bytes).sum();
    let sent = rows.len() + query("copy t from stdin").len() + 5 + query("copy t to stdout").len();
    assert_eq!(all, sent as u64);
}

#[rstest]
#[case("copyin.1", 0)]
#[case("copyin.777", 0)]
#[case("copyin.1000", 0)]
#[case("copyout.1", 1000)]
#[case("copyout.1000", 1000)]
#[tokio::test]
async fn a_message_inside_a_copy_is_struck(#[case] place: &str, #[case] rows: i64) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::Reset);
    client.send(&query("copy t from stdin")).await;
    client.until(b'G').await.unwrap();
    let data: Vec<u8> = (0..1000).flat_map(|row| frame(b'd', format!("{row}\tx\n").as_bytes())).collect();
    client.send(&[data, frame(b'c', b""), query("copy t to stdout")].concat()).await;
    while client.frame().await.is_ok() {}
    let nth: u32 = place.rsplit('.').next().unwrap().parse().unwrap();
    assert_eq!(fired(&mut armed).await.nth, nth);
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, rows);
}

#[rstest]
#[case("byte.1")]
#[case("byte.7")]
#[case("byte.35")]
#[tokio::test]
async fn a_byte_is_struck_inside_its_message_and_the_server_sees_no_statement(#[case] place: &str) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm(place, Act::Reset);
    client.send(&query(INSERT)).await;
    assert!(client.until(b'Z').await.is_err());
    let struck = fired(&mut armed).await;
    assert_eq!(format!("byte.{}", struck.nth), place);
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, 0);
}

#[tokio::test]
async fn the_answers_after_a_copy_that_failed_early_are_in_step() {
    let case = Case::with_table().await;
    let script = "copy t from stdin;\nnonsense\n1\tx\n\\.\ninsert into t values (1);\nselect a from t;\n";
    psql(&case, true, script).await;
    let acks: Vec<_> = case.trace().into_iter().filter(|line| line.contains(" ack ")).collect();
    assert_eq!(acks, ["1 ack insert into t values (?)", "1 ack select a from t"]);
}

#[tokio::test]
async fn two_runs_of_the_same_messages_leave_equal_traces_however_they_are_cut() {
    let mut traces = Vec::new();
    for cut in [1, 7, 1000] {
        let case = Case::with_table().await;
        let mut client = Client::open(&case).await;
        case.proxy.take_trace();
        let data: Vec<u8> = (0..9).flat_map(|row| frame(b'd', format!("{row}\tx\n").as_bytes())).collect();
        let sent = [query("begin"), query("copy t from stdin"), data, frame(b'c', b""), query("commit")].concat();
        for piece in sent.chunks(cut) {
            client.send(piece).await;
        }
        for _ in 0..3 {
            client.until(b'Z').await.unwrap();
        }
        let mut trace = case.proxy.take_trace();
        // Both directions are counted as they come: each of them in its order.
        trace.points.sort_by_key(|point| point.axis);
        traces.push(trace);
    }
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[0], traces[2]);
}
