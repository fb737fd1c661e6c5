//! One direction of a connection: reads, finds the points, strikes, forwards.

use super::frame::{Frames, Next};
use super::session::{Session, strike};
use super::statement::{ANSWER_TAGS, Counted, SENT_TAGS};
use super::stream::Stream;
use super::strike::Hit;
use bytes::{Buf, BytesMut};
use std::io;

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
}

/// What a strike leaves of a connection.
pub(super) enum After {
    /// It goes on.
    GoOn,
    /// It is over.
    Over(End),
}

impl Session<'_> {
    /// Forwards one way until that ends; `buffer` holds what has been read already.
    pub(super) async fn pump(&self, way: Way, mut buffer: BytesMut) -> End {
        let mut frames = Frames::of(if way == Way::Up { SENT_TAGS } else { ANSWER_TAGS });
        let (from, to) = self.ends(way);
        loop {
            match self.pass(way, &mut frames, &mut buffer, to).await {
                Ok(After::GoOn) => {}
                Ok(After::Over(end)) => return end,
                Err(_) => return End::Closed,
            }
            match from.read(&mut buffer).await {
                Ok(1..) => {}
                // The end, or a client that was killed with data unread: what it sent completely has been forwarded.
                Ok(0) | Err(_) => {
                    let _ = to.write(&self.shared.gate, &buffer).await;
                    return End::Closed;
                }
            }
        }
    }

    /// Forwards all of `buffer` but a frame that is not complete.
    async fn pass(&self, way: Way, frames: &mut Frames, buffer: &mut BytesMut, to: &Stream) -> io::Result<After> {
        let mut clear = 0;
        loop {
            clear += match frames.next(&buffer[clear..]) {
                Next::More => break,
                Next::Run(bytes) => bytes,
                Next::Frame(bytes) => {
                    if let Some(hit) = self.look(way, &buffer[clear..clear + bytes]) {
                        to.write(&self.shared.gate, &buffer[..clear]).await?;
                        buffer.advance(std::mem::take(&mut clear));
                        if let After::Over(end) = strike(self.shared, hit).await {
                            return Ok(After::Over(end));
                        }
                    }
                    bytes
                }
            };
        }
        to.write(&self.shared.gate, &buffer[..clear]).await?;
        buffer.advance(clear);
        Ok(After::GoOn)
    }

    fn look(&self, way: Way, frame: &[u8]) -> Option<Hit> {
        let mut conversation = self.conversation();
        let counted = match way {
            Way::Up => conversation.sent(frame),
            Way::Down => conversation.answered(frame),
        };
        drop(conversation);
        let (axis, statement): Counted = counted?;
        self.reach(axis, Some(statement.fingerprint), &statement.label)
    }
}
