//! What counts as a point, and how it is called.

use super::client::{Client, bind, close_statement, execute, extended, frame, parse, query, sync};
use super::server::{Case, psql};

/// Fails when it is executed, not before.
const FAILS: &str = "do $$ begin raise 'no'; end $$";

/// What one connection's frames, sent in one go each, leave in the trace and answer.
async fn check(sent: &[Vec<u8>], tags: &[&str], trace: &[&str]) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    assert_eq!(case.trace(), [format!("1 conn database {}, role tool", case.database)]);
    let mut answers = Vec::new();
    for bytes in sent {
        answers.push(client.ask(bytes).await);
    }
    let seen: Vec<_> = case.trace().iter().map(|line| line[2..].to_owned()).collect();
    assert_eq!(answers, tags);
    assert_eq!(seen, trace);
}

#[tokio::test]
async fn a_simple_query_is_a_statement_an_ack_and_a_commit() {
    check(&[query("select 1")], &["TDCZ"], &["stmt select ?", "ack select ?", "commit select ?"]).await;
}

#[tokio::test]
async fn an_explicit_transaction_is_one_commit() {
    let sent = [query("begin"), query("insert into t values (1, 'a')"), query("commit")];
    let trace = ["stmt begin", "ack begin", "stmt insert into t values (?)", "ack insert into t values (?)"];
    check(&sent, &["CZ", "CZ", "CZ"], &[&trace[..], &["stmt commit", "ack commit", "commit commit"]].concat()).await;
}

#[tokio::test]
async fn a_query_of_several_statements_is_one_statement_and_several_acks() {
    let text = "begin; insert into t values (1); insert into t values (2); commit";
    let name = "begin; insert into t values (?); insert into t values (?); commit";
    let [stmt, ack, commit] = ["stmt", "ack", "commit"].map(|axis| format!("{axis} {name}"));
    check(&[query(text)], &["CCCCZ"], &[&*stmt, &ack, &ack, &ack, &ack, &commit]).await;
}

#[tokio::test]
async fn an_error_ends_a_transaction_and_acknowledges_nothing() {
    check(&[query(FAILS)], &["EZ"], &["stmt do ?", "commit do ?"]).await;
}

#[tokio::test]
async fn an_empty_query_is_a_statement_and_nothing_more() {
    check(&[query(" ; ")], &["IZ"], &["stmt "]).await;
}

#[tokio::test]
async fn preparing_alone_is_nothing_and_executing_carries_the_text() {
    let prepare = [parse("s", "insert into t values (1, 'x')"), sync()].concat();
    let run = [bind("p", "s"), execute("p", 0), sync()].concat();
    let again = [bind("", "s"), execute("", 0), sync()].concat();
    let name = "insert into t values (?)";
    let [stmt, ack, commit] = ["stmt", "ack", "commit"].map(|axis| format!("{axis} {name}"));
    check(&[prepare, run, again], &["1Z", "2CZ", "2CZ"], &[&*stmt, &ack, &commit, &stmt, &ack, &commit]).await;
}

#[tokio::test]
async fn pipelined_executes_are_a_statement_each_and_one_commit() {
    let sent = [extended("insert into t values (1)"), extended("select 2"), extended("select 3 as c"), sync()].concat();
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    assert_eq!(client.ask(&sent).await, "12C12DC12DCZ");
    let (stmts, rest): (Vec<_>, Vec<_>) = case.trace().into_iter().skip(1).partition(|line| line.contains("stmt"));
    assert_eq!(stmts, ["1 stmt insert into t values (?)", "1 stmt select ?", "1 stmt select ? as c"]);
    let acks = ["1 ack insert into t values (?)", "1 ack select ?", "1 ack select ? as c", "1 commit select ? as c"];
    assert_eq!(rest, acks);
}

#[tokio::test]
async fn what_the_server_skips_after_an_error_is_not_acknowledged_and_the_next_answers_are_in_step() {
    let failing = [extended(FAILS), extended("select 2"), sync()].concat();
    let [stmts, next] = [["stmt do ?", "stmt select ?"], ["stmt select a from t", "ack select a from t"]];
    let trace = [&stmts[..], &["commit do ?"], &next, &["commit select a from t"]].concat();
    check(&[failing, query("select a from t")], &["12EZ", "TCZ"], &trace).await;
}

