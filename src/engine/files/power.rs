//! What a loss of power may leave of recorded operations: crash images, made offline. Pure.
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

use super::replay::Files;
use super::{FileOp, OpKind};
use std::collections::{BTreeMap, BTreeSet};

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

/// All distinct images of a record: after each of `ops`, done in order to `before`, which is durable.
pub fn images(before: &Files, ops: &[FileOp]) -> Vec<Image> {
    let mut disk = Disk::of(before);
    let mut seen = BTreeSet::new();
    let mut images = Vec::new();
    for (index, op) in ops.iter().enumerate().filter(|(_, op)| !op.has_failed) {
        disk.apply(op);
        for (label, files) in disk.losses() {
            if seen.insert(fingerprint(&files)) {
                images.push(Image { after: index + 1, label, files });
            }
        }
    }
    images
}

fn fingerprint(files: &Files) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for (name, bytes) in files {
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hash.digest128()
}

/// How many bytes of a write are there or not there together.
const SECTOR_BYTES: usize = 512;

/// How many pending writes are left out, or kept, one at a time; the first and the last are always among them.
const SINGLE_WRITES: usize = 4;

/// What is durable, and what is pending.
#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    /// As programs see them.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

#[derive(Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
    AtLeast(usize),
}

enum NameChange {
    Set(String, usize),
    Remove(String),
    Move(String, String, usize),
}

impl Disk {
    fn of(files: &Files) -> Disk {
        let mut disk = Disk::default();
        for (name, bytes) in files {
            disk.names.insert(name.clone(), disk.inodes.len());
            disk.inodes.push(Inode { durable: bytes.clone(), pending: Vec::new() });
        }
        disk.durable_names = disk.names.clone();
        disk
    }

    fn apply(&mut self, op: &FileOp) {
        let length = op.offset as usize;
        match op.kind {
            OpKind::Create => self.create(&op.path),
            OpKind::Empty => self.change(&op.path, Change::Length(0)),
            OpKind::Write => self.change(&op.path, Change::Write { offset: length, data: op.data.clone() }),
            OpKind::Resize => self.change(&op.path, Change::Length(length)),
            OpKind::Allocate => self.change(&op.path, Change::AtLeast(length)),
            OpKind::Sync => self.sync(&op.path),
            OpKind::Unlink => {
                self.names.remove(&op.path);
                self.pending_names.push(NameChange::Remove(op.path.clone()));
            }
            OpKind::Rename => self.rename(&op.path, &op.other),
            OpKind::Link => {
                if let Some(inode) = self.names.get(&op.path).copied() {
                    self.names.insert(op.other.clone(), inode);
                    self.pending_names.push(NameChange::Set(op.other.clone(), inode));
                }
            }
            OpKind::MakeFolder | OpKind::RemoveFolder | OpKind::Lock | OpKind::Map => {}
        }
    }

    fn create(&mut self, path: &str) {
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.insert(path.to_owned(), inode);
        self.pending_names.push(NameChange::Set(path.to_owned(), inode));
    }

    fn change(&mut self, path: &str, change: Change) {
        if !self.names.contains_key(path) {
            self.create(path); // it came from outside of what is watched
        }
        let inode = self.names[path];
        self.inodes[inode].pending.push(change);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let moved = self.names.remove(from);
        match (moved, to.is_empty()) {
            (Some(inode), false) => {
                self.names.insert(to.to_owned(), inode);
                self.pending_names.push(NameChange::Move(from.to_owned(), to.to_owned(), inode));
            }
            _ => self.pending_names.push(NameChange::Remove(from.to_owned())),
        }
    }

    /// A path that is no file is a folder: its names are durable, and that is all.
    fn sync(&mut self, path: &str) {
        if let Some(inode) = self.names.get(path) {
            let inode = &mut self.inodes[*inode];
            inode.durable = content(&inode.durable, &inode.pending.iter().collect::<Vec<_>>());
            inode.pending.clear();
        }
        for change in std::mem::take(&mut self.pending_names) {
            change.apply(&mut self.durable_names);
        }
    }

