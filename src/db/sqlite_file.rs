//! SQLite's file format, read by us and not by SQLite: pages, trees, records. Who checks is not who wrote.
//!
//! ```text
//! pages   the file as pages, and which of them were met
//! page    one page of a tree, and the cells in it
//! tree    all entries of a tree, in their order
//! record  the values of an entry
//! ```
//!
//! Read is what nobody writes meanwhile and nothing lies beside. Left to SQLite are files whose pages may move
//! (auto-vacuum), those in UTF-16, and what has no header that we know (docs/decisions/019-pages-read-by-us.md).
//!
//! Source: <https://www.sqlite.org/fileformat2.html>.

mod page;
mod pages;
mod record;
mod tree;

pub(crate) use page::Kind;
pub(crate) use pages::{Pages, Seen};
pub(crate) use record::{Field, Lacking, Layout, Taken};
pub(crate) use tree::{Tree, entries, structure};

use std::{fmt, io};

/// Why reading ended. It is asked about after each entry, so it is small.
#[derive(Debug)]
pub(crate) struct Flaw(Box<Why>);

#[derive(Debug)]
pub(crate) enum Why {
    /// The file cannot be read.
    Io(io::Error),
    /// It is not sound, in words.
    Found(String),
}

impl Flaw {
    fn io(error: io::Error) -> Flaw {
        Flaw(Box::new(Why::Io(error)))
    }

    #[cold]
    fn found(text: impl Into<String>) -> Flaw {
        Flaw(Box::new(Why::Found(text.into())))
    }

    pub(crate) fn why(self) -> Why {
        *self.0
    }
}

/// A number of up to nine bytes, and how many it took.
#[inline]
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((u64::from(first), 1));
    }
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(8) {
        number = number << 7 | u64::from(byte & 0x7f);
        if *byte < 0x80 {
            return Some((number, place + 1));
        }
    }
    Some((number << 8 | u64::from(*bytes.get(8)?), 9))
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Io(error) => write!(f, "{error}"),
            Why::Found(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests;
