//! What a file holds. Of a thousand states that a loss of power may leave, most files are the same in all: they share it,
//! and it was hashed once.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// The bytes of a file; a copy costs nothing.
#[derive(Clone)]
pub struct Content {
    bytes: Arc<[u8]>,
    hash: u128,
}

impl Content {
    /// The xxh3-128 digest of the bytes.
    pub fn hash(&self) -> u128 {
        self.hash
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Content {
        Content { hash: xxh3_128(&bytes), bytes: bytes.into() }
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) || (self.hash == other.hash && self.bytes == other.bytes)
    }
}

impl Eq for Content {}

// A database is no text that anybody reads.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {:032x}", self.bytes.len(), self.hash)
    }
}
