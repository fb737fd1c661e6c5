//! How a program was linked.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Whether it is a program of Linux that asks for no dynamic linker.
pub fn is_static(path: &Path) -> bool {
    let head = head(path);
    segments(&head).is_some_and(|segments| !segments.iter().any(|segment| segment.kind == INTERPRETER))
}

/// Whether it calls the kernel past the C library: a static one, and all that Go builds. With cgo a Go program has a
/// dynamic linker, but for the C in it only.
pub fn bypasses_libc(path: &Path) -> bool {
    let head = head(path);
    let is_go = |segment: &Segment| segment.kind == NOTES && has_go_note(head.get(segment.content.clone()));
    is_static(path) || segments(&head).is_some_and(|segments| segments.iter().any(is_go))
}

/// Linkers put the table of segments right behind the header, and notes behind that.
const HEAD_BYTES: u64 = 4096;
/// `PT_INTERP`: the segment that names the dynamic linker.
const INTERPRETER: u32 = 3;
/// `PT_NOTE`.
const NOTES: u32 = 4;

struct Segment {
    kind: u32,
    /// Where its bytes are in the file.
    content: Range<usize>,
}

fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    if read.is_err() { Vec::new() } else { head }
}

/// The segments of an ELF file for 64 bits, little end first; nothing of any other file.
fn segments(head: &[u8]) -> Option<Vec<Segment>> {
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let two = |at: usize| Some(usize::from(u16::from_le_bytes(head.get(at..at.checked_add(2)?)?.try_into().ok()?)));
    let (start, bytes, count) = (four(head, 32)?, two(54)?, two(56)?);
    let segment = |at: usize| {
        let from = four(head, at.checked_add(8)?)?;
        let content = from..from.checked_add(four(head, at.checked_add(32)?)?)?;
        Some(Segment { kind: four(head, at)? as u32, content })
    };
    (0..count).map(|number| segment(start + number * bytes)).collect()
}

/// Whether one of these notes is Go's number of the build.
fn has_go_note(notes: Option<&[u8]>) -> bool {
    let mut left = notes.unwrap_or_default();
    while let (Some(name_bytes), Some(rest_bytes)) = (four(left, 0), four(left, 4)) {
        if left.get(12..12 + name_bytes).is_some_and(|name| name == b"Go\0\0") {
            return true;
        }
        let bytes = 12 + name_bytes.next_multiple_of(4) + rest_bytes.next_multiple_of(4);
        left = left.get(bytes..).unwrap_or_default();
    }
    false
}

fn four(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 56;

    /// With segments of these kinds, and these notes behind the table in each that holds notes.
    fn elf(kinds: &[u32], notes: &[u8]) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (head[32], head[54], head[56]) = (64, BYTES as u8, kinds.len() as u8);
        for kind in kinds {
            let mut segment = [0; BYTES];
            segment[..4].copy_from_slice(&kind.to_le_bytes());
            segment[8..12].copy_from_slice(&((64 + kinds.len() * BYTES) as u32).to_le_bytes());
            segment[32..36].copy_from_slice(&(notes.len() as u32).to_le_bytes());
            head.extend(segment);
        }
        head.extend(notes);
        head
    }

    fn note(name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        [name.len(), content.len(), 4].iter().for_each(|number| note.extend((*number as u32).to_le_bytes()));
        for part in [name, content] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    fn kinds(head: &[u8]) -> Option<Vec<u32>> {
        Some(segments(head)?.iter().map(|segment| segment.kind).collect())
    }

    fn is(question: fn(&Path) -> bool, content: &[u8]) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        question(file.path())
    }

    #[test]
    fn the_kinds_of_segments_are_read_and_nothing_of_what_is_no_program() {
        assert_eq!(kinds(&elf(&[6, 3, 1], &[])), Some(vec![6, 3, 1]));
        assert_eq!(kinds(&elf(&[], &[])), Some(vec![]));
        assert_eq!(kinds(&elf(&[6, 3, 1], &[])[..150]), None, "cut off");
        assert_eq!(kinds(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn what_go_has_built_calls_the_kernel_itself_with_a_dynamic_linker_too() {
        let others = [note(b"GNU\0", &[7; 20]), note(b"Go\0", b"some number")].concat();
        let go = [others.clone(), note(b"Go\0\0", b"a number of odd length")].concat();
        let (dynamic, without_one) = ([6, 3, 4], [6, 4]);
        for (kinds, notes, expected) in
            [(&dynamic[..], &others, false), (&dynamic, &go, true), (&without_one, &others, true)]
        {
            assert_eq!(is(bypasses_libc, &elf(kinds, notes)), expected, "{kinds:?} {notes:?}");
        }
        assert!(!is(is_static, &elf(&dynamic, &go)));
        assert!(!is(bypasses_libc, &elf(&dynamic, &go)[..250]), "cut off in its notes");
        assert!(!is(bypasses_libc, &elf(&dynamic, &[0xff; 40])), "no notes at all");
        assert!(!is(bypasses_libc, b"#!/bin/sh\n"));
    }
}
