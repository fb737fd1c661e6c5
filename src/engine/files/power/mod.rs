//! What a loss of power may leave of recorded operations: crash images, made offline. Pure. For people:
//! `docs/power-loss.md`.
//!
//! # The persistence model
//! That of a journalling file system (ext4 in its default mode, XFS) on a disk that keeps what it has confirmed:
//! - A sync of a file makes all that was written to it before durable: content and length.
//! - Without a sync any part of what was written since may be there, in any order, also without what came before it. A
//!   write is there in whole sectors of 512 bytes, or not.
//! - Names (create, unlink, rename, link) are durable in the order in which they were changed: after a loss a prefix of
//!   them is there. Any sync, of a file or of a folder, makes all earlier ones durable.
//! - A name may be durable before the content of its file is: then the file is shorter, or empty.
//!
//! Left out: a disk that lies about its cache, a write that is there in parts smaller than a sector, bits that rot, file
//! systems that reorder changes of names. Each could be added as more images; none would take one away.
//!
//! Of the very many subsets of what is pending, those are made that tell bugs apart: nothing, everything, all but one,
//! only one, the files each alone, the last write torn in the middle. The same image is made once.

mod disk;

use super::replay::Files;
use super::{FileOp, OpKind};
use disk::Disk;
use std::collections::BTreeSet;

/// The number of the persistence model, as in `docs/power-loss.md`.
pub const MODEL: u32 = 1;

/// What a loss of power after an operation may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// After how many operations the power went.
    pub after: usize,
    /// Which of the pending changes are there, for people.
    pub label: String,
    /// The files that are found afterwards.
    pub files: Files,
}

/// Shows every distinct image of a record to `visit`, one at a time, for together they may be large: after each of
/// `ops` that `is_wanted` by its number, from 1. They are done in order to `before`, which is durable.
pub fn each_image(before: &Files, ops: &[FileOp], is_wanted: impl Fn(usize) -> bool, mut visit: impl FnMut(Image)) {
    let mut disk = Disk::of(before);
    let mut seen = BTreeSet::new();
    for (index, op) in ops.iter().enumerate().filter(|(_, op)| leaves_something(op)) {
        disk.apply(op);
        if !is_wanted(index + 1) {
            continue;
        }
        for (label, files) in disk.losses() {
            if seen.insert(fingerprint(&files)) {
                visit(Image { after: index + 1, label, files });
            }
        }
    }
}

/// The distinct images of a loss after all of it: what a tool has left that has said it is done.
pub fn images_at_end(before: &Files, ops: &[FileOp]) -> Vec<Image> {
    let mut disk = Disk::of(before);
    ops.iter().filter(|op| leaves_something(op)).for_each(|op| disk.apply(op));
    let mut seen = BTreeSet::new();
    let image = |(label, files)| Image { after: ops.len(), label, files };
    disk.losses().into_iter().map(image).filter(|image| seen.insert(fingerprint(&image.files))).collect()
}

fn leaves_something(op: &FileOp) -> bool {
    !op.has_failed && !matches!(op.kind, OpKind::Lock | OpKind::Map)
}

