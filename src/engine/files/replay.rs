//! The self-check of the shim: its record, replayed on the files that were there before, must give the very files that
//! are there now. What it did not see would otherwise be a place that no fault visits.

use super::{Content, FileOp, OpKind};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Contents by path below a folder. `-shm` files of SQLite are left out: they are written through a mapping, and mean
/// nothing once nobody has the database open.
pub type Files = BTreeMap<String, Content>;

/// All files below `parts` of `root`.
///
/// # Errors
/// A file cannot be read.
pub fn read(root: &Path, parts: &[&str]) -> Result<Files> {
    let mut files = Files::new();
    for part in parts {
        collect(root, &root.join(part), &mut files)?;
    }
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))?.flatten() {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(|error| Error::io("look at", &path, error))?;
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if (kind.is_file() || kind.is_symlink()) && !is_memory(&name) {
            let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
            files.insert(name, bytes.into());
        }
    }
    Ok(())
}

fn is_memory(name: &str) -> bool {
    name.ends_with("-shm")
}

/// The files after `ops`, done in order to `before`. The content must have been recorded.
pub fn replay<'a>(before: &Files, ops: impl IntoIterator<Item = &'a FileOp>) -> Files {
    let mut disk = Disk::of(before);
    ops.into_iter().filter(|op| !op.has_failed).for_each(|op| disk.apply(op));
    disk.files()
}

/// Names and what they lead to: several names may be one file.
#[derive(Default)]
struct Disk {
    names: BTreeMap<String, usize>,
    inodes: Vec<Vec<u8>>,
}

impl Disk {
    fn of(files: &Files) -> Disk {
        let mut disk = Disk::default();
        files.iter().for_each(|(name, bytes)| *disk.file(name) = bytes.to_vec());
        disk
    }

    fn files(&self) -> Files {
        let seen = self.names.iter().filter(|(name, _)| !is_memory(name));
        seen.map(|(name, inode)| (name.clone(), self.inodes[*inode].clone().into())).collect()
    }

    /// The content of a name, which appears now if it was not there.
    fn file(&mut self, name: &str) -> &mut Vec<u8> {
        let next = self.inodes.len();
        let inode = *self.names.entry(name.to_owned()).or_insert(next);
        if inode == next {
            self.inodes.push(Vec::new());
        }
        &mut self.inodes[inode]
    }

    fn apply(&mut self, op: &FileOp) {
        let length = op.offset as usize;
        match op.kind {
            OpKind::Create | OpKind::Empty => self.file(&op.path).clear(),
            OpKind::Write => write_at(self.file(&op.path), length, &op.data),
            OpKind::Resize => self.file(&op.path).resize(length, 0),
            OpKind::Allocate => {
                let file = self.file(&op.path);
                file.resize(file.len().max(length), 0);
            }
            OpKind::Unlink => drop(self.names.remove(&op.path)),
            OpKind::Rename => {
                let moved = self.names.remove(&op.path);
                self.name(&op.other, moved);
                self.move_folder(&op.path, &op.other);
            }
            OpKind::Link => self.name(&op.other, self.names.get(&op.path).copied()),
            OpKind::Sync | OpKind::MakeFolder | OpKind::RemoveFolder | OpKind::Lock | OpKind::Map => {}
        }
    }

    /// What lies in a folder goes with it.
    fn move_folder(&mut self, from: &str, to: &str) {
        let inside = format!("{from}/");
        let below: Vec<String> = self.names.keys().filter(|name| name.starts_with(&inside)).cloned().collect();
        for name in below {
            let inode = self.names.remove(&name);
            if !to.is_empty() {
                self.name(&format!("{to}/{}", &name[inside.len()..]), inode);
            }
        }
    }

    fn name(&mut self, name: &str, inode: Option<usize>) {
        if let (Some(inode), false) = (inode, name.is_empty()) {
            self.names.insert(name.to_owned(), inode);
        }
    }
}

fn write_at(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    file.resize(file.len().max(offset + data.len()), 0);
    file[offset..offset + data.len()].copy_from_slice(data);
}

/// What the record missed: the files that are not as it says, sorted. Empty is good.
pub fn missed(replayed: &Files, found: &Files) -> Vec<String> {
    let names = replayed.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>();
    names.into_iter().filter(|name| replayed.get(*name) != found.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(kind: OpKind, path: &str, other: &str, offset: u64, data: &str) -> FileOp {
        let (path, other, data) = (path.to_owned(), other.to_owned(), data.as_bytes().to_vec());
        FileOp { kind, path, other, offset, bytes: data.len() as u64, data, has_failed: false }
    }

    #[test]
    fn operations_in_order_give_the_files() {
        let before = Files::from([("old".to_owned(), b"old".to_vec().into())]);
        let ops = [
            op(OpKind::Create, "new.tmp", "", 0, ""),
            op(OpKind::Write, "new.tmp", "", 2, "abc"),
            op(OpKind::Resize, "new.tmp", "", 4, ""),
            op(OpKind::Sync, "new.tmp", "", 0, ""),
            op(OpKind::Rename, "new.tmp", "new", 0, ""),
            op(OpKind::Unlink, "old", "", 0, ""),
            op(OpKind::Create, "x-shm", "", 0, ""),
            op(OpKind::Link, "new", "same", 0, ""),
            op(OpKind::Write, "same", "", 4, "c"),
            op(OpKind::MakeFolder, "part", "", 0, ""),
            op(OpKind::Create, "part/in/it", "", 0, ""),
            op(OpKind::Rename, "part", "whole", 0, ""),
            op(OpKind::Rename, "whole/in/it", "whole/it", 0, ""),
        ];
        let after = replay(&before, &ops);
        let same = ["new", "same"].map(|name| (name.to_owned(), b"\0\0abc".to_vec().into()));
        let moved = [("whole/it".to_owned(), Vec::new().into())];
        assert_eq!(after, same.into_iter().chain(moved).collect::<Files>());
        assert_eq!(missed(&after, &before), ["new", "old", "same", "whole/it"]);
        assert_eq!(missed(&after, &after), [""; 0]);
    }
}
