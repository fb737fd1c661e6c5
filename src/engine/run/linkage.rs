//! Whether the program of a step can be watched: the file shim is loaded by the dynamic linker, and a static executable
//! has none.

use crate::engine::Library;
use crate::engine::points::pairs::{self, Meant};
use crate::model::{Engine, FaultSpec, Plan, Step};
use crate::registry::Registry;
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Faults of files strike programs that load the shim.
///
/// # Errors
/// One is to strike a static executable.
pub(super) fn known(registry: &Registry, library: &Library, fault: &FaultSpec, plan: &Plan) -> Result<()> {
    let writes_files = plan.targets.iter().any(|target| !target.is_source() && target.engine == Engine::Sqlite);
    let found = plan.step(&fault.during).and_then(|step| program(step, library)).filter(|path| is_static(path));
    match found.filter(|_| writes_files && pairs::meant(fault).any(|meant| is_of_files(registry, &meant))) {
        None => Ok(()),
        Some(path) => Err(Error::environment(format!(
            "step `{}`: {} is a static executable, into which the file shim cannot be loaded (LD_PRELOAD), so {} cannot \
             strike what it does to files; link it dynamically",
            fault.during,
            path.display(),
            fault.kind
        ))),
    }
}

fn is_of_files(registry: &Registry, meant: &Meant<'_>) -> bool {
    match meant.place {
        Some(place) => place.axis.is_of_files() && !place.is_of_server_files(),
        None => registry.fault(meant.kind).is_some_and(|kind| kind.axes().iter().any(|axis| axis.is_of_files())),
    }
}

/// Nothing where only a case knows it.
fn program(step: &Step, library: &Library) -> Option<PathBuf> {
    let first = step.argv.first()?.replace("{root}", &library.root.to_string_lossy());
    if !first.contains("{fixtures}") {
        return which::which(first).ok();
    }
    let inside = |folder: &PathBuf| PathBuf::from(first.replace("{fixtures}", &folder.to_string_lossy()));
    library.fixtures.iter().map(inside).find(|path| path.is_file())
}

/// Whether it is a program of Linux that asks for no dynamic linker.
fn is_static(path: &Path) -> bool {
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
