//! One connection, from the start-up packet to its end.

use super::Shared;
use super::pump::{After, End, Way};
use super::startup::{self, Opening};
use super::statement::Conversation;
use super::stream::Stream;
use super::strike::{Act, Hit};
use super::trace::Point;
use crate::model::{Axis, Fingerprint};
use bytes::BytesMut;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpStream, UnixStream};

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
    conversation: Mutex<Conversation>,
}

async fn run(client: Stream, packet: &[u8], label: &str, buffer: BytesMut, shared: &Shared) -> io::Result<()> {
    let conn = shared.conns.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(hit) = shared.reach(conn, Axis::Conn, None, &label.into())
        && let After::Over(end) = strike(shared, hit).await
    {
        close(client, end);
        return Ok(());
    }
    let Ok(server) = UnixStream::connect(&shared.upstream).await else {
        let message = "the rehearsal's proxy cannot reach the server behind it";
        return client.write(&shared.gate, &startup::fatal("57P03", message)).await;
    };
    let server = Stream::Unix(server);
    server.write(&shared.gate, packet).await?;
    let session = Session { shared, conn, client, server, conversation: Mutex::default() };
    let end = session.converse(buffer).await;
    let Session { client, server, .. } = session;
    drop(server);
    close(client, end);
    Ok(())
}

impl Session<'_> {
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

    pub(super) fn reach(&self, axis: Axis, fingerprint: Option<Fingerprint>, label: &Arc<str>) -> Option<Hit> {
        self.shared.reach(self.conn, axis, fingerprint, label)
    }
}

impl Shared {
    fn refuses(&self, user: &str) -> bool {
        self.rules.forbidden_role.as_deref() == Some(user)
    }

    fn reach(&self, conn: u32, axis: Axis, fingerprint: Option<Fingerprint>, label: &Arc<str>) -> Option<Hit> {
        self.ledger.reach(Point { conn, axis, fingerprint, label: Arc::clone(label) })
    }
}

/// Does what was armed, before the frame that was counted goes on.
pub(super) async fn strike(shared: &Shared, hit: Hit) -> After {
    match hit.act {
        Act::Hold => {
            shared.gate.freeze();
            hit.announce();
            shared.gate.opened().await;
            After::GoOn
        }
        Act::Reset => After::Over(End::Reset(hit)),
    }
}

fn close(client: Stream, end: End) {
    match end {
        End::Closed => drop(client),
        End::Reset(hit) => {
            client.reset_on_close();
            // Before the client can see it: whoever waits for its end must find that this was the reason.
            hit.announce();
            drop(client);
        }
    }
}

async fn refuse(client: &Stream, user: &str, shared: &Shared) -> io::Result<()> {
    let message = format!("role \"{user}\" is the rehearsal's own and may not connect through its proxy");
    client.write(&shared.gate, &startup::fatal("28000", &message)).await
}

/// Hands a cancel request on, and keeps the client until the server has closed: it has acted by then.
async fn cancel(client: &Stream, packet: &[u8], shared: &Shared) -> io::Result<()> {
    let server = Stream::Unix(UnixStream::connect(&shared.upstream).await?);
    server.write(&shared.gate, packet).await?;
    let mut answer = BytesMut::new();
    while server.read(&mut answer).await? > 0 {
        client.write(&shared.gate, &answer.split()).await?;
    }
    Ok(())
}