fn fingerprint(files: &Files) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for (name, content) in files {
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(&content.hash().to_le_bytes());
    }
    hash.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::replay::replay;
    use proptest::prelude::*;

    fn images(before: &Files, ops: &[FileOp]) -> Vec<Image> {
        let mut images = Vec::new();
        each_image(before, ops, |_| true, |image| images.push(image));
        images
    }

    fn op(kind: OpKind, path: &str, other: &str, offset: u64, data: &str) -> FileOp {
        let (path, other, data) = (path.to_owned(), other.to_owned(), data.as_bytes().to_vec());
        FileOp { kind, path, other, offset, bytes: data.len() as u64, data, has_failed: false }
    }

    fn one(text: &str) -> Files {
        Files::from([("a".to_owned(), text.as_bytes().to_vec().into())])
    }

    /// The contents of `a` that are found in any image of the last operation and later ones.
    fn found(before: &Files, ops: &[FileOp]) -> BTreeSet<Option<String>> {
        let text = |image: &Image| image.files.get("a").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        images(before, ops).iter().map(text).collect()
    }

    fn texts(texts: &[&str]) -> BTreeSet<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_be_there() {
        let write = |at, text: &str| op(OpKind::Write, "a", "", at, text);
        let sync = op(OpKind::Sync, "a", "", 0, "");
        assert_eq!(found(&one("old"), &[write(0, "new")]), texts(&["old", "new"]));
        assert_eq!(found(&one("old"), &[write(0, "N"), write(2, "W")]), texts(&["old", "Nld", "olW", "NlW"]));
        let after_sync = images(&one("old"), &[write(0, "new"), sync]);
        assert!(after_sync.iter().all(|image| image.after == 1), "a sync leaves nothing to lose");
    }

    #[test]
    fn a_rename_without_a_sync_before_may_leave_an_empty_file() {
        let new = |synced: bool| {
            let mut ops = vec![op(OpKind::Create, "a.new", "", 0, ""), op(OpKind::Write, "a.new", "", 0, "new")];
            ops.extend(synced.then(|| op(OpKind::Sync, "a.new", "", 0, "")));
            ops.push(op(OpKind::Rename, "a.new", "a", 0, ""));
            ops
        };
        assert_eq!(found(&one("old"), &new(true)), texts(&["old", "new"]));
        assert_eq!(found(&one("old"), &new(false)), texts(&["old", "", "new"]));
    }

    #[test]
    fn what_is_pending_at_the_end_can_still_be_lost() {
        let write = op(OpKind::Write, "a", "", 0, "new");
        let sync = op(OpKind::Sync, "a", "", 0, "");
        let at_end = |ops: &[FileOp]| images_at_end(&one("old"), ops).len();
        assert_eq!((at_end(std::slice::from_ref(&write)), at_end(&[write.clone(), sync])), (2, 1));
    }

    #[test]
    fn names_are_lost_from_the_end() {
        let ops = [op(OpKind::Rename, "a", "b", 0, ""), op(OpKind::Create, "a", "", 0, "")];
        let names: BTreeSet<Vec<String>> =
            images(&one("x"), &ops).into_iter().map(|image| image.files.into_keys().collect()).collect();
        let expected =
            [vec!["a"], vec!["b"], vec!["a", "b"]].map(|names| names.into_iter().map(str::to_owned).collect());
        assert_eq!(names, BTreeSet::from(expected));
    }

    fn any_op() -> impl Strategy<Value = FileOp> {
        let name = prop_oneof![Just("a"), Just("b"), Just("c")];
        let kind = prop_oneof![
            4 => Just(OpKind::Write),
            1 => Just(OpKind::Resize),
            2 => Just(OpKind::Sync),
            1 => Just(OpKind::Unlink),
            1 => Just(OpKind::Rename),
        ];
        (kind, name.clone(), name, 0..20_u64, "[a-z]{1,9}")
            .prop_filter("a file is not renamed to itself", |(_, from, to, ..)| from != to)
            .prop_map(|(kind, path, other, offset, data)| op(kind, path, other, offset, &data))
    }

    /// Only operations on files that are there, as a record has them.
    fn possible(ops: Vec<FileOp>) -> Vec<FileOp> {
        let mut names = BTreeSet::from(["a".to_owned()]);
        ops.into_iter()
            .filter(|op| match op.kind {
                OpKind::Unlink => names.remove(&op.path),
                OpKind::Rename => {
                    names.remove(&op.path) && {
                        names.insert(op.other.clone());
                        true
                    }
                }
                OpKind::Write => {
                    names.insert(op.path.clone());
                    true
                }
                _ => names.contains(&op.path),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_may_be_found_at_one_moment_has_a_label_of_its_own(
            ops in proptest::collection::vec(any_op(), 1..12)
        ) {
            let images = images(&one("start"), &possible(ops));
            let labels: BTreeSet<(usize, &str)> =
                images.iter().map(|image| (image.after, image.label.as_str())).collect();
            prop_assert_eq!(labels.len(), images.len());
        }

        #[test]
        fn what_programs_see_is_one_of_the_images_and_a_sync_of_everything_leaves_only_that(
            ops in proptest::collection::vec(any_op(), 1..12)
        ) {
            let ops = possible(ops);
            let now = replay(&one("start"), &ops);
            let mut disk = Disk::of(&one("start"));
            ops.iter().for_each(|op| disk.apply(op));
            prop_assert!(disk.losses().into_iter().any(|(_, files)| files == now));
            let names: Vec<String> = disk.names.keys().cloned().collect();
            names.iter().for_each(|name| disk.sync(name));
            disk.sync("the folder");
            prop_assert!(disk.losses().into_iter().all(|(_, files)| files == now));
        }
    }
}
