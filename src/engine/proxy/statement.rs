//! Which statement an answer belongs to.
//!
//! The server answers in the order in which it was asked, so a queue of what was sent is all that is needed, together
//! with two maps: prepared statement -> SQL, and portal -> prepared statement. What an error makes the server skip is
//! taken out of the queue, and what it would have defined is undone. DISCARD ALL and DEALLOCATE need no care: a name
//! that they free can only be used again after a Parse, which overwrites.

use super::known;
use super::raise::Raised;
use crate::model::{Axis, Fingerprint, SqlState};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A statement as points know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) fingerprint: Fingerprint,
    pub(super) label: Arc<str>,
    /// COMMIT and the like.
    pub(super) ends_transaction: bool,
}

/// A point, and the statement that begins or ends there.
pub(super) type Counted = (Axis, Arc<Statement>);

/// What becomes of an answer of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    /// The client does not see it.
    Swallow,
    /// The client sees this in its place.
    Replace(Vec<u8>),
    /// The client does not see it, and the server is sent this.
    Ask(Vec<u8>),
}

/// An answer of the server: the point that it is, and what becomes of it.
pub(super) struct Answer {
    pub(super) counted: Option<Counted>,
    pub(super) fate: Fate,
}

impl From<Fate> for Answer {
    fn from(fate: Fate) -> Answer {
        Answer { counted: None, fate }
    }
}

/// The frames of a client that [`Conversation::sent`] wants to see.
pub(super) const SENT_TAGS: &[u8] = b"QPBDECSFcf";
/// The frames of a server that [`Conversation::answered`] wants to see.
pub(super) const ANSWER_TAGS: &[u8] = b"CsIEZG123TnKc";

/// What one connection has asked and not been answered yet.
#[derive(Default)]
pub(super) struct Conversation {
    pub(super) queue: VecDeque<Sent>,
    statements: HashMap<Vec<u8>, Arc<Statement>>,
    portals: HashMap<Vec<u8>, Portal>,
    /// An error was answered, and no Sync has been sent yet: the server skips what comes.
    skipping: bool,
    /// The server takes copy data and ignores a Sync until they end.
    copying: bool,
    /// The last statement that was answered since the connection was idle.
    last: Option<Arc<Statement>>,
    /// The last statement that was sent: data and bytes of the client belong to it.
    sent_last: Option<Arc<Statement>>,
    /// What a cancel request must name: four bytes of the process and a secret.
    pub(super) key: Vec<u8>,
    /// An error that is due once the server is ready.
    pub(super) owed: Option<(SqlState, Asked)>,
    /// The server was told to end the session, and what it is to say.
    pub(super) terminated: Option<SqlState>,
}

struct Portal {
    statement: Arc<Statement>,
    started: bool,
}

/// A statement that the server was asked to run.
pub(super) struct Asked {
    pub(super) statement: Arc<Statement>,
    /// The error that is to come of it.
    pub(super) raised: Option<Raised>,
}

impl Sent {
    /// Whether it is answered with ReadyForQuery.
    fn ends_exchange(&self) -> bool {
        matches!(self, Sent::Query(_) | Sent::Sync | Sent::FunctionCall)
    }

    pub(super) fn asked(&mut self) -> Option<&mut Asked> {
        match self {
            Sent::Query(asked) | Sent::Execute(asked) => Some(asked),
            _ => None,
        }
    }
}

/// Something that the server answers, in the order of sending.
pub(super) enum Sent {
    Query(Asked),
    Execute(Asked),
    /// A part of an Execute of ours, answered by this tag, of which the client does not know.
    Ours(u8),
    /// Parse, or Close of a statement, with what the name meant before; answered by this tag.
    Define(u8, Vec<u8>, Option<Arc<Statement>>),
    /// Bind, Describe, Close of a portal; answered by this tag.
    Part(u8),
    /// CopyDone, CopyFail: not answered by themselves.
    CopyEnd,
    FunctionCall,
    Sync,
}

