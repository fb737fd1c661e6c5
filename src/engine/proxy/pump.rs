//! One direction of a connection: reads, finds the points, strikes, forwards.

use super::frame::{Frames, Next};
use super::raise::has_code;
use super::session::Session;
use super::statement::{ANSWER_TAGS, Counted, Fate, SENT_TAGS, Statement};
use super::strike::{Act, Hit};
use crate::model::Axis;
use bytes::{Buf, BytesMut};
use std::io;
use std::sync::Arc;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a direction came to its end.
pub(super) enum End {
    /// One side closed, or cannot be written to.
    Closed,
    /// A strike ended the connection: reset it, then announce.
    Reset(Hit),
    /// A strike ended the connection: announce, then close it.
    Close(Hit),
    /// A strike took the client away: reset it, announce, and wait for the server.
    Orphan(Hit),
}

/// What a strike leaves of the frame that was counted.
pub(super) enum After {
    /// It goes on.
    GoOn,
    /// It goes nowhere.
    Drop,
    /// This goes on in its place.
    Instead(Vec<u8>),
    /// The connection is over.
    Over(End),
}

/// A direction on its way: what has been read and not forwarded yet.
pub(super) struct Flow {
    pub(super) way: Way,
    pub(super) frames: Frames,
    buffer: BytesMut,
    /// Bytes at the head of the buffer that have been looked at and are held back.
    held: usize,
    /// Everything is lost until the server has answered.
    pub(super) losing: Option<Hit>,
}

impl Flow {
    pub(super) fn new(way: Way, buffer: BytesMut) -> Flow {
        let frames = Frames::of(if way == Way::Up { SENT_TAGS } else { ANSWER_TAGS });
        Flow { way, frames, buffer, held: 0, losing: None }
    }

    /// What comes next.
    pub(super) fn head(&self) -> &[u8] {
        &self.buffer
    }
}

