//! The first packet of a connection: it has no tag, and may be a question about encryption or a cancel request.

use super::gate::Gate;
use super::stream::Stream;
use bytes::{Buf, BytesMut};
use std::io;

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The largest first packet in Postgres (`MAX_STARTUP_PACKET_LENGTH`).
const MAX_BYTES: usize = 10_000;

/// How a connection opens. The packet is as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Session { packet: Vec<u8>, user: String, database: String },
    Cancel { packet: Vec<u8> },
}

/// Reads up to the first real packet; questions about encryption are answered with `N`. None when there is no such
/// packet: the client left, or sent something else. What follows the packet stays in `buffer`.
pub(super) async fn open(client: &Stream, gate: &Gate, buffer: &mut BytesMut) -> io::Result<Option<Opening>> {
    loop {
        match take_packet(buffer) {
            Taken::More => {
                if client.read(buffer).await? == 0 {
                    return Ok(None);
                }
            }
            Taken::Encryption => client.write(gate, b"N").await?,
            Taken::Opening(opening) => return Ok(Some(opening)),
            Taken::Nonsense => return Ok(None),
        }
    }
}

enum Taken {
    More,
    Encryption,
    Opening(Opening),
    Nonsense,
}

fn take_packet(buffer: &mut BytesMut) -> Taken {
    let Some(length) = number_at(buffer, 0) else { return Taken::More };
    let length = length as usize;
    if !(8..=MAX_BYTES).contains(&length) {
        return Taken::Nonsense;
    }
    if buffer.len() < length {
        return Taken::More;
    }
    let packet = buffer[..length].to_vec();
    buffer.advance(length);
    match number_at(&packet, 4) {
        Some(SSL_REQUEST | GSSENC_REQUEST) => Taken::Encryption,
        Some(CANCEL_REQUEST) => Taken::Opening(Opening::Cancel { packet }),
        _ => Taken::Opening(session(packet)),
    }
}

fn session(packet: Vec<u8>) -> Opening {
    let user = parameter(&packet, "user").unwrap_or_default();
    let database = parameter(&packet, "database").unwrap_or_else(|| user.clone());
    Opening::Session { packet, user, database }
}

/// The last value of a start-up parameter, which is the one that counts.
fn parameter(packet: &[u8], name: &str) -> Option<String> {
    let mut texts = packet[8..].split(|byte| *byte == 0);
    let mut value = None;
    while let (Some(key), Some(text)) = (texts.next().filter(|key| !key.is_empty()), texts.next()) {
        if key == name.as_bytes() {
            value = Some(String::from_utf8_lossy(text).into_owned());
        }
    }
    value
}

fn number_at(bytes: &[u8], start: usize) -> Option<u32> {
    let bytes = bytes.get(start..start + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// The packet that asks the server to cancel what the holder of `key` does.
pub(super) fn cancel_request(key: &[u8]) -> Vec<u8> {
    let length = u32::try_from(key.len() + 8).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &CANCEL_REQUEST.to_be_bytes(), key].concat()
}

/// An ErrorResponse that ends a session.
pub(super) fn fatal(sqlstate: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
    [b"E", &length[..], fields.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(rest.len() + 8).unwrap();
        [&length.to_be_bytes()[..], &code.to_be_bytes(), rest].concat()
    }

    #[test]
    fn the_role_and_the_database_are_read() {
        let bytes = packet(196_608, b"user\0ada\0database\0shop\0application_name\0x\0\0");
        let taken = take_packet(&mut BytesMut::from(&bytes[..]));
        let Taken::Opening(Opening::Session { user, database, packet }) = taken else { panic!("not a session") };
        assert_eq!((&*user, &*database, packet), ("ada", "shop", bytes));
    }

    #[test]
    fn the_database_is_the_role_if_none_is_named_and_the_last_role_counts() {
        let bytes = packet(196_608, b"user\0ada\0user\0postgres\0\0");
        let Opening::Session { user, database, .. } = session(bytes) else { panic!("not a session") };
        assert_eq!((&*user, &*database), ("postgres", "postgres"));
    }

    #[test]
    fn what_is_no_packet_is_told_from_what_is_not_there_yet() {
        assert!(matches!(take_packet(&mut BytesMut::from(&b"\0\0"[..])), Taken::More));
        assert!(matches!(take_packet(&mut BytesMut::from(&b"\0\0\0\x10\0\x03"[..])), Taken::More));
        assert!(matches!(take_packet(&mut BytesMut::from(&b"\0\0\0\x07\0\x03\0"[..])), Taken::Nonsense));
        assert!(matches!(take_packet(&mut BytesMut::from(&b"GET / HTTP/1.1"[..])), Taken::Nonsense));
        let ssl = packet(SSL_REQUEST, b"");
        assert!(matches!(take_packet(&mut BytesMut::from(&ssl[..])), Taken::Encryption));
    }
}