impl Conversation {
    /// Notes a frame of the client that is about to be forwarded; a statement that begins with it is a point.
    pub(super) fn sent(&mut self, frame: &[u8]) -> Option<Counted> {
        let body = &frame[5..];
        match frame[0] {
            b'Q' => return Some(self.query(body)),
            b'E' => return self.execute(body),
            b'P' => self.parse(body),
            b'B' => self.bind(body),
            b'C' => self.close(body),
            b'D' => self.push(Sent::Part(b'T')),
            b'S' => self.push(Sent::Sync),
            b'F' => self.push(Sent::FunctionCall),
            b'c' | b'f' => self.push(Sent::CopyEnd),
            b'd' => return self.sent_last.clone().map(|statement| (Axis::Copyin, statement)),
            _ => {}
        }
        None
    }

    /// Notes a frame of the server that is about to be forwarded; a statement or transaction that ends is a point.
    pub(super) fn answered(&mut self, frame: &[u8]) -> Answer {
        self.skip_copy_ends();
        match self.answered_raised(frame) {
            Some(answer) => answer,
            None => Answer { counted: self.answered_plain(frame), fate: Fate::Pass },
        }
    }

    fn answered_plain(&mut self, frame: &[u8]) -> Option<Counted> {
        match frame[0] {
            b'd' => return self.answering().map(|statement| (Axis::Copyout, statement)),
            b'K' => self.key = frame[5..].to_vec(),
            b'C' => return self.ended(true).map(|statement| (Axis::Ack, statement)),
            b's' => drop(self.ended(true)),
            b'I' => drop(self.ended(false)),
            b'E' => self.failed(),
            b'G' => self.copy_begins(),
            b'Z' => return self.ready(frame.get(5) == Some(&b'I')),
            b'n' => self.part_done(b'T'),
            tag => self.part_done(tag),
        }
        None
    }

    fn query(&mut self, body: &[u8]) -> Counted {
        let statement = known::find(text(body).0);
        self.push(Sent::Query(Asked { statement: Arc::clone(&statement), raised: None }));
        self.sent_last = Some(Arc::clone(&statement));
        (Axis::Stmt, statement)
    }

    /// A portal that was suspended goes on: that is not a statement of its own.
    fn execute(&mut self, body: &[u8]) -> Option<Counted> {
        let portal = self.portals.get_mut(text(body).0);
        let resumed = portal.as_ref().is_some_and(|portal| portal.started);
        let statement = match portal {
            Some(portal) => {
                portal.started = true;
                Arc::clone(&portal.statement)
            }
            None => unknown(),
        };
        self.push(Sent::Execute(Asked { statement: Arc::clone(&statement), raised: None }));
        self.sent_last = Some(Arc::clone(&statement));
        (!resumed).then_some((Axis::Stmt, statement))
    }

    fn parse(&mut self, body: &[u8]) {
        let (name, rest) = text(body);
        let statement = known::find(text(rest).0);
        self.define(b'1', name, Some(statement));
    }

    fn bind(&mut self, body: &[u8]) {
        let (portal, rest) = text(body);
        let statement = self.statements.get(text(rest).0).map_or_else(unknown, Arc::clone);
        if !self.skipping {
            self.portals.insert(portal.to_vec(), Portal { statement, started: false });
        }
        self.push(Sent::Part(b'2'));
    }

    fn close(&mut self, body: &[u8]) {
        match body.split_first() {
            Some((b'S', name)) => self.define(b'3', text(name).0, None),
            Some((_, name)) => {
                self.portals.remove(text(name).0);
                self.push(Sent::Part(b'3'));
            }
            None => self.push(Sent::Part(b'3')),
        }
    }

    /// Gives `name` a meaning, or none, unless the server will not see this.
    fn define(&mut self, answer: u8, name: &[u8], statement: Option<Arc<Statement>>) {
        if self.skipping {
            return;
        }
        let before = match statement {
            Some(statement) => self.statements.insert(name.to_vec(), statement),
            None => self.statements.remove(name),
        };
        self.push(Sent::Define(answer, name.to_vec(), before));
    }

    fn push(&mut self, sent: Sent) {
        match sent {
            Sent::Sync if self.copying => return,
            Sent::Sync => self.skipping = false,
            Sent::CopyEnd => self.copying = false,
            _ => {}
        }
        if !self.skipping {
            self.queue.push_back(sent);
        }
    }