#[tokio::test]
async fn a_name_keeps_its_meaning_when_its_new_definition_failed() {
    let define = [parse("s", "select a from t"), sync()].concat();
    let redefine = [parse("s", "select b from t"), sync()].concat();
    let skipped = [parse("x", "nonsense"), close_statement("s"), parse("s", "select b from t"), sync()].concat();
    let run = [bind("", "s"), execute("", 0), sync()].concat();
    let trace = ["stmt select a from t", "ack select a from t", "commit select a from t"];
    check(&[define, redefine, skipped, run], &["1Z", "EZ", "EZ", "2CZ"], &trace).await;
}

#[tokio::test]
async fn what_is_sent_after_an_error_was_answered_is_skipped_up_to_the_sync() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    client.ask(&[parse("s", "select a from t"), sync()].concat()).await;
    client.send(&[extended(FAILS), frame(b'H', b"")].concat()).await;
    assert_eq!(client.until(b'E').await.unwrap(), "12E");
    let skipped = [close_statement("s"), parse("s", "select b from t"), query("select b from t"), sync()].concat();
    assert_eq!(client.ask(&skipped).await, "Z");
    case.trace();
    assert_eq!(client.ask(&[bind("", "s"), execute("", 0), sync()].concat()).await, "2CZ");
    assert_eq!(case.trace(), ["1 stmt select a from t", "1 ack select a from t", "1 commit select a from t"]);
}

#[tokio::test]
async fn a_portal_that_is_resumed_is_one_statement_and_one_ack() {
    let begin = [parse("", "select generate_series(1, 3)"), bind("p", ""), execute("p", 2), execute("p", 2), sync()];
    let name = "select generate_series(?)";
    let [stmt, ack, commit] = ["stmt", "ack", "commit"].map(|axis| format!("{axis} {name}"));
    check(&[begin.concat()], &["12DDsDCZ"], &[&*stmt, &ack, &commit]).await;
}

#[tokio::test]
async fn a_sync_inside_copy_data_is_ignored_as_the_server_ignores_it() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    client.send(&[extended("copy t from stdin"), sync()].concat()).await;
    assert_eq!(client.until(b'G').await.unwrap(), "12G");
    let rest = [frame(b'd', b"1\tx\n"), sync(), frame(b'c', b""), sync(), query("select a from t")].concat();
    client.send(&rest).await;
    assert_eq!(client.until(b'Z').await.unwrap(), "CZ");
    assert_eq!(client.until(b'Z').await.unwrap(), "TDCZ");
    let mut acks = case.trace();
    acks.retain(|line| !line.contains("stmt"));
    let copied = ["1 ack copy t from stdin", "1 commit copy t from stdin"];
    assert_eq!(acks[1..], [&copied[..], &["1 ack select a from t", "1 commit select a from t"]].concat());
}

#[tokio::test]
async fn copy_in_and_out_are_a_statement_each_whatever_their_size() {
    let case = Case::with_table().await;
    let rows = "1\tx\n".repeat(50_000);
    let said = psql(&case, true, &format!("copy t from stdin;\n{rows}\\.\n\\copy t to '/dev/null'\n")).await;
    assert_eq!((said.code, &*said.output), (Some(0), "COPY 50000\nCOPY 50000\n"), "{}", said.errors);
    let trace = case.trace();
    let one = |name: &str| ["stmt", "ack", "commit"].map(|axis| format!("1 {axis} {name}"));
    assert_eq!(trace[1..4], one("copy t from stdin"));
    assert_eq!(trace[4..7], one("COPY t TO STDOUT"));
}

#[tokio::test]
async fn a_comment_in_front_names_the_points_and_connections_are_numbered() {
    let case = Case::new().await;
    let (mut a, mut b) = (Client::open(&case).await, Client::open(&case).await);
    case.trace();
    b.ask(&query("/* copy users 1/3 */ select 'secret'")).await;
    a.ask(&query("-- the end\nselect 1")).await;
    let of = |conn: u32, name: &str| ["stmt", "ack", "commit"].map(|axis| format!("{conn} {axis} {name}"));
    assert_eq!(case.trace(), [of(2, "copy users 1/3"), of(1, "the end")].concat());
}

#[tokio::test]
async fn the_points_of_one_statement_share_a_fingerprint_whatever_its_values() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    case.trace();
    client.ask(&query("insert into t values (1, 'a')")).await;
    client.ask(&query("insert into t values (-2, 'it''s'), (3, E'\\'')")).await;
    let mut prints: Vec<_> = case.proxy.take_trace().points.iter().map(|point| point.fingerprint.unwrap()).collect();
    assert_eq!(prints.len(), 6);
    prints.dedup();
    assert_eq!(prints.len(), 1);
}
