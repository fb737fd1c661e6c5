//! Errors that the server is made to raise: which code arrives, in which state the transaction is, and that the
//! connection can be used on.

use super::client::{Client, bind, execute, extended, frame, parse, query, sync};
use super::server::{Case, DEADLINE};
use rehearsal::engine::proxy::Act;
use rstest::rstest;
use std::io;

/// How the struck statement is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Simple,
    Extended,
    Prepared,
    Several,
    CopyIn,
    CopyOut,
    CopyInExtended,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Alone,
    InTransaction,
    AtCommit,
}

/// What a client saw of an exchange: the tags, and the codes of errors.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    tags: String,
    codes: Vec<String>,
    /// The state of the transaction at the end: I, T or E.
    state: char,
}

impl Client {
    async fn see(&mut self) -> io::Result<Seen> {
        let mut seen = Seen::default();
        while !seen.tags.ends_with('Z') {
            let (tag, body) = self.frame().await?;
            seen.tags.push(tag as char);
            match tag {
                b'E' => seen.codes.extend(code(&body)),
                b'Z' => seen.state = body[0] as char,
                _ => {}
            }
        }
        Ok(seen)
    }

    async fn exchange(&mut self, bytes: &[u8]) -> Seen {
        self.send(bytes).await;
        self.see().await.unwrap()
    }
}

fn code(error: &[u8]) -> Option<String> {
    let mut fields = error.split(|byte| *byte == 0).filter_map(|field| field.strip_prefix(b"C"));
    fields.next().map(|code| String::from_utf8_lossy(code).into_owned())
}

const INSERT: &str = "insert into t values (1, 'a')";
const ROWS: &[u8] = b"1\ta\n";

/// The exchange that writes one row, or at [`Place::AtCommit`] that commits it.
fn work(form: Form, sql: &str) -> Vec<u8> {
    let copied = |begin: Vec<u8>| [begin, frame(b'd', ROWS), frame(b'd', b"2\tb\n"), frame(b'c', b"")].concat();
    match form {
        Form::Simple => query(sql),
        Form::Extended => [extended(sql), sync()].concat(),
        Form::Prepared => [parse("s", sql), sync(), bind("p", "s"), execute("p", 0), sync()].concat(),
        Form::Several => query(&format!("{sql}; select 1; select 2")),
        Form::CopyIn => copied(query("copy t from stdin")),
        Form::CopyInExtended => [copied(extended("copy t from stdin")), sync()].concat(),
        Form::CopyOut => query("copy (select generate_series(1, 5)) to stdout"),
    }
}

/// The point that is struck, counted from the arming right before the exchange.
fn point(form: Form) -> &'static str {
    match form {
        Form::CopyIn | Form::CopyInExtended => "copyin.2",
        Form::CopyOut => "copyout.3",
        _ => "stmt.1",
    }
}

async fn exchange(client: &mut Client, form: Form, sql: &str) -> Seen {
    let mut seen = client.exchange(&work(form, sql)).await;
    if form == Form::Prepared {
        seen = client.see().await.unwrap(); // the first ReadyForQuery was that of the Parse
    }
    seen
}

/// Strikes, looks, and does the whole again as a tool that retries would: the second time everything must be as if
/// nothing had been.
#[rstest]
#[tokio::test]
async fn the_code_arrives_the_transaction_is_broken_and_the_connection_can_be_used_on(
    #[values("40001", "40P01", "53100", "55P03", "57014", "23505")] code: &str,
    #[values(
        Form::Simple,
        Form::Extended,
        Form::Prepared,
        Form::Several,
        Form::CopyIn,
        Form::CopyInExtended,
        Form::CopyOut
    )]
    form: Form,
    #[values(Place::Alone, Place::InTransaction, Place::AtCommit)] place: Place,
) {
    let is_copy = matches!(form, Form::CopyIn | Form::CopyInExtended | Form::CopyOut);
    if place == Place::AtCommit && (is_copy || form == Form::Several) {
        return; // a COPY is no COMMIT, and of several statements the COMMIT is one
    }
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    if place != Place::Alone {
        assert_eq!(client.exchange(&query("begin")).await.state, 'T');
    }
    let sql = if place == Place::AtCommit { "commit" } else { INSERT };
    if place == Place::AtCommit {
        client.exchange(&query(INSERT)).await;
    }
    let mut armed = case.arm(point(form), Act::Raise(code.parse().unwrap()));
    let seen = exchange(&mut client, form, sql).await;
    assert_eq!(seen.codes, [code], "{seen:?}");
    assert!(!seen.tags.contains('3'), "what we sent besides is not seen: {}", seen.tags);
    let broken = if place == Place::InTransaction { 'E' } else { 'I' };
    assert_eq!(seen.state, broken, "{seen:?}");
    let fired = tokio::time::timeout(DEADLINE, armed.fired()).await.unwrap();
    assert_eq!(fired.nth, fired.place.nth);
    if place == Place::InTransaction {
        assert_eq!(client.exchange(&query("rollback")).await.state, 'I');
    }
    assert_eq!(case.number("select count(*) from t").await, 0, "nothing of it may be left");
    retry(&mut client, form, place).await;
    let rows = match form {
        Form::CopyIn | Form::CopyInExtended => 2,
        Form::CopyOut => 0,
        _ => 1,
    };
    assert_eq!(case.number("select count(*) from t").await, rows);
}

