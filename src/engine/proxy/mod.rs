//! A Postgres proxy that understands enough of the wire protocol to count what passes, and to strike at the n-th.
//!
//! One [`Proxy`] is one TCP listener on the loopback interface: one endpoint (`pg.target`) of one case. It forwards to
//! one server. The bytes that go through are never changed but by a strike, and never taken apart and put together
//! again: a view is parsed beside them. What it is not: a pooler, a TLS end (SSLRequest and GSSENCRequest are answered with `N`), a
//! judge of the protocol (what it does not understand it passes on, and the server answers).
//!
//! # Points
//! | axis | counted | struck |
//! |---|---|---|
//! | `conn` | a start-up packet has arrived; cancel requests and refused roles do not count | before the server is connected to |
//! | `stmt` | a Query (with however many statements) or the first Execute of a bound portal | before the frame goes to the server |
//! | `ack` | a CommandComplete: one per statement of a Query, one per portal that is run to its end | the server is done; before the frame goes to the client |
//! | `copyin` | a CopyData of the client, under the fingerprint of its COPY | before the frame goes to the server |
//! | `copyout` | a CopyData of the server, likewise | before the frame goes to the client |
//! | `byte` | a byte of the client after the start-up packet, under the fingerprint of the statement that it belongs to or follows | before the byte goes to the server |
//! | `epoch` | a `commit` after which the server's log has got further than at the one before, on any connection to the cluster: something durable has changed; only while [`Proxy::watch_epochs`] is on | as `commit` |
//! | `commit` | a ReadyForQuery(idle) that ends a transaction, explicit or implicit, committed or not, in which at least one statement ran | before the frame goes to the client |
//!
//! A FunctionCall is not a statement. Frames that precede a struck one have been forwarded. `ack` and `commit` carry the fingerprint of the Query or
//! Execute that they end, `commit` that of the last one of the transaction. An Execute that the server skips because
//! of an earlier error counts as `stmt`, since it was sent. At an `ack` of a statement outside a transaction block
//! the server has committed already (Query), or commits with the Sync that usually is on its way (Execute).
//!
//! # Files
//! `raise` is what makes the server refuse, `side` our own connection to it, `line` what a strike leaves of a connection.
//! [`strike`] arms and counts, [`trace`] records, [`sql`] gives statements their fingerprints; `lex` reads SQL; `frame` finds the
//! frames, `statement` knows which statement an answer belongs to, `known` those that were sent before, `startup` opens, `session` is one connection and
//! `pump` one direction of it; `gate` freezes; `stream` is a socket, `tunnel` TLS behind one.

mod frame;
mod gate;
mod known;
mod lex;
mod line;
mod pump;
mod raise;
mod session;
mod side;
pub mod sql;
mod startup;
mod statement;
mod stream;
pub mod strike;
pub mod trace;
mod tunnel;

pub use side::Epochs;
pub use strike::{Act, Armed, Fired, Strike};
pub use trace::{Point, Tally, Trace};

use crate::error::{Error, Result};
use crate::target::Reach;
use gate::Gate;
use side::Side;
use sqlx::postgres::PgConnectOptions;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use strike::Ledger;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// A running proxy. Dropping it closes the listener and all connections.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// Each is an order to sever; none any more ends the thread.
    orders: Option<mpsc::UnboundedSender<Severed>>,
    thread: Option<JoinHandle<()>>,
}

/// What a proxy refuses, and what it may do itself.
#[derive(Debug, Clone, Default)]
pub struct ProxyRules {
    /// A role that may not come this way: the superuser of the harness.
    pub forbidden_role: Option<String>,
    /// How the proxy itself connects, as superuser, to end a backend and to ask for the state of the log. Without it
    /// errors that end a session cannot be raised, and there are no points on the axis `epoch`.
    pub side: Option<PgConnectOptions>,
}

