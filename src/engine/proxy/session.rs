//! One connection, from the start-up packet to its end.

use super::Shared;
use super::frame::Frames;
use super::frame::Next;
use super::line::Line;
use super::pump::{After, End, Flow, Way};
use super::raise::frame;
use super::startup::{self, Opening};
use super::statement::{Conversation, Statement};
use super::stream::Stream;
use super::strike::{Act, Hit};
use super::trace::Point;
use crate::model::{Axis, Fingerprint, SqlState};
use bytes::{Buf, BytesMut};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;

/// Serves one client until one side is gone. Trouble ends this connection and no other.
pub(super) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    // Without it small answers wait for others.
    let _ = client.set_nodelay(true);
    let client = Stream::Tcp(client);
    let mut buffer = BytesMut::new();
    // An error says that the client is gone.
    let _ = match startup::open(&client, &shared.gate, &mut buffer).await {
        Ok(Some(Opening::Cancel { packet })) => cancel(&client, &packet, &shared).await,
        Ok(Some(Opening::Session { user, .. })) if shared.refuses(&user) => refuse(&client, &user, &shared).await,
        Ok(Some(Opening::Session { packet, user, database })) => {
            let label = format!("database {database}, role {user}");
            run(client, &packet, &label, buffer, &shared).await
        }
        Ok(None) | Err(_) => Ok(()),
    };
}

/// A connection with both sides.
pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    conn: u32,
    client: Stream,
    server: Stream,
    pub(super) line: Line,
    conversation: Mutex<Conversation>,
    /// An error that the server was made to raise, until it is seen.
    raising: Mutex<Option<Hit>>,
}

async fn run(client: Stream, packet: &[u8], label: &str, buffer: BytesMut, shared: &Shared) -> io::Result<()> {
    let conn = shared.conns.fetch_add(1, Ordering::SeqCst) + 1;
    let line = Line::new();
    shared.begin_epochs().await;
    if let Some(hit) = shared.reach(conn, Axis::Conn, None, &label.into())
        && let After::Over(end) = strike(shared, &line, hit).await
    {
        return close(client, None, end, shared).await;
    }
    // Behind a frozen gate the server may be on its way back.
    shared.gate.opened().await;
    let era = shared.gate.era();
    let server = match Stream::connect(&shared.upstream).await {
        Ok(server) => server,
        Err(error) => {
            let message = format!("the rehearsal's proxy cannot reach the server behind it: {error}");
            return client.write(&shared.gate, &startup::fatal("57P03", &message)).await;
        }
    };
    let (conversation, raising) = (Mutex::default(), Mutex::default());
    let session = Session { shared, conn, client, server, line, conversation, raising };
    let end = tokio::select! {
        biased; // once it is given up nothing of it goes through
        () = shared.gate.over(era) => return Ok(()),
        end = session.run(packet, buffer) => end?,
    };
    let Session { client, server, .. } = session;
    close(client, Some(server), end, shared).await
}

