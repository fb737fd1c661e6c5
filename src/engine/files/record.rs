//! What the shim wrote down: one entry per operation that was let through, in the order in which they were done.

use crate::{Error, Result};

/// One operation on a file below the watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOp {
    /// What was done.
    pub kind: OpKind,
    /// To which file, relative to the folder; of a rename the old name, empty if it came from outside.
    pub path: String,
    /// The other name of a rename or link; empty if it went outside.
    pub other: String,
    /// Where a write begins; the new length of a resize or an allocation.
    pub offset: u64,
    /// How many bytes were written.
    pub bytes: u64,
    /// Which bytes, if content was recorded.
    pub data: Vec<u8>,
    /// It was tried, and so it was counted, but it changed nothing.
    pub has_failed: bool,
}

/// What can be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    /// A file appears, empty.
    Create,
    /// A file that is there is opened and emptied.
    Empty,
    /// Bytes at an offset.
    Write,
    /// fsync or fdatasync, of a file or a folder.
    Sync,
    /// A new length.
    Resize,
    /// At least this length.
    Allocate,
    /// A name goes.
    Unlink,
    /// A name becomes another.
    Rename,
    /// A file gets one more name.
    Link,
    /// A folder appears.
    MakeFolder,
    /// A folder goes.
    RemoveFolder,
    /// A lock is asked for.
    Lock,
    /// A file is mapped for writing; what is stored there is not seen.
    Map,
}

impl OpKind {
    const ALL: [(u8, OpKind, &'static str); 13] = [
        (b'c', OpKind::Create, "create"),
        (b't', OpKind::Empty, "empty"),
        (b'w', OpKind::Write, "write"),
        (b'f', OpKind::Sync, "sync"),
        (b'T', OpKind::Resize, "resize"),
        (b'a', OpKind::Allocate, "allocate"),
        (b'u', OpKind::Unlink, "unlink"),
        (b'r', OpKind::Rename, "rename"),
        (b'l', OpKind::Link, "link"),
        (b'd', OpKind::MakeFolder, "mkdir"),
        (b'x', OpKind::RemoveFolder, "rmdir"),
        (b'k', OpKind::Lock, "lock"),
        (b'm', OpKind::Map, "map"),
    ];

    fn of(letter: u8) -> Option<OpKind> {
        OpKind::ALL.iter().find(|(known, ..)| *known == letter).map(|(_, kind, _)| *kind)
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        OpKind::ALL.iter().find(|(_, kind, _)| *kind == self).map_or("", |(_, _, word)| word)
    }
}

impl FileOp {
    /// The path by which it counts: of a rename the new name.
    pub fn counted_path(&self) -> &str {
        match self.kind {
            OpKind::Rename | OpKind::Link if !self.other.is_empty() => &self.other,
            _ => &self.path,
        }
    }
}

/// Letter and path, as the control page has them, in words.
pub(super) fn describe(struck: &str) -> String {
    let (letter, path) = struck.split_once(' ').unwrap_or((struck, ""));
    let word = letter.bytes().next().and_then(OpKind::of).map_or("operation", OpKind::word);
    format!("{word} {path}")
}

const HEAD_BYTES: usize = 24;
const HAS_DATA: u8 = 1;
const HAS_FAILED: u8 = 2;

/// Reads a record; an entry that is cut off at the end was never finished, and is left out.
///
/// # Errors
/// A bug: an unknown letter.
pub fn parse(mut bytes: &[u8]) -> Result<Vec<FileOp>> {
    let mut ops = Vec::new();
    while let Some((op, rest)) = entry(bytes)? {
        ops.push(op);
        bytes = rest;
    }
    Ok(ops)
}

fn entry(bytes: &[u8]) -> Result<Option<(FileOp, &[u8])>> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Ok(None) };
    let two = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let eight = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| head[at + index]));
    let kind = OpKind::of(head[0]).ok_or_else(|| Error::bug(format!("the file shim wrote letter {}", head[0])))?;
    let (offset, written) = (eight(8), eight(16));
    let data_bytes = if head[1] & HAS_DATA != 0 { written as usize } else { 0 };
    let Some((path, rest)) = rest.split_at_checked(two(2)) else { return Ok(None) };
    let Some((other, rest)) = rest.split_at_checked(two(4)) else { return Ok(None) };
    let Some((data, rest)) = rest.split_at_checked(data_bytes) else { return Ok(None) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let has_failed = head[1] & HAS_FAILED != 0;
    let op =
        FileOp { kind, path: text(path), other: text(other), offset, bytes: written, data: data.to_vec(), has_failed };
    Ok(Some((op, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_was_cut_off_is_left_out() {
        let mut bytes = vec![b'w', 1, 1, 0, 0, 0, 0, 0];
        bytes.extend(7_u64.to_le_bytes());
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(b"axyz");
        let op = FileOp {
            kind: OpKind::Write,
            path: "a".into(),
            other: String::new(),
            offset: 7,
            bytes: 3,
            data: b"xyz".to_vec(),
            has_failed: false,
        };
        assert_eq!(parse(&bytes).unwrap(), std::slice::from_ref(&op));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]).unwrap(), []);
        }
        assert_eq!(parse(&[bytes.clone(), bytes].concat()).unwrap(), [op.clone(), op]);
    }

    #[test]
    fn each_kind_has_a_letter_and_a_word_of_its_own() {
        for (letter, kind, word) in OpKind::ALL {
            assert_eq!((OpKind::of(letter), kind.word()), (Some(kind), word));
        }
        assert_eq!(describe("r files/core.sqlite"), "rename files/core.sqlite");
    }
}
