//! Errors that the server raises because we ask it to: what is sent to it in place of what the client sent, and what
//! of its answers the client may see.
//!
//! A faked ErrorResponse would leave the server in a transaction that the client believes to be broken. So whatever
//! can be raised is raised:
//! - a Query or an Execute becomes a block that raises the code; of a Query with several statements half come before;
//! - COMMIT becomes ROLLBACK, and its CommandComplete the error: as after a commit that failed, the transaction is over;
//! - COPY IN is ended by CopyFail, COPY OUT by a cancel request, and the code of the error is changed. A COPY OUT
//!   that was quicker is answered first, unseen, and then the block raises the code in the same transaction.
//!
//! Left out: a client that has sent more than one exchange ahead of a COPY OUT gets a written error.

use super::lex::{Kind, tokens};
use super::sql::split_statements;
use super::startup;
use super::statement::{Answer, Asked, Conversation, Fate, Sent, text};
use crate::model::SqlState;

/// How an error comes about, noted with the statement that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    /// The server raises it by itself; nothing is to be done.
    ByServer,
    /// A ROLLBACK runs in place of the COMMIT; what it answers is the error.
    InPlaceOfCommit(SqlState),
    /// The server raises an error of another code.
    Renamed(SqlState),
    /// A COPY OUT is being broken off; nothing of it is seen any more.
    BrokenOff(SqlState),
}

/// The name of what we prepare.
const OURS: &str = "rehearsal_error";

impl Conversation {
    /// What goes to the server in place of `frame`, a statement that was just noted by [`Conversation::sent`], so that
    /// `code` is raised. None for what the server skips anyway.
    pub(super) fn refuse_statement(&mut self, frame: &[u8], code: SqlState) -> Option<Vec<u8>> {
        match self.queue.back_mut()? {
            Sent::Query(asked) if frame[0] == b'Q' => {
                let sql = String::from_utf8_lossy(text(&frame[5..]).0).into_owned();
                let (sql, raised) = refused(&sql, code);
                asked.raised = Some(raised);
                Some(query(&sql))
            }
            Sent::Execute(asked) if frame[0] == b'E' => {
                let (sql, raised) = if asked.statement.ends_transaction { rollback(code) } else { block(code) };
                let asked = Asked { raised: Some(raised), statement: asked.statement.clone() };
                self.queue.pop_back();
                self.queue.extend([Sent::Ours(b'3'), Sent::Ours(b'1'), Sent::Ours(b'2'), Sent::Execute(asked)]);
                Some(prepared(&sql))
            }
            _ => None,
        }
    }

    /// The CopyFail that goes to the server in place of a CopyData.
    pub(super) fn refuse_copy_in(&mut self, code: SqlState) -> Option<Vec<u8>> {
        let under_way = self.queue.iter_mut().rev().find_map(Sent::asked)?;
        under_way.raised = Some(Raised::Renamed(code));
        let fail = frame(b'f', b"broken off by the rehearsal\0");
        self.sent(&fail);
        Some(fail)
    }

    /// The COPY OUT that is being answered is not seen any more.
    pub(super) fn break_copy_out(&mut self, code: SqlState) {
        if let Some(asked) = self.queue.front_mut().and_then(Sent::asked) {
            asked.raised = Some(Raised::BrokenOff(code));
        }
    }

    /// What becomes of an answer that has to do with an error of ours; none for all others.
    pub(super) fn answered_raised(&mut self, frame: &[u8]) -> Option<Answer> {
        let tag = frame[0];
        if let Some(code) = self.terminated {
            return Some(terminated(tag, code));
        }
        if let (b'Z', Some((code, asked))) = (tag, self.owed.take_if(|_| tag == b'Z')) {
            return Some(self.raise_owed(code, asked, frame));
        }
        match self.queue.front_mut()? {
            Sent::Ours(expected) if *expected == tag => {
                self.queue.pop_front();
                Some(Fate::Swallow.into())
            }
            Sent::Query(asked) | Sent::Execute(asked) => {
                let raised = asked.raised?;
                self.answered_refused(raised, tag)
            }
            _ => None,
        }
    }

    fn answered_refused(&mut self, raised: Raised, tag: u8) -> Option<Answer> {
        match (raised, tag) {
            (Raised::InPlaceOfCommit(code), b'C') => {
                // A COMMIT that failed acknowledges nothing.
                self.ended(true);
                Some(Fate::Replace(refusal(code)).into())
            }
            (Raised::Renamed(code) | Raised::BrokenOff(code), b'E') => {
                self.failed();
                Some(Fate::Replace(refusal(code)).into())
            }
            (Raised::BrokenOff(_), b'd' | b'c') => Some(Fate::Swallow.into()),
            (Raised::BrokenOff(code), b'C') => {
                let statement = self.ended(true)?;
                self.owed = Some((code, Asked { statement, raised: Some(Raised::ByServer) }));
                Some(Fate::Swallow.into())
            }
            _ => None,
        }
    }

