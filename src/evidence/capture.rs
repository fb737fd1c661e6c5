//! What a child said, bounded: the head and the tail, with the digest of all of it.

use crate::model::canonical::hex;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// How many bytes of a stream are kept by default: 1 MiB.
pub const CAPTURE_LIMIT: usize = 1 << 20;

/// Keeps the first and the last half of `limit` bytes of a stream.
pub struct Capture {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total_bytes: u64,
    hash: Sha256,
}

/// What is left of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The stream; if it was too long, its head, a line that says how much is left out, and its tail.
    pub bytes: Vec<u8>,
    /// How long the stream was.
    pub total_bytes: u64,
    /// SHA-256 of the whole stream, 64 hexadecimal digits.
    pub sha256: String,
}

impl Capture {
    /// Keeps [`CAPTURE_LIMIT`] or another number of bytes.
    pub fn new(limit: usize) -> Capture {
        let half = limit / 2;
        Capture { half, head: Vec::new(), tail: VecDeque::new(), total_bytes: 0, hash: Sha256::new() }
    }

    /// Takes the next bytes. Secrets must be masked before: a cut could split one.
    pub fn push(&mut self, chunk: &[u8]) {
        self.total_bytes += chunk.len() as u64;
        self.hash.update(chunk);
        let (head, rest) = chunk.split_at(chunk.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(&rest[rest.len().saturating_sub(self.half)..]);
        self.tail.drain(..self.tail.len().saturating_sub(self.half));
    }

    /// The end of the stream.
    pub fn finish(self) -> Captured {
        let left_out = self.total_bytes - (self.head.len() + self.tail.len()) as u64;
        let mut bytes = self.head;
        if left_out > 0 {
            bytes.extend_from_slice(format!("\n... {left_out} bytes left out ...\n").as_bytes());
        }
        bytes.extend(self.tail);
        Captured { bytes, total_bytes: self.total_bytes, sha256: hex(&self.hash.finalize()) }
    }
}
