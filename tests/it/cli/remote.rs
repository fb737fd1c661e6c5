//! `--pg URL`: a server that is not ours.

use super::scratch::{STUCK, Scratch};
use crate::postgres_server::Server;
use rstest::rstest;

/// Never accepts.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("postgres://ada:keep-me-out@127.0.0.1:{port}/shop?connect_timeout=1"))
}

#[tokio::test]
async fn a_run_on_somebodys_server_says_the_same_as_one_on_ours() {
    let (server, scratch) = (Server::shared(), Scratch::with("stuck", STUCK));
    let dsn = server.create_database().await;
    let url = format!("postgres://postgres:keep-me-out@/{}?host={}", dsn.database(), dsn.host());
    let said = scratch.rehearse(&["run", "--pg", &url]);
    said.has(1, "STUCK");
    let outcome = |said: &super::Said| said.stdout.lines().find(|line| line.contains("outcome")).map(str::to_owned);
    assert_eq!(outcome(&scratch.rehearse(&["run", "--pg", "local"])), outcome(&said));
    scratch.keeps_out("keep-me-out");
    scratch
        .rehearse(&["run", "--pg", &url, "--keep", "all"])
        .has(64, "nothing is left in a container or on somebody's server");
    scratch.rehearse(&["list", "--pg", &url]).has(0, "appends to what is there");
}

#[rstest]
#[case::production("postgres://ada:keep-me-out@db.example/shop-prod", "is named like production (`prod`)")]
#[case::nobody_listens("postgres://ada:keep-me-out@127.0.0.1:1/shop", "nobody listens there")]
#[case::no_url("postgres://ada:keep-me-out@db.example:x/shop", "port of a database URL is not a number")]
#[case::certificates("postgres://ada:keep-me-out@db.example/shop?sslmode=verify-full", "checks no certificate")]
#[case::no_socket("postgres://ada:keep-me-out@/shop?host=/nonexistent", "there is no such socket")]
#[case::variable("env:NO_SUCH_VARIABLE", "variable NO_SUCH_VARIABLE is not set")]
fn an_address_that_cannot_be_used_is_one_clear_error(#[case] url: &str, #[case] expected: &str) {
    let said = Scratch::with("stuck", STUCK).rehearse(&["run", "--pg", url]);
    said.has(2, expected);
    assert!(!format!("{said:?}").contains("keep-me-out"), "{said:?}");
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let (_listener, url) = silent();
    let said = Scratch::with("stuck", STUCK).rehearse(&["run", "--pg", &url]);
    said.has(2, "does not answer within 1 s: is the address right, and the server up?");
    said.has(2, "INCONCLUSIVE");
}

#[test]
fn the_variable_names_a_server_too_and_an_argument_wins() {
    let mut scratch = Scratch::with("stuck", STUCK);
    scratch.env.insert("REHEARSE_PG_URL".into(), "postgres://ada@127.0.0.1:1/shop".into());
    scratch.rehearse(&["run"]).has(2, "nobody listens there");
    scratch.rehearse(&["list", "--pg", "local"]).has(0, "appends to what is there");
    scratch.rehearse(&["run", "--pg", "elsewhere"]).has(64, "there is no provider `elsewhere`");
}