    /// The COPY OUT was over before it could be cancelled: its transaction is broken now.
    fn raise_owed(&mut self, code: SqlState, asked: Asked, ready: &[u8]) -> Answer {
        self.ready(false);
        if !self.queue.is_empty() {
            return Fate::Replace([&refusal(code)[..], ready].concat()).into();
        }
        self.queue.push_back(Sent::Query(asked));
        Fate::Ask(query(&block(code).0)).into()
    }
}

/// The session is over; only the reason is seen.
fn terminated(tag: u8, code: SqlState) -> Answer {
    match tag {
        b'E' if code == SqlState::ADMIN_SHUTDOWN => Fate::Pass.into(),
        b'E' => Fate::Replace(startup::fatal(code.as_str(), "the session was ended by the rehearsal")).into(),
        _ => Fate::Swallow.into(),
    }
}

/// What is sent in place of a Query with this text.
fn refused(sql: &str, code: SqlState) -> (String, Raised) {
    let statements = split_statements(sql);
    match statements.len() {
        0 | 1 if ends_transaction(sql) => rollback(code),
        0 | 1 => block(code),
        several => {
            let before = statements[..several / 2].concat();
            (format!("{before} {}; {}", block(code).0, statements[several / 2..].concat()), Raised::ByServer)
        }
    }
}

fn rollback(code: SqlState) -> (String, Raised) {
    ("ROLLBACK".to_owned(), Raised::InPlaceOfCommit(code))
}

fn block(code: SqlState) -> (String, Raised) {
    let raise = format!("RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'refused by the rehearsal'");
    (format!("DO $rehearsal$ BEGIN {raise}; END $rehearsal$"), Raised::ByServer)
}

/// Whether this one statement ends a transaction: COMMIT, END, ROLLBACK, ABORT, but not of a savepoint or of a
/// transaction that was prepared.
pub(super) fn ends_transaction(sql: &str) -> bool {
    let words = tokens(sql).filter(|token| !matches!(token.kind, Kind::Blank | Kind::Comment));
    let words: Vec<String> = words.take(3).map(|token| token.text.to_ascii_lowercase()).collect();
    let is_end = words.first().is_some_and(|word| matches!(&**word, "commit" | "end" | "rollback" | "abort"));
    let of_another = |word: &String| matches!(&**word, "prepared" | "to");
    is_end && !words[1..].iter().any(of_another)
}

/// Close, Parse, Bind and Execute of a statement of ours.
fn prepared(sql: &str) -> Vec<u8> {
    let close = frame(b'C', format!("S{OURS}\0").as_bytes());
    let parse = frame(b'P', format!("{OURS}\0{sql}\0\0\0").as_bytes());
    let bind = frame(b'B', format!("{OURS}\0{OURS}\0\0\0\0\0\0\0").as_bytes());
    let execute = frame(b'E', format!("{OURS}\0\0\0\0\0").as_bytes());
    [close, parse, bind, execute].concat()
}

fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', format!("{sql}\0").as_bytes())
}

fn refusal(code: SqlState) -> Vec<u8> {
    frame(b'E', format!("SERROR\0VERROR\0C{code}\0Mrefused by the rehearsal\0\0").as_bytes())
}

pub(super) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// Whether an ErrorResponse has this code.
pub(super) fn has_code(error: &[u8], code: SqlState) -> bool {
    let fields = error.get(5..).unwrap_or_default().split(|byte| *byte == 0);
    fields.into_iter().any(|field| field.strip_prefix(b"C") == Some(code.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("commit", true)]
    #[case(" /* the end */ COMMIT;", true)]
    #[case("END TRANSACTION", true)]
    #[case("rollback", true)]
    #[case("rollback to savepoint a", false)]
    #[case("rollback work to a", false)]
    #[case("commit prepared 'x'", false)]
    #[case("begin", false)]
    #[case("", false)]
    fn transactions_end(#[case] sql: &str, #[case] ends: bool) {
        assert_eq!(ends_transaction(sql), ends);
    }

    #[test]
    fn of_several_statements_half_come_before_the_error() {
        let code = "40001".parse().unwrap();
        let (sql, raised) = refused("begin; insert into t values (';'); commit", code);
        assert!(sql.starts_with("begin; DO $rehearsal$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'"), "{sql}");
        assert!(sql.ends_with("END $rehearsal$;  insert into t values (';'); commit"), "{sql}");
        assert_eq!(raised, Raised::ByServer);
        assert_eq!(refused("commit -- all", code), rollback(code));
    }

    #[test]
    fn an_error_says_its_code() {
        let code = "40001".parse().unwrap();
        assert!(has_code(&refusal(code), code));
        assert!(!has_code(&refusal(code), "40P01".parse().unwrap()));
        assert!(!has_code(b"E", code));
    }
}
