//! A client that sends exactly the frames that a test names.

use super::server::{Case, DEADLINE};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// What a cancel request must name.
    pub(super) key: Vec<u8>,
}

impl Client {
    /// A connection that has got as far as the first ReadyForQuery.
    pub(super) async fn open(case: &Case) -> Client {
        Client::open_as(case, "tool").await.unwrap()
    }

    pub(super) async fn open_as(case: &Case, user: &str) -> io::Result<Client> {
        let mut client = Client::start(case, user).await?;
        loop {
            match client.frame().await? {
                (b'Z', _) => return Ok(client),
                (b'K', key) => client.key = key,
                (b'E', body) => return Err(io::Error::other(String::from_utf8_lossy(&body).replace('\0', " "))),
                _ => {}
            }
        }
    }

    /// A connection that has sent its start-up packet and read nothing.
    pub(super) async fn start(case: &Case, user: &str) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", case.proxy.port())).await?;
        let mut client = Client { stream, key: Vec::new() };
        let parameters = format!("user\0{user}\0database\0{}\0\0", case.database);
        client.send(&packet(196_608, parameters.as_bytes())).await;
        Ok(client)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame: its tag and its body.
    pub(super) async fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let read = async {
            let tag = self.stream.read_u8().await?;
            let mut body = vec![0; self.stream.read_u32().await? as usize - 4];
            self.stream.read_exact(&mut body).await?;
            Ok((tag, body))
        };
        tokio::time::timeout(DEADLINE, read).await.expect("the server is silent")
    }

    /// The tags of all frames up to this one.
    pub(super) async fn until(&mut self, last: u8) -> io::Result<String> {
        let mut tags = String::new();
        while !tags.ends_with(last as char) {
            tags.push(self.frame().await?.0 as char);
        }
        Ok(tags)
    }

    /// Sends, and returns the tags of the answer.
    pub(super) async fn ask(&mut self, bytes: &[u8]) -> String {
        self.send(bytes).await;
        self.until(b'Z').await.unwrap()
    }
}

pub(super) fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(rest.len() + 8).unwrap();
    [&length.to_be_bytes()[..], &code.to_be_bytes(), rest].concat()
}

pub(super) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

pub(super) fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', format!("{sql}\0").as_bytes())
}

pub(super) fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

pub(super) fn bind(portal: &str, name: &str) -> Vec<u8> {
    frame(b'B', format!("{portal}\0{name}\0\0\0\0\0\0\0").as_bytes())
}

pub(super) fn execute(portal: &str, max_rows: u32) -> Vec<u8> {
    frame(b'E', &[portal.as_bytes(), &[0], &max_rows.to_be_bytes()].concat())
}

pub(super) fn close_statement(name: &str) -> Vec<u8> {
    frame(b'C', format!("S{name}\0").as_bytes())
}

pub(super) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

/// Parse, Bind and Execute of the unnamed statement.
pub(super) fn extended(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", ""), execute("", 0)].concat()
}