impl Session<'_> {
    /// From the first packet to its end.
    async fn run(&self, packet: &[u8], buffer: BytesMut) -> io::Result<End> {
        self.forward(Way::Up, packet).await?;
        Ok(self.converse(buffer).await)
    }

    /// Runs both directions. The server's end is the end; a client that has finished still gets its answers.
    async fn converse(&self, buffer: BytesMut) -> End {
        let up = async {
            match self.pump(Way::Up, buffer).await {
                End::Closed => self.server.finish(&self.shared.gate).await,
                struck => return struck,
            }
            std::future::pending().await
        };
        tokio::select! {
            end = up => end,
            end = self.pump(Way::Down, BytesMut::new()) => end,
        }
    }

    /// Where bytes of this direction come from, and where they go.
    pub(super) fn ends(&self, way: Way) -> (&Stream, &Stream) {
        match way {
            Way::Up => (&self.client, &self.server),
            Way::Down => (&self.server, &self.client),
        }
    }

    pub(super) fn conversation(&self) -> MutexGuard<'_, Conversation> {
        self.conversation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error that the server was made to raise.
    pub(super) fn raising(&self) -> MutexGuard<'_, Option<Hit>> {
        self.raising.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reach(&self, axis: Axis, fingerprint: Option<Fingerprint>, label: &Arc<str>) -> Option<Hit> {
        self.shared.reach(self.conn, axis, fingerprint, label)
    }

    pub(super) fn count(&self, statement: Option<&Statement>, bytes: u64) -> Option<(usize, Hit)> {
        self.shared.ledger.bytes(self.conn, statement, bytes)
    }

    /// Does what was armed, before the frame that was counted goes on: the first `bytes` of what `flow` holds.
    pub(super) async fn strike(&self, flow: &mut Flow, hit: Hit, bytes: usize) -> After {
        match hit.act {
            Act::HalfClose => {
                hit.announce();
                self.line.deafen();
                self.client.finish(&self.shared.gate).await;
                After::GoOn
            }
            Act::LoseAnswer if flow.way == Way::Down => {
                flow.losing = Some(hit);
                After::Drop
            }
            Act::Orphan if flow.way == Way::Up => {
                // An Execute without a Sync would not be committed, whatever the client meant to send.
                let sync = if flow.head().first() == Some(&b'E') { frame(b'S', b"") } else { Vec::new() };
                let sent = [&flow.head()[..bytes], &sync].concat();
                match self.forward(Way::Up, &sent).await {
                    Ok(()) => After::Over(End::Orphan(hit)),
                    Err(_) => After::Over(End::Closed),
                }
            }
            Act::Raise(code) => self.raise(flow, hit, code, bytes).await,
            _ => strike(self.shared, &self.line, hit).await,
        }
    }

    /// Has the server refuse what was counted; it is announced when the server has.
    async fn raise(&self, flow: &mut Flow, hit: Hit, code: SqlState, bytes: usize) -> After {
        if code.ends_session() {
            return self.terminate(flow, hit, code).await;
        }
        let frame = &flow.head()[..bytes];
        let is_data = frame.first() == Some(&b'd');
        let instead = match (flow.way, is_data) {
            (Way::Up, true) => self.conversation().refuse_copy_in(code),
            (Way::Up, false) => self.conversation().refuse_statement(frame, code),
            (Way::Down, _) => None,
        };
        match (flow.way, instead) {
            (Way::Up, Some(bytes)) => {
                *self.raising() = Some(hit);
                After::Instead(bytes)
            }
            (Way::Down, _) if is_data => {
                *self.raising() = Some(hit);
                flow.frames.look_at_data();
                self.conversation().break_copy_out(code);
                // A request might cancel what was sent ahead instead.
                if self.conversation().exchanges() == 1 {
                    self.cancel().await;
                }
                After::Drop
            }
            // The server skips it; nothing can be raised, and nothing is announced.
            _ => After::GoOn,
        }
    }

    async fn terminate(&self, flow: &mut Flow, hit: Hit, code: SqlState) -> After {
        let pid = self.conversation().pid();
        let Some(pid) = pid else { return After::GoOn };
        flow.frames.look_at_data();
        self.conversation().terminated = Some(code);
        *self.raising() = Some(hit);
        match self.shared.side.terminate(pid).await {
            Ok(true) => After::Drop,
            // It cannot be done, so nothing is announced: the fault did not strike.
            Ok(false) | Err(_) => {
                self.conversation().terminated = None;
                *self.raising() = None;
                After::GoOn
            }
        }
    }

    /// Asks the server to cancel what it is doing; it has acted when this returns.
    async fn cancel(&self) {
        let key = self.conversation().key.clone();
        let request = startup::cancel_request(&key);
        // A COPY that is not cancelled is read to its end.
        let _ = hand_on_cancel(&request, self.shared, None).await;
    }
}

impl Session<'_> {
    /// After a transaction: whether something durable has changed.
    pub(super) async fn reach_epoch(&self, statement: &Statement) -> Option<Hit> {
        match self.shared.epoch_has_ended().await {
            true => self.reach(Axis::Epoch, Some(statement.fingerprint), &statement.label),
            false => None,
        }
    }
}

