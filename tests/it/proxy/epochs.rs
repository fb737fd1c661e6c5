//! Durable states: the server's log says which transactions left something.

use super::client::{Client, query};
use super::server::{Case, DEADLINE};
use rehearsal::engine::proxy::{Act, Epochs};

const INSERT: &str = "insert into t values (1, 'a')";

async fn watched() -> (Case, Client) {
    let case = Case::with_table().await;
    case.proxy.watch_epochs(Epochs::default());
    let client = Client::open(&case).await;
    case.trace();
    (case, client)
}

#[tokio::test]
async fn a_transaction_that_leaves_something_ends_a_state_under_the_name_of_its_last_statement() {
    let (case, mut client) = watched().await;
    client.ask(&query(INSERT)).await;
    assert_eq!(case.trace().last().unwrap(), "1 epoch insert into t values (?)");
    for sql in ["begin", INSERT, "commit"] {
        client.ask(&query(sql)).await;
    }
    assert_eq!(case.trace()[5..], ["1 ack commit", "1 commit commit", "1 epoch commit"]);
}

#[tokio::test]
async fn one_that_only_reads_ends_none() {
    let (case, mut client) = watched().await;
    client.ask(&query("select a from t")).await;
    // The server is that of all tests here, and others write to its log: there is a moment in which none does.
    let quiet = async {
        loop {
            case.trace();
            client.ask(&query("select a from t")).await;
            if case.trace() == ["stmt", "ack", "commit"].map(|axis| format!("1 {axis} select a from t")) {
                break;
            }
        }
    };
    assert!(tokio::time::timeout(DEADLINE, quiet).await.is_ok(), "reading seems to write");
}

#[tokio::test]
async fn nobody_looks_unless_it_is_asked_for() {
    let case = Case::with_table().await;
    Client::open(&case).await.ask(&query(INSERT)).await;
    assert!(!case.trace().iter().any(|line| line.contains("epoch")));
}

#[tokio::test]
async fn the_end_of_a_state_is_struck_when_it_is_reached() {
    let (case, mut client) = watched().await;
    client.ask(&query(INSERT)).await;
    let points = case.proxy.take_trace().points;
    let fingerprint = points.last().unwrap().fingerprint.unwrap();
    let mut armed = case.arm(&format!("epoch-{fingerprint}.1"), Act::Reset);
    client.send(&query(INSERT)).await;
    assert!(client.until(b'Z').await.is_err());
    tokio::time::timeout(DEADLINE, armed.fired()).await.unwrap();
    assert_eq!(case.number("select count(*) from t").await, 2);
}
