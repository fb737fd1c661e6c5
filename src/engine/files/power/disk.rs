//! What is durable and what is pending of recorded operations, and the subsets of it that a loss of power may leave.

use crate::engine::files::replay::Files;
use crate::engine::files::{Content, FileOp, OpKind};
use std::collections::{BTreeMap, BTreeSet};

/// How many bytes of a write are there or not there together.
const SECTOR_BYTES: usize = 512;

/// How many pending writes are left out, or kept, one at a time; the first and the last are always among them.
const SINGLE_WRITES: usize = 4;

/// What is durable, and what is pending.
#[derive(Default)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    /// As programs see them.
    pub(super) names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

struct Inode {
    durable: Content,
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
    pub(super) fn of(files: &Files) -> Disk {
        let mut disk = Disk::default();
        for (name, bytes) in files {
            disk.names.insert(name.clone(), disk.inodes.len());
            disk.inodes.push(Inode { durable: bytes.clone(), pending: Vec::new() });
        }
        disk.durable_names = disk.names.clone();
        disk
    }

    pub(super) fn apply(&mut self, op: &FileOp) {
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
        self.inodes.push(Inode { durable: Vec::new().into(), pending: Vec::new() });
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
    pub(super) fn sync(&mut self, path: &str) {
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
    pub(super) fn losses(&self) -> Vec<(String, Files)> {
        let contents = |(label, keeps): (String, Kept)| {
            let content = |(inode, of): (usize, &Inode)| keeps.content(inode, of);
            (label, self.inodes.iter().enumerate().map(content).collect::<Vec<Content>>())
        };
        let kept: Vec<(String, Vec<Content>)> = self.kept_changes().into_iter().map(contents).collect();
        let mut losses = Vec::new();
        for names_kept in 0..=self.pending_names.len() {
            let mut names = self.durable_names.clone();
            self.pending_names[..names_kept].iter().for_each(|change| change.apply(&mut names));
            for (label, contents) in &kept {
                let files = names.iter().filter(|(name, _)| !name.ends_with("-shm"));
                let files = files.map(|(name, inode)| (name.clone(), contents[*inode].clone())).collect();
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
                let label = |index: usize| format!("the writes of file {} of {}", index + 1, inodes.len());
                kept.extend(inodes.iter().enumerate().map(|(index, inode)| (label(index), Kept::File(*inode))));
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
    fn content(&self, inode: usize, of: &Inode) -> Content {
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

fn content(durable: &Content, changes: &[&Change]) -> Content {
    if changes.is_empty() {
        return durable.clone();
    }
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
    bytes.into()
}