impl Shared {
    /// The first connection: from here on commits have something to be compared with. Later ones must not look, or a
    /// commit that is just being answered would seem to have left nothing.
    async fn begin_epochs(&self) {
        let watched = self.epochs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(epochs) = watched.filter(|epochs| !epochs.have_begun()) {
            let _ = self.side.moved(&epochs).await; // one state more is visited
        }
    }

    /// Whether the log has got further, as far as epochs are watched. Where the server does not say it may have.
    async fn epoch_has_ended(&self) -> bool {
        let watched = self.epochs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match watched {
            Some(epochs) => self.side.moved(&epochs).await.unwrap_or(true),
            None => false,
        }
    }

    fn refuses(&self, user: &str) -> bool {
        self.rules.forbidden_role.as_deref() == Some(user)
    }

    fn reach(&self, conn: u32, axis: Axis, fingerprint: Option<Fingerprint>, label: &Arc<str>) -> Option<Hit> {
        self.ledger.reach(Point { conn, axis, fingerprint, label: Arc::clone(label) })
    }
}

/// Does what can be done before a session is there.
async fn strike(shared: &Shared, line: &Line, hit: Hit) -> After {
    match hit.act {
        Act::Hold => {
            shared.gate.freeze();
            hit.announce();
            shared.gate.opened().await;
            After::GoOn
        }
        Act::Stall(time) => {
            hit.announce();
            line.stall(time).await;
            After::GoOn
        }
        Act::Slow(delay) => {
            line.slow(delay);
            hit.announce();
            After::GoOn
        }
        Act::Close => After::Over(End::Close(hit)),
        // On an axis that has no such thing the rest is a reset.
        _ => After::Over(End::Reset(hit)),
    }
}

/// Ends a connection towards both sides. A hit is announced before the client can see it: whoever waits for its end
/// must find that this was the reason.
async fn close(client: Stream, server: Option<Stream>, end: End, shared: &Shared) -> io::Result<()> {
    match end {
        End::Closed => drop((server, client)),
        End::Reset(hit) => {
            drop(server);
            client.reset_on_close();
            hit.announce();
            drop(client);
        }
        End::Close(hit) => {
            drop(server);
            hit.announce();
            client.finish(&shared.gate).await;
            // With data unread the closing would be a reset.
            let mut lost = BytesMut::new();
            while client.read(&mut lost).await? > 0 {
                lost.clear();
            }
        }
        End::Orphan(hit) => {
            client.reset_on_close();
            hit.announce();
            drop(client);
            if let Some(server) = server {
                // It looks for more only when it is done; were it to wait for something else, it would do so for ever.
                server.finish(&shared.gate).await;
                until_answered(&server).await?;
            }
        }
    }
    Ok(())
}

/// Reads on until the server is ready for more, or for the rows of a COPY that nobody will send.
async fn until_answered(server: &Stream) -> io::Result<()> {
    let (mut frames, mut buffer) = (Frames::of(b"ZG"), BytesMut::new());
    loop {
        match frames.next(&buffer) {
            Next::Frame(_) => return Ok(()),
            Next::Run(bytes) => buffer.advance(bytes),
            Next::More if server.read(&mut buffer).await? == 0 => return Ok(()),
            Next::More => {}
        }
    }
}

async fn refuse(client: &Stream, user: &str, shared: &Shared) -> io::Result<()> {
    let message = format!("role \"{user}\" is the rehearsal's own and may not connect through its proxy");
    client.write(&shared.gate, &startup::fatal("28000", &message)).await
}

/// Hands a cancel request on, and keeps the client until the server has closed: it has acted by then.
async fn cancel(client: &Stream, packet: &[u8], shared: &Shared) -> io::Result<()> {
    hand_on_cancel(packet, shared, Some(client)).await
}

async fn hand_on_cancel(packet: &[u8], shared: &Shared, client: Option<&Stream>) -> io::Result<()> {
    let server = Stream::connect(&shared.upstream).await?;
    server.write(&shared.gate, packet).await?;
    let mut answer = BytesMut::new();
    while server.read(&mut answer).await? > 0 {
        let bytes = answer.split();
        if let Some(client) = client {
            client.write(&shared.gate, &bytes).await?;
        }
    }
    Ok(())
}
