//! Files that are put into another directory of the same length, and name the one that they lay in: a report with a path,
//! and the journals of SQLite. A transaction over several files is decided by a super-journal, whose path each journal holds
//! at its end, with a sum; where the path leads nowhere, SQLite takes the transaction for committed.

use crate::{Error, Result};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Writes file `name`, which lay below `from`, below `to`.
pub(in crate::engine) fn put(name: &str, bytes: &[u8], from: &Path, to: &Path) -> Result<()> {
    let path = to.join(name);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    fs::write(&path, moved(name, bytes, from, to)).map_err(|error| Error::io("write", &path, error))
}

/// The content of file `name`, which lay below `from`, as it must be below `to`.
fn moved(name: &str, bytes: &[u8], from: &Path, to: &Path) -> Vec<u8> {
    let (from, to) = (from.as_os_str().as_bytes(), to.as_os_str().as_bytes());
    let mut moved = bytes.to_vec();
    if from.len() != to.len() || from == to {
        return moved;
    }
    let valid = sum_of_name(bytes).filter(|(_, sum, told)| name.ends_with("-journal") && sum == told);
    let mut at = 0;
    while let Some(found) = find(&moved[at..], from) {
        moved[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    if let (Some((place, ..)), Some((_, sum, _))) = (valid, sum_of_name(&moved)) {
        moved[place..place + 4].copy_from_slice(&sum.to_be_bytes());
    }
    moved
}

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Of a journal that ends with the name of a super-journal: where its sum is, what it is, and what it says that it is.
/// The end is the name, its length, its sum, and the mark of all journals.
fn sum_of_name(bytes: &[u8]) -> Option<(usize, u32, u32)> {
    let four = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let end = bytes.len().checked_sub(16)?;
    let length = four(end)? as usize;
    let name = bytes.get(end.checked_sub(length)?..end)?;
    let is_there = bytes[end + 8..] == MAGIC && length > 0;
    let sum = name.iter().fold(0_u32, |sum, byte| sum.wrapping_add(*byte as i8 as u32));
    is_there.then(|| Some((end + 4, sum, four(end + 4)?)))?
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == first) {
        if bytes[at + next..].starts_with(part) {
            return Some(at + next);
        }
        at += next + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(name: &str, sum: u32) -> Vec<u8> {
        let end = [&(name.len() as u32).to_be_bytes()[..], &sum.to_be_bytes(), &MAGIC].concat();
        [b"pages", name.as_bytes(), &end].concat()
    }

    fn sum(name: &str) -> u32 {
        name.bytes().map(u32::from).sum()
    }

    #[test]
    fn a_journal_names_its_super_journal_where_it_is_now() {
        let (from, to) = (Path::new("/cases/000001"), Path::new("/cases/000022"));
        let (old, new) = ("/cases/000001/files/a-mj1", "/cases/000022/files/a-mj1");
        assert_eq!(moved("b-journal", &journal(old, sum(old)), from, to), journal(new, sum(new)));
        assert_eq!(moved("b-journal", &journal(old, 7), from, to), journal(new, 7), "it was torn, and stays so");
        assert_eq!(moved("a-mj1", b"/cases/000001/files/b\0x", from, to), b"/cases/000022/files/b\0x");
        assert_eq!(moved("b-journal", b"short", from, to), b"short");
    }
}
