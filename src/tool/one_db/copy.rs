//! COPY from one server to another: cut into equal pieces, hashed in flight, never held whole.

use super::session::{Session, Sink, named, trouble};
use super::table::Form;
use crate::model::TableDigest;
use crate::{Error, Result};
use futures_util::TryStreamExt;

/// Bytes per message to the target. By bytes and not by arrival, so that every run sends the same messages; a message
/// for each row would cost three times as much.
const PIECE: usize = 64 * 1024;

/// Signature, flags and the length of an empty extension.
const BINARY_HEADER: usize = 19;
const BINARY_TRAILER: [u8; 2] = [0xff, 0xff];

/// Finds the rows in the server's messages: it sends one for each row, and in binary a header before the first and a
/// trailer after the last.
pub(super) struct Rows {
    form: Form,
    first: bool,
}

impl Rows {
    pub(super) fn new(form: Form) -> Rows {
        Rows { form, first: true }
    }

    pub(super) fn row<'m>(&mut self, message: &'m [u8]) -> Option<&'m [u8]> {
        if self.form == Form::Text {
            return Some(message);
        }
        let rest = if std::mem::take(&mut self.first) { message.get(BINARY_HEADER..)? } else { message };
        (!rest.is_empty() && rest != BINARY_TRAILER).then_some(rest)
    }
}

/// Digest of all that a COPY gives.
pub(super) async fn digest(session: &mut Session, step: &str, sql: &str, form: Form) -> Result<TableDigest> {
    let (mut digest, mut rows) = (TableDigest::default(), Rows::new(form));
    session
        .copy_out(step, sql, |message| {
            if let Some(row) = rows.row(message) {
                digest.add(row);
            }
        })
        .await?;
    Ok(digest)
}

/// What flows, and how it is called.
pub(super) struct Pipe<'a> {
    pub(super) step: &'a str,
    pub(super) out: &'a str,
    pub(super) into: &'a str,
    pub(super) form: Form,
}

impl Pipe<'_> {
    /// Moves all rows; the digest is the source's. After an error the target's connection is good for nothing; the
    /// source's is still good if it was the target that refused, for it says so only when all is read.
    pub(super) async fn pump(&self, source: &mut Session, target: &mut Session) -> Result<TableDigest> {
        let (source, source_endpoint) = source.connection();
        let (target, target_endpoint) = target.connection();
        let of_source = |error| trouble(source_endpoint, &format!("{} out", self.step), error);
        let of_target = |error| trouble(target_endpoint, &format!("{} in", self.step), error);

        // The target first: what it does not accept leaves nothing unread in the source.
        let mut sink = target.copy_in_raw(&named(self.step, self.into)).await.map_err(of_target)?;
        let out = named(self.step, self.out);
        let mut messages = source.copy_out_raw(&out).await.map_err(of_source)?;
        let (mut digest, mut rows, mut pending) = (TableDigest::default(), Rows::new(self.form), Vec::new());
        while let Some(message) = messages.try_next().await.map_err(of_source)? {
            if let Some(row) = rows.row(&message) {
                digest.add(row);
            }
            pending.extend_from_slice(&message);
            if pending.len() >= PIECE {
                send_pieces(&mut sink, &mut pending).await.map_err(of_target)?;
            }
        }
        if !pending.is_empty() {
            sink.send(&pending[..]).await.map_err(of_target)?;
        }
        let written = sink.finish().await.map_err(of_target)?;
        if written != digest.rows {
            return Err(Error::bug(format!("{}: read {} rows, wrote {written}", self.step, digest.rows)));
        }
        Ok(digest)
    }
}

async fn send_pieces(sink: &mut Sink<'_>, pending: &mut Vec<u8>) -> std::result::Result<(), sqlx::Error> {
    let whole = pending.len() - pending.len() % PIECE;
    for piece in pending[..whole].chunks(PIECE) {
        sink.send(piece).await?;
    }
    pending.drain(..whole);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn header_then(row: &[u8]) -> Vec<u8> {
        [&[7; BINARY_HEADER], row].concat()
    }

    #[rstest]
    #[case::header_with_the_first_row(vec![header_then(b"a"), b"b".to_vec(), BINARY_TRAILER.to_vec()], "ab")]
    #[case::header_alone(vec![header_then(b""), b"a".to_vec(), BINARY_TRAILER.to_vec()], "a")]
    #[case::no_row(vec![header_then(&BINARY_TRAILER)], "")]
    fn header_and_trailer_are_no_rows(#[case] messages: Vec<Vec<u8>>, #[case] expected: &str) {
        let mut rows = Rows::new(Form::Binary);
        let found: Vec<u8> = messages.iter().filter_map(|message| rows.row(message)).flatten().copied().collect();
        assert_eq!(found, expected.as_bytes());
    }
}
