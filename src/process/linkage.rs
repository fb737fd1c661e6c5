//! How a program was linked.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Whether it is a program of Linux that asks for no dynamic linker.
pub fn is_static(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && segments(&head).is_some_and(|kinds| !kinds.contains(&INTERPRETER))
}

/// Linkers put the table of segments right behind the header.
const HEAD_BYTES: u64 = 4096;
/// `PT_INTERP`: the segment that names the dynamic linker.
const INTERPRETER: u32 = 3;

/// The kinds of the segments of an ELF file for 64 bits, little end first; nothing of any other file.
fn segments(head: &[u8]) -> Option<Vec<u32>> {
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let two = |at: usize| Some(usize::from(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?)));
    let four = |at: usize| Some(u32::from_le_bytes(head.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let (start, bytes, count) = (four(32)? as usize, two(54)?, two(56)?);
    (0..count).map(|number| four(start + number * bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With segments of these kinds.
    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (head[32], head[54], head[56]) = (64, 56, kinds.len() as u8);
        for kind in kinds {
            head.extend(kind.to_le_bytes());
            head.extend([0; 52]);
        }
        head
    }

    #[test]
    fn the_kinds_of_segments_are_read_and_nothing_of_what_is_no_program() {
        assert_eq!(segments(&elf(&[6, 3, 1])), Some(vec![6, 3, 1]));
        assert_eq!(segments(&elf(&[])), Some(vec![]));
        assert_eq!(segments(&elf(&[6, 3, 1])[..150]), None, "cut off");
        assert_eq!(segments(b"#!/bin/sh\n"), None);
    }
}
