//! One side of a connection: a socket that both directions use at once, without being split.

use super::gate::Gate;
use super::tunnel;
use crate::target::Reach;
use bytes::BytesMut;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// Room for one read; also the most that is in flight in one direction, a larger statement apart.
const READ_BYTES: usize = 256 * 1024;

/// A read of this size is followed by another at once.
const BULK_BYTES: usize = 4 * 1024;

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// To a server.
    pub(super) async fn connect(reach: &Reach) -> io::Result<Stream> {
        match reach {
            Reach::Socket(file) => Ok(Stream::Unix(UnixStream::connect(file).await?)),
            Reach::Tcp { host, port, is_encrypted } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                match is_encrypted {
                    false => Ok(Stream::Tcp(socket)),
                    true => Ok(Stream::Unix(tunnel::open(socket, host).await?)),
                }
            }
        }
    }

    /// Appends what has arrived to `buffer`, waiting for at least one byte; 0 is the end of the stream. Cancel safe.
    pub(super) async fn read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        // A stream that never waits would keep its thread from all others.
        tokio::task::coop::consume_budget().await;
        make_room(buffer);
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable().await?,
                Ok(read) if read >= BULK_BYTES => return Ok(read + self.read_more(buffer)),
                done => return done,
            }
        }
    }

    /// Appends what is there besides: a server sends 8 KB at a time, and one write of many is cheaper than many.
    fn read_more(&self, buffer: &mut BytesMut) -> usize {
        let mut more = 0;
        while buffer.capacity() - buffer.len() >= BULK_BYTES {
            match self.try_read(buffer) {
                Ok(read @ 1..) => more += read,
                // The end or the trouble is met again by the next read.
                Ok(0) | Err(_) => break,
            }
        }
        more
    }

    /// Writes all of `bytes`, as far as the gate lets them pass.
    pub(super) async fn write(&self, gate: &Gate, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match gate.pass(|| self.try_write(bytes)) {
                None => gate.opened().await,
                Some(Ok(written)) => bytes = &bytes[written..],
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => self.writable().await?,
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(super) async fn finish(&self, gate: &Gate) {
        // A socket that is closed already has been told.
        while gate.pass(|| drop(self.shut())).is_none() {
            gate.opened().await;
        }
    }

    /// Lets the closing of the socket send RST in place of FIN.
    pub(super) fn reset_on_close(&self) {
        if let Stream::Tcp(socket) = self {
            // Fails on sockets only that are gone anyway.
            let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    fn shut(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(socket) => socket2::SockRef::from(socket).shutdown(Shutdown::Write),
            Stream::Unix(socket) => socket2::SockRef::from(socket).shutdown(Shutdown::Write),
        }
    }

    async fn readable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(socket) => {
                acknowledge(socket);
                socket.readable().await
            }
            Stream::Unix(socket) => socket.readable().await,
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(socket) => socket.writable().await,
            Stream::Unix(socket) => socket.writable().await,
        }
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.try_read_buf(buffer),
            Stream::Unix(socket) => socket.try_read_buf(buffer),
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.try_write(bytes),
            Stream::Unix(socket) => socket.try_write(bytes),
        }
    }
}

/// Acknowledges at once what was read. A driver that leaves Nagle's algorithm on holds its next small write back until
/// then, 40 ms each time: 21 tables took a second instead of a fifth of one.
fn acknowledge(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(socket).set_tcp_quickack(true); // a socket that is gone needs none
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Room for a good read; the memory of a giant statement is given back once it has passed.
fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
        buffer.reserve(READ_BYTES);
    }
    if buffer.is_empty() && buffer.capacity() > 4 * READ_BYTES {
        *buffer = BytesMut::with_capacity(READ_BYTES);
    }
}
