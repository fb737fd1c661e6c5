//! Rows over a unix socket, without a driver: for a narrow row a driver does more than we do, and we read millions.
//!
//! Only where the server lets us in without a password, as our own clusters do; everybody else is read through the
//! driver, to the same end. The snapshot is the driver's connection's.

use crate::db::Dsn;
use crate::{Error, Result};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

const BUFFER: usize = 256 * 1024;
/// Protocol 3.0.
const VERSION: u32 = 196_608;

/// A connection that can do one thing: COPY TO STDOUT.
pub(super) struct Lane {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// What was received and not looked at yet.
    start: usize,
    end: usize,
}

/// A message: its letter, and where its body is in the buffer.
type Message = (u8, std::ops::Range<usize>);

impl Lane {
    /// Connects and runs `begin`; nothing where that cannot be done so.
    pub(super) fn open(dsn: &Dsn, begin: &str) -> Option<Lane> {
        let options = dsn.options();
        let socket = options.get_socket()?.join(format!(".s.PGSQL.{}", options.get_port()));
        let stream = UnixStream::connect(socket).ok()?;
        let mut lane = Lane { stream, buffer: vec![0; BUFFER], start: 0, end: 0 };
        let mut parameters = vec![("user", options.get_username()), ("database", dsn.database())];
        parameters.extend([("client_encoding", "UTF8"), ("application_name", "rehearse")]);
        parameters.extend(options.get_options().map(|options| ("options", options)));
        lane.stream.write_all(&startup(&parameters)).ok()?;
        lane.let_in()?;
        lane.copy(begin, |_| Ok(())).ok()?;
        Some(lane)
    }

    /// Ends a COPY that nobody waits for any more.
    pub(super) fn hang_up(&self) -> Option<HangUp> {
        self.stream.try_clone().ok().map(|stream| HangUp(Some(stream)))
    }

    /// Until the server is ready; nothing if it wants a password.
    fn let_in(&mut self) -> Option<()> {
        loop {
            let (letter, body) = self.next().ok()?;
            match letter {
                b'R' if self.buffer[body.clone()] != [0; 4] => return None,
                b'E' => return None,
                b'Z' => return Some(()),
                _ => {}
            }
        }
    }

    /// Runs a statement, and gives each message of its COPY to `each`.
    pub(super) fn copy(&mut self, sql: &str, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.stream.write_all(&query(sql)).map_err(|error| lost(&error))?;
        let mut outcome = Ok(());
        loop {
            let (letter, body) = self.next().map_err(|error| lost(&error))?;
            match letter {
                b'd' => each(&self.buffer[body])?,
                b'E' => outcome = Err(said(&self.buffer[body])),
                b'Z' => return outcome,
                _ => {}
            }
        }
    }

    #[inline(always)]
    fn next(&mut self) -> std::io::Result<Message> {
        loop {
            let (at, buffer) = (self.start, &self.buffer);
            if self.end - at < 5 {
                self.fill(5)?;
                continue;
            }
            let length = u32::from_be_bytes([buffer[at + 1], buffer[at + 2], buffer[at + 3], buffer[at + 4]]) as usize;
            let end = at + 1 + length.max(4);
            if end <= self.end {
                self.start = end;
                return Ok((buffer[at], at + 5..end));
            }
            self.fill(end - at)?;
        }
    }

    /// Receives more of a message of `length` bytes that is not whole yet.
    fn fill(&mut self, length: usize) -> std::io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        match self.stream.read(&mut self.buffer[self.end..])? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            received => {
                self.end += received;
                Ok(())
            }
        }
    }
}

/// Closes the connection when it is dropped, unless [`HangUp::keep`] comes first.
pub(super) struct HangUp(Option<UnixStream>);

impl HangUp {
    /// The reader came to its end. Only this handle is closed; the connection has another.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for HangUp {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            let _ = stream.shutdown(Shutdown::Both); // it may be closed already
        }
    }
}

fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = VERSION.to_be_bytes().to_vec();
    for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body].concat()
}

fn query(sql: &str) -> Vec<u8> {
    let length = u32::try_from(sql.len() + 5).unwrap_or(u32::MAX);
    [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat()
}

/// Fields of a letter and a text, each ended by a zero.
fn said(body: &[u8]) -> Error {
    let field = |letter: u8| {
        let found = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&letter));
        String::from_utf8_lossy(found.and_then(|field| field.get(1..)).unwrap_or_default()).into_owned()
    };
    Error::environment(format!("the server says: {} (SQLSTATE {})", field(b'M'), field(b'C')))
}

fn lost(error: &std::io::Error) -> Error {
    Error::environment(format!("the connection failed: {error}"))
}
