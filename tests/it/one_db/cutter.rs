//! A small proxy that ends connections at a chosen message of the client.

use super::stage::Server;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How the connection ends at a message of the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cut {
    /// The server never sees the message.
    Before,
    /// The server acts on it, the client never hears.
    After,
}

/// Between the tool and a server: counts the client's messages over all connections and cuts all of them at the n-th.
pub(super) struct Cutter {
    pub(super) port: u16,
    pub(super) seen: Arc<AtomicU32>,
    pub(super) connections: Arc<AtomicU32>,
}

impl Cutter {
    pub(super) fn start(server: &Server, at: u32, cut: Cut) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, connections) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let opened = Arc::clone(&connections);
        let (count, socket) = (Arc::clone(&seen), server.folder.path().join(format!(".s.PGSQL.{}", server.port)));
        // The threads end when the tool and the server close their ends, the listener with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                opened.fetch_add(1, Ordering::SeqCst);
                let upstream = UnixStream::connect(&socket).unwrap();
                let (back_from, mut back_to) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
                let muted = Arc::new(AtomicBool::new(false));
                let (count, mute) = (Arc::clone(&count), Arc::clone(&muted));
                std::thread::spawn(move || forward(client, upstream, &count, at, cut, &mute));
                std::thread::spawn(move || answer(back_from, &mut back_to, &muted));
            }
        });
        Cutter { port, seen, connections }
    }
}

pub(super) fn forward(
    mut client: TcpStream,
    mut upstream: UnixStream,
    count: &AtomicU32,
    at: u32,
    cut: Cut,
    mute: &AtomicBool,
) {
    let mut started = false;
    loop {
        // The startup message has no type byte.
        let mut head = vec![0; if started { 5 } else { 4 }];
        if client.read_exact(&mut head).is_err() {
            upstream.shutdown(Shutdown::Both).ok();
            return;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        client.read_exact(&mut body).ok();
        let number = if started { count.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        started = true;
        let struck = number >= at && head[0] != b'X';
        if struck && (cut == Cut::Before || number > at) {
            client.shutdown(Shutdown::Both).ok();
            upstream.shutdown(Shutdown::Both).ok();
            return;
        }
        mute.store(struck, Ordering::SeqCst);
        if upstream.write_all(&[head, body].concat()).is_err() {
            client.shutdown(Shutdown::Both).ok();
            return;
        }
    }
}

/// Passes the server's bytes on; once muted, its next words end the client's connection instead.
pub(super) fn answer(mut upstream: UnixStream, client: &mut TcpStream, muted: &AtomicBool) {
    let mut bytes = vec![0; 65536];
    while let Ok(read @ 1..) = upstream.read(&mut bytes) {
        if muted.load(Ordering::SeqCst) || client.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    client.shutdown(Shutdown::Both).ok();
}