/// What all connections of a proxy have in common.
struct Shared {
    upstream: Reach,
    rules: ProxyRules,
    ledger: Ledger,
    gate: Gate,
    side: Side,
    epochs: Mutex<Option<Epochs>>,
    conns: AtomicU32,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `upstream`. The server need not be there yet.
    ///
    /// # Errors
    /// [`ErrorKind::Environment`](crate::ErrorKind::Environment) when there is no port or no thread.
    pub async fn start(endpoint: &str, upstream: impl Into<Reach>, rules: ProxyRules) -> Result<Proxy> {
        let trouble = || Error::environment(format!("endpoint {endpoint}: cannot listen on 127.0.0.1"));
        let (ledger, gate) = (Ledger::new(endpoint), Gate::open());
        let side = Side::new(rules.side.clone());
        let shared = Arc::new(Shared {
            upstream: upstream.into(),
            rules,
            ledger,
            gate,
            side,
            epochs: Mutex::default(),
            conns: AtomicU32::new(0),
        });
        let (orders, received) = mpsc::unbounded_channel();
        let (ready, port) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(endpoint.to_owned())
            .spawn(move || serve(served, received, ready))
            .map_err(|error| trouble().caused_by(error))?;
        let port = port.await.map_err(|error| trouble().caused_by(error))?;
        let port = port.map_err(|error| trouble().caused_by(error))?;
        Ok(Proxy { port, shared, orders: Some(orders), thread: Some(thread) })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Arms one strike in place of the one before; its counting begins now.
    pub fn arm(&self, strike: Strike) -> Armed {
        self.shared.ledger.arm(strike)
    }

    /// Counts and records `epoch` from now on. Give all proxies in front of one cluster the same `epochs`, and let
    /// nobody else write to it.
    pub fn watch_epochs(&self, epochs: Epochs) {
        *self.shared.epochs.lock().unwrap_or_else(PoisonError::into_inner) = Some(epochs);
    }

    /// Takes the strike away and heals: what was held or frozen flows on, and later connections work again.
    ///
    /// After a kill call [`Proxy::sever`] first, or what a dead client has sent flows on too.
    pub fn disarm(&self) {
        self.shared.ledger.disarm();
        self.shared.gate.thaw();
    }

    /// Stops forwarding in both directions on all connections; not a byte goes through once this has returned.
    /// [`Proxy::disarm`] ends it.
    pub fn freeze(&self) {
        self.shared.gate.freeze();
    }

    /// The server behind a frozen proxy is dead: nothing goes through any more that either side had said, and at the latest
    /// when it is disarmed the connections of now end. Later ones wait until then.
    pub fn give_up(&self) {
        self.shared.gate.give_up();
    }

    /// How many connections have come in since the start.
    pub fn connections(&self) -> u32 {
        self.shared.conns.load(Ordering::SeqCst)
    }

    /// What was recorded since the start or the last call.
    pub fn take_trace(&self) -> Trace {
        self.shared.ledger.take()
    }

    /// Closes all live connections on both sides, frozen or not, and returns when they are closed.
    /// Later ones are served; a frozen proxy stays frozen until [`Proxy::disarm`].
    pub async fn sever(&self) {
        let (done, closed) = oneshot::channel();
        // Errors say that the thread is gone, and the connections with it.
        if self.orders.as_ref().is_some_and(|orders| orders.send(done).is_ok()) {
            let _ = closed.await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It ends at once: nothing in it blocks.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("port", &self.port).finish_non_exhaustive()
    }
}

/// The answer to an order to sever.
type Severed = oneshot::Sender<()>;

/// The thread of a proxy, a runtime of its own: the way through is not delayed by what the engine computes, and a
/// round trip wakes one thread (measured: some 40 us in a debug build, where a shared pool of threads takes 80).
fn serve(shared: Arc<Shared>, orders: mpsc::UnboundedReceiver<Severed>, ready: oneshot::Sender<io::Result<u16>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    runtime.block_on(async {
        let (listener, port) = match listen().await {
            Ok((listener, port)) => (Some(listener), Ok(port)),
            Err(error) => (None, Err(error)),
        };
        let wanted = ready.send(port).is_ok();
        if let Some(listener) = listener.filter(|_| wanted) {
            accept(listener, shared, orders).await;
        }
    });
}

async fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Owns the listener and all connections: they end when this does, and this does when nobody can give orders.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut orders: mpsc::UnboundedReceiver<Severed>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(done) = order else { return };
                sessions.shutdown().await;
                // Nobody waits any more when the caller was cancelled.
                let _ = done.send(());
            }
            client = next_client(&listener) => {
                sessions.spawn(session::serve(client, Arc::clone(&shared)));
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

/// The next client. Without file descriptors there is none until somebody gives one back.
async fn next_client(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => return client,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