    /// What may be found if the power goes now, with the label of each.
    fn losses(&self) -> Vec<(String, Files)> {
        let kept = self.kept_changes();
        let mut losses = Vec::new();
        for names_kept in 0..=self.pending_names.len() {
            let mut names = self.durable_names.clone();
            self.pending_names[..names_kept].iter().for_each(|change| change.apply(&mut names));
            for (label, keeps) in &kept {
                let content = |inode: usize| keeps.content(inode, &self.inodes[inode]);
                let files = names.iter().filter(|(name, _)| !name.ends_with("-shm"));
                let files = files.map(|(name, inode)| (name.clone(), content(*inode))).collect();
                losses.push((format!("{names_kept} of {} names, {label}", self.pending_names.len()), files));
            }
        }
        losses
    }

    /// The subsets of pending changes that are made.
    fn kept_changes(&self) -> Vec<(String, Kept)> {
        let pending: Vec<Pending> = self
            .inodes
            .iter()
            .enumerate()
            .flat_map(|(inode, of)| (0..of.pending.len()).map(move |index| Pending { inode, index }))
            .collect();
        let mut kept = vec![("no write".to_owned(), Kept::None), ("every write".to_owned(), Kept::All)];
        if pending.len() > 1 {
            for at in singles(pending.len()) {
                kept.push((format!("all but write {} of {}", at + 1, pending.len()), Kept::AllBut(pending[at])));
                kept.push((format!("only write {} of {}", at + 1, pending.len()), Kept::Only(pending[at])));
            }
            let inodes: BTreeSet<usize> = pending.iter().map(|one| one.inode).collect();
            if inodes.len() > 1 {
                kept.extend(inodes.iter().map(|inode| ("the writes of one file".to_owned(), Kept::File(*inode))));
            }
        }
        kept.extend(pending.last().map(|last| ("the last write torn".to_owned(), Kept::Torn(*last))));
        kept
    }
}

/// The first, the last, and some between, evenly spread.
fn singles(count: usize) -> BTreeSet<usize> {
    (0..SINGLE_WRITES).map(|part| part * (count - 1) / (SINGLE_WRITES - 1)).collect()
}

/// A pending change: of which file, and the how-manieth.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pending {
    inode: usize,
    index: usize,
}

/// Which pending changes are there.
enum Kept {
    None,
    All,
    AllBut(Pending),
    Only(Pending),
    File(usize),
    Torn(Pending),
}

impl Kept {
    fn content(&self, inode: usize, of: &Inode) -> Vec<u8> {
        let is_there = |index: usize| match self {
            Kept::None => false,
            Kept::All | Kept::Torn(_) => true,
            Kept::AllBut(one) => *one != Pending { inode, index },
            Kept::Only(one) => *one == Pending { inode, index },
            Kept::File(one) => *one == inode,
        };
        let mut kept: Vec<&Change> =
            of.pending.iter().enumerate().filter(|(index, _)| is_there(*index)).map(|(_, change)| change).collect();
        let torn = match self {
            Kept::Torn(one) if one.inode == inode => kept.pop().map(Change::torn),
            _ => None,
        };
        kept.extend(&torn);
        content(&of.durable, &kept)
    }
}

impl Change {
    /// The first half, in whole sectors.
    fn torn(&self) -> Change {
        match self {
            Change::Write { offset, data } => {
                let half = data.len() / 2 / SECTOR_BYTES * SECTOR_BYTES;
                Change::Write { offset: *offset, data: data[..half].to_vec() }
            }
            Change::Length(_) | Change::AtLeast(_) => Change::AtLeast(0),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Set(name, inode) => drop(names.insert(name.clone(), *inode)),
            NameChange::Remove(name) => drop(names.remove(name)),
            NameChange::Move(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

fn content(durable: &[u8], changes: &[&Change]) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    for change in changes {
        match change {
            Change::Write { data, .. } if data.is_empty() => {}
            Change::Write { offset, data } => {
                bytes.resize(bytes.len().max(offset + data.len()), 0);
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
            Change::Length(length) => bytes.resize(*length, 0),
            Change::AtLeast(length) => bytes.resize(bytes.len().max(*length), 0),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::replay::replay;
    use proptest::prelude::*;

    fn op(kind: OpKind, path: &str, other: &str, offset: u64, data: &str) -> FileOp {
        let (path, other, data) = (path.to_owned(), other.to_owned(), data.as_bytes().to_vec());
        FileOp { kind, path, other, offset, bytes: data.len() as u64, data, has_failed: false }
    }

    fn one(text: &str) -> Files {
        Files::from([("a".to_owned(), text.as_bytes().to_vec())])
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