impl Session<'_> {
    /// Forwards one way until that ends; `buffer` holds what has been read already.
    pub(super) async fn pump(&self, way: Way, buffer: BytesMut) -> End {
        let mut flow = Flow::new(way, buffer);
        let (from, _) = self.ends(way);
        loop {
            match self.pass(&mut flow).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(_) => return End::Closed,
            }
            match from.read(&mut flow.buffer).await {
                Ok(1..) => {}
                // The end, or a client that was killed with data unread: what it sent completely has been forwarded.
                Ok(0) | Err(_) => {
                    let rest = flow.buffer.split();
                    return match flow.losing.take() {
                        Some(hit) => End::Reset(hit),
                        None => self.forward(way, &rest).await.map_or(End::Closed, |()| End::Closed),
                    };
                }
            }
        }
    }

    /// Forwards all of the buffer but a frame that is not complete.
    async fn pass(&self, flow: &mut Flow) -> io::Result<Option<End>> {
        // Up to `seen` everything was looked at, up to `clear` it may go.
        let (mut clear, mut seen) = (0, flow.held);
        loop {
            let piece = match self.next(flow, seen) {
                Next::More => break,
                Next::Run(bytes) => (bytes, None),
                Next::Frame(bytes) => (bytes, Some(self.look(flow.way, &flow.buffer[seen..seen + bytes]))),
            };
            let (mut bytes, looked) = piece;
            let is_plain = looked.is_none() || !self.is_raising(flow.way);
            let Looked { mut hit, fate, ended } = looked.unwrap_or_default();
            if let Some(statement) = ended.filter(|_| hit.is_none()) {
                hit = self.reach_epoch(&statement).await;
            }
            if !is_plain || hit.is_some() || fate != Fate::Pass || flow.losing.is_some() {
                let lost_too = hit.as_ref().is_some_and(|hit| hit.act == Act::LoseAnswer);
                self.forward(flow.way, &flow.buffer[..if lost_too { clear } else { seen }]).await?;
                flow.buffer.advance(seen);
                (clear, seen) = (0, 0);
                match self.change(flow, bytes, hit, fate).await? {
                    After::GoOn => {}
                    After::Over(end) => return Ok(Some(end)),
                    After::Instead(other) => {
                        self.forward(flow.way, &other).await?;
                        flow.buffer.advance(std::mem::take(&mut bytes));
                    }
                    After::Drop => flow.buffer.advance(std::mem::take(&mut bytes)),
                }
            }
            if let Some((before, hit)) = self.count_bytes(flow.way, bytes) {
                self.forward(flow.way, &flow.buffer[..seen + before]).await?;
                flow.buffer.advance(seen + before);
                (clear, seen, bytes) = (0, 0, bytes - before);
                if let After::Over(end) = self.strike(flow, hit, 0).await {
                    return Ok(Some(end));
                }
            }
            // An answer to a COMMIT may be lost together with what follows it.
            let holds = flow.way == Way::Down && flow.buffer.get(seen) == Some(&b'C') && bytes > 0;
            let holds = holds && self.shared.ledger.holds_answers();
            seen += bytes;
            clear = if holds { clear } else { seen };
        }
        self.forward(flow.way, &flow.buffer[..clear]).await?;
        flow.buffer.advance(clear);
        flow.held = seen - clear;
        Ok(None)
    }

    /// The next piece from `seen` on; copy data are counted on the way.
    fn next(&self, flow: &mut Flow, seen: usize) -> Next {
        let (axis, statement) = {
            let conversation = self.conversation();
            match flow.way {
                Way::Up => (Axis::Copyin, conversation.sent_last()),
                Way::Down => (Axis::Copyout, conversation.answering()),
            }
        };
        let statement = statement.as_deref();
        flow.frames.allow_data(statement.map_or(u64::MAX, |known| self.shared.ledger.allowed(axis, known)));
        let next = flow.frames.next(&flow.buffer[seen..]);
        match flow.frames.take_data() {
            0 => {}
            times => self.shared.ledger.pass(axis, statement, times),
        }
        next
    }

    fn look(&self, way: Way, frame: &[u8]) -> Looked {
        let mut conversation = self.conversation();
        let (counted, fate): (Option<Counted>, Fate) = match way {
            Way::Up => (conversation.sent(frame), Fate::Pass),
            Way::Down => {
                let answer = conversation.answered(frame);
                (answer.counted, answer.fate)
            }
        };
        drop(conversation);
        let Some((axis, statement)) = counted else { return Looked { fate, ..Looked::default() } };
        let hit = self.reach(axis, Some(statement.fingerprint), &statement.label);
        Looked { hit, fate, ended: Some(statement).filter(|_| axis == Axis::Commit) }
    }

    fn count_bytes(&self, way: Way, bytes: usize) -> Option<(usize, Hit)> {
        if way == Way::Down || bytes == 0 {
            return None;
        }
        let statement = self.conversation().sent_last();
        self.count(statement.as_deref(), bytes as u64)
    }

    /// Does what was armed, or what an error of ours makes of this answer; the frame is at the head of the buffer.
    async fn change(&self, flow: &mut Flow, bytes: usize, hit: Option<Hit>, fate: Fate) -> io::Result<After> {
        let after = match hit {
            Some(hit) if flow.losing.is_none() => self.strike(flow, hit, bytes).await,
            _ => After::GoOn,
        };
        if let Some(hit) = flow.losing.take_if(|_| self.conversation().exchanges() == 0) {
            return Ok(After::Over(End::Reset(hit)));
        }
        if flow.losing.is_some() || !matches!(after, After::GoOn) {
            return Ok(if flow.losing.is_some() { After::Drop } else { after });
        }
        if flow.way == Way::Down {
            self.raised(match &fate {
                Fate::Replace(bytes) => bytes,
                _ => &flow.buffer[..bytes],
            });
        }
        Ok(match fate {
            Fate::Pass => After::GoOn,
            Fate::Swallow => After::Drop,
            Fate::Replace(bytes) => After::Instead(bytes),
            Fate::Ask(question) => {
                self.forward(Way::Up, &question).await?;
                After::Drop
            }
        })
    }

    /// Whether an error of ours may be among the answers.
    fn is_raising(&self, way: Way) -> bool {
        way == Way::Down && self.raising().is_some()
    }

    /// Announces an error of ours once it is on its way to the client.
    fn raised(&self, frame: &[u8]) {
        let is_ours = |hit: &mut Hit| matches!(hit.act, Act::Raise(code) if has_code(frame, code));
        if frame.first() == Some(&b'E')
            && let Some(hit) = self.raising().take_if(is_ours)
        {
            hit.announce();
        }
    }

    /// Writes to the side to which this way leads, when the line lets it through.
    pub(super) async fn forward(&self, way: Way, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() || (way == Way::Down && self.line.is_deaf()) {
            return Ok(());
        }
        self.line.ready().await;
        let (_, to) = self.ends(way);
        to.write(&self.shared.gate, bytes).await
    }
}

/// What a look at a frame showed.
struct Looked {
    hit: Option<Hit>,
    fate: Fate,
    /// The statement that ended a transaction.
    ended: Option<Arc<Statement>>,
}

impl Default for Looked {
    fn default() -> Looked {
        Looked { hit: None, fate: Fate::Pass, ended: None }
    }
}