    /// A CommandComplete, PortalSuspended or EmptyQueryResponse: the statement that it ends.
    pub(super) fn ended(&mut self, ran: bool) -> Option<Arc<Statement>> {
        self.copying = false;
        let statement = match self.queue.front()? {
            Sent::Query(asked) => Arc::clone(&asked.statement),
            Sent::Execute(asked) => {
                let statement = Arc::clone(&asked.statement);
                self.queue.pop_front();
                statement
            }
            _ => return None,
        };
        self.skip_copy_ends();
        if ran {
            self.last = Some(Arc::clone(&statement));
        }
        Some(statement)
    }

    fn part_done(&mut self, tag: u8) {
        if matches!(self.queue.front(), Some(Sent::Define(answer, ..) | Sent::Part(answer)) if *answer == tag) {
            self.queue.pop_front();
            self.skip_copy_ends();
        }
    }

    /// After an error in the extended protocol the server skips everything up to a Sync.
    pub(super) fn failed(&mut self) {
        self.copying = false;
        match self.queue.front() {
            Some(Sent::Query(asked)) => self.last = Some(Arc::clone(&asked.statement)),
            Some(Sent::Execute(asked)) => {
                self.last = Some(Arc::clone(&asked.statement));
                self.skip_to_sync();
            }
            Some(Sent::Define(..) | Sent::Part(_) | Sent::Ours(_)) => self.skip_to_sync(),
            Some(Sent::Sync | Sent::FunctionCall | Sent::CopyEnd) | None => {}
        }
    }

    fn skip_to_sync(&mut self) {
        let sync = self.queue.iter().position(|sent| matches!(sent, Sent::Sync));
        self.skipping = sync.is_none();
        let skipped = self.queue.drain(..sync.unwrap_or(self.queue.len()));
        for sent in skipped.rev() {
            if let Sent::Define(_, name, before) = sent {
                match before {
                    Some(statement) => self.statements.insert(name, statement),
                    None => self.statements.remove(&name),
                };
            }
        }
    }

    /// The server ignores a Sync that was sent before the end of the copy data.
    fn copy_begins(&mut self) {
        let end = self.queue.iter().position(|sent| matches!(sent, Sent::CopyEnd));
        self.copying = end.is_none();
        let mut at = 0;
        self.queue.retain(|sent| {
            at += 1;
            !(matches!(sent, Sent::Sync) && at <= end.unwrap_or(usize::MAX))
        });
    }

    pub(super) fn ready(&mut self, idle: bool) -> Option<Counted> {
        if let Some(end) = self.queue.iter().position(Sent::ends_exchange) {
            self.queue.drain(..=end);
        }
        self.skip_copy_ends();
        self.copying = false;
        if idle { self.last.take().map(|statement| (Axis::Commit, statement)) } else { None }
    }

    /// The statement whose answers come now.
    pub(super) fn answering(&self) -> Option<Arc<Statement>> {
        let asked = self.queue.iter().find(|sent| !matches!(sent, Sent::CopyEnd))?;
        match asked {
            Sent::Query(asked) | Sent::Execute(asked) => Some(Arc::clone(&asked.statement)),
            _ => None,
        }
    }

    /// The last statement that was sent.
    pub(super) fn sent_last(&self) -> Option<Arc<Statement>> {
        self.sent_last.clone()
    }

    /// How many answers with ReadyForQuery are on their way.
    pub(super) fn exchanges(&self) -> usize {
        self.queue.iter().filter(|sent| sent.ends_exchange()).count()
    }

    /// The process of the server, from its key.
    pub(super) fn pid(&self) -> Option<i32> {
        self.key.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
    }

    /// An end of copy data that is first in the queue ends nothing: its COPY had failed.
    fn skip_copy_ends(&mut self) {
        while let Some(Sent::CopyEnd) = self.queue.front() {
            self.queue.pop_front();
        }
    }
}

/// A statement whose text did not come this way: prepared in SQL, or a cursor's portal.
fn unknown() -> Arc<Statement> {
    known::find(b"")
}

/// A text up to its NUL byte, and what follows.
pub(super) fn text(body: &[u8]) -> (&[u8], &[u8]) {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    (&body[..end], &body[(end + 1).min(body.len())..])
}