async fn retry(client: &mut Client, form: Form, place: Place) {
    // What was prepared is there still.
    let form = if form == Form::Prepared { Form::Extended } else { form };
    if place != Place::Alone {
        client.exchange(&query("begin")).await;
    }
    let sql = if place == Place::AtCommit { INSERT } else { "insert into t values (3, 'again')" };
    assert_eq!(exchange(client, form, sql).await.codes, [""; 0]);
    if place != Place::Alone {
        let end = client.exchange(&query("commit")).await;
        assert_eq!((&*end.tags, end.state), ("CZ", 'I'));
    }
}

#[rstest]
#[tokio::test]
async fn a_code_that_ends_the_session_ends_it_for_real(
    #[values("57P01", "57P02", "25P03")] code: &str,
    #[values(Form::Simple, Form::Extended, Form::CopyIn, Form::CopyOut)] form: Form,
    #[values(Place::Alone, Place::InTransaction, Place::AtCommit)] place: Place,
) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    if place != Place::Alone {
        client.exchange(&query("begin")).await;
        client.exchange(&query(INSERT)).await;
    }
    let mut armed = case.arm(point(form), Act::Raise(code.parse().unwrap()));
    client.send(&work(form, if place == Place::AtCommit { "commit" } else { INSERT })).await;
    let mut codes = Vec::new();
    while let Ok((tag, body)) = client.frame().await {
        codes.extend(Some(body).filter(|_| tag == b'E').and_then(|body| self::code(&body)));
    }
    assert_eq!(codes, [code]);
    tokio::time::timeout(DEADLINE, armed.fired()).await.unwrap();
    case.until_no_backend().await;
    assert_eq!(case.number("select count(*) from t").await, 0);
    assert_eq!(Client::open(&case).await.ask(&query(INSERT)).await, "CZ");
}

#[rstest]
#[tokio::test]
async fn what_is_swallowed_and_rewritten_is_so_however_the_bytes_are_cut(
    #[values(1, 3, 7, 64, 1000)] cut: usize,
    #[values(Form::Simple, Form::Extended, Form::Several, Form::CopyIn, Form::CopyInExtended, Form::CopyOut)]
    form: Form,
) {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let _armed = case.arm(point(form), Act::Raise("53100".parse().unwrap()));
    for piece in [work(form, INSERT), query("select 7")].concat().chunks(cut) {
        client.send(piece).await;
    }
    let seen = client.see().await.unwrap();
    assert_eq!((seen.codes, seen.state), (vec!["53100".to_owned()], 'I'));
    assert_eq!(client.see().await.unwrap().tags, "TDCZ", "and what follows is in step");
}

#[tokio::test]
async fn a_rollback_that_is_refused_has_rolled_back() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    client.exchange(&query("begin")).await;
    client.exchange(&query(INSERT)).await;
    let _armed = case.arm("stmt.1", Act::Raise("40001".parse().unwrap()));
    let seen = client.exchange(&query("rollback")).await;
    assert_eq!((seen.codes, seen.state), (vec!["40001".to_owned()], 'I'));
}

#[tokio::test]
async fn a_query_of_several_statements_is_refused_in_the_middle_and_none_of_it_counts() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let _armed = case.arm("stmt.1", Act::Raise("40001".parse().unwrap()));
    let seen = client.exchange(&query("begin; insert into t values (1); insert into t values (2); commit")).await;
    assert_eq!((&*seen.tags, seen.state), ("CCEZ", 'E'));
    assert_eq!(client.exchange(&query("rollback")).await.state, 'I');
    assert_eq!(case.number("select count(*) from t").await, 0);
}

#[tokio::test]
async fn what_the_server_skips_cannot_be_refused_and_nothing_is_said_to_have_struck() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    client.send(&[extended("do $$ begin raise 'no'; end $$"), frame(b'H', b"")].concat()).await;
    assert_eq!(client.until(b'E').await.unwrap(), "12E");
    let armed = case.arm("stmt.1", Act::Raise("40001".parse().unwrap()));
    let skipped = [parse("", INSERT), bind("other", ""), execute("other", 0), sync()].concat();
    assert_eq!(client.ask(&skipped).await, "Z");
    assert!(!armed.has_fired());
    assert_eq!(client.ask(&query(INSERT)).await, "CZ");
}

#[tokio::test]
async fn a_place_for_ever_is_refused_again_and_again_over_one_connection() {
    let case = Case::with_table().await;
    let mut client = Client::open(&case).await;
    let mut armed = case.arm("stmt.1+", Act::Raise("55P03".parse().unwrap()));
    for nth in 1..4 {
        assert_eq!(client.exchange(&[extended(INSERT), sync()].concat()).await.codes, ["55P03"]);
        assert_eq!(tokio::time::timeout(DEADLINE, armed.fired()).await.unwrap().nth, nth);
    }
    case.proxy.disarm();
    assert_eq!(client.ask(&query(INSERT)).await, "CZ");
}

#[tokio::test]
async fn a_large_copy_out_is_cancelled_and_a_small_one_breaks_its_transaction_too() {
    let case = Case::new().await;
    let mut client = Client::open(&case).await;
    for rows in [3, 3_000_000] {
        client.exchange(&query("begin")).await;
        let mut armed = case.arm("copyout.2", Act::Raise("53100".parse().unwrap()));
        let seen = client.exchange(&query(&format!("copy (select generate_series(1, {rows})) to stdout"))).await;
        assert_eq!((&*seen.tags, seen.state), ("HdEZ", 'E'), "{rows}");
        tokio::time::timeout(DEADLINE, armed.fired()).await.unwrap();
        assert_eq!(client.exchange(&query("rollback")).await.state, 'I');
    }
}
