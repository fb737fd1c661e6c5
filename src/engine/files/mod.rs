//! The file shim: what a tool does to files below one folder, counted, recorded, and injured at the n-th.
//!
//! `shim/shim.c` is compiled by the build script, embedded, and preloaded into the tool (`LD_PRELOAD`). Into a static
//! executable nothing can be loaded: `shim/tracer.c` becomes that program, and follows it from outside (`ptrace`), on
//! x86_64. Both obey one control page and write one form of record (`shim/page.h`). They count like the proxy does, under
//! the name of an endpoint: its file, and what has a name that begins like it (`-wal`, `-journal`, `.tmp`), beside it or
//! in a folder there, where tools build what they rename later.
//!
//! # Points
//! | axis | counted |
//! |---|---|
//! | `op` | any operation below that changes a file, a name or what a power cut would leave |
//! | `write` | a write, also each part of a vectored one; a file that is created, grown or cut |
//! | `sync` | fsync, fdatasync |
//! | `rename` | a rename, by the new name |
//! | `unlink` | an unlink |
//! | `lock` | a lock that is asked for (fcntl, flock) |
//!
//! What is tried counts, whether it succeeds or not. Struck is right before the operation. Linux only. The shim does not
//! see stdio writes of C programs, nor a static executable that a program starts; [`replay`] finds out: the record,
//! replayed, must give the very files that are there.

mod content;
mod control;
pub mod power;
mod record;
pub mod replay;
mod trace;

pub use content::Content;
pub use control::FileAct;
pub use record::{FileOp, OpKind, parse};
pub use trace::{has_halves, traces};

use crate::model::{Axis, Place};
use crate::process::{Spawn, bypasses_libc};
use crate::{Error, Result};
use control::Control;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The shared object; empty where there is none.
static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shim.so"));

/// The program that traces; empty where there is none.
static TRACER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tracer"));

/// Shim and tracer as files that children can load: one of each for all that share a folder, for each copy is read
/// anew by the loader.
#[derive(Debug)]
pub struct Library {
    shim: PathBuf,
    tracer: PathBuf,
}

impl Library {
    /// Unpacked into a folder, readable for every user who can open it.
    ///
    /// # Errors
    /// There is no shim on this platform; the file cannot be written.
    pub fn unpack(folder: &Path) -> Result<Library> {
        if LIBRARY.is_empty() {
            return Err(Error::environment("faults of files need Linux: the file shim is not there on this platform"));
        }
        let shim = unpacked(folder, "shim.so", LIBRARY, 0o644)?;
        Ok(Library { shim, tracer: unpacked(folder, "tracer", TRACER, 0o755)? })
    }
}

fn unpacked(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf> {
    let path = folder.join(name);
    let written = fs::write(&path, bytes).and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)));
    written.map_err(|error| Error::io("write", &path, error))?;
    path.canonicalize().map_err(|error| Error::io("open", &path, error))
}

/// How much is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What was done to which file.
    Operations,
    /// The written bytes, too: for [`replay`] and for what a power cut leaves.
    Content,
}

/// The shim of one case.
#[derive(Debug)]
pub struct Shim {
    root: PathBuf,
    library: PathBuf,
    tracer: PathBuf,
    control: Control,
    log: PathBuf,
}

impl Shim {
    /// Whether there is one on this platform.
    pub fn is_there() -> bool {
        !LIBRARY.is_empty()
    }

    /// Whether static executables are watched on this platform, too.
    pub fn traces() -> bool {
        !TRACER.is_empty()
    }

    /// Watches what lies below `root`, an existing folder; its own files are in `shim/` there, and not watched.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn install(root: &Path, library: &Library) -> Result<Shim> {
        let root = root.canonicalize().map_err(|error| Error::io("open", root, error))?;
        let folder = root.join("shim");
        fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, error))?;
        let log = folder.join("record");
        fs::write(&log, b"").map_err(|error| Error::io("write", &log, error))?;
        let control = Control::create(&folder.join("control"), &root, &log)?;
        Ok(Shim { root, library: library.shim.clone(), tracer: library.tracer.clone(), control, log })
    }

    /// Whoever can open the root may be watched, also another user, as servers are.
    ///
    /// # Errors
    /// The mode of a file cannot be set.
    pub fn lend(&self) -> Result<()> {
        let folder = self.root.join("shim");
        let modes = [(folder.as_path(), 0o755), (self.control.path(), 0o666), (&self.log, 0o666)];
        modes.into_iter().try_for_each(|(path, mode)| {
            let set = fs::set_permissions(path, Permissions::from_mode(mode));
            set.map_err(|error| Error::io("set the mode of", path, error))
        })
    }

    /// The folder that is watched.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The child will be watched: from outside where its program is not seen from inside, or where that is wanted.
    ///
    /// # Errors
    /// It has no program.
    pub fn watch(&self, child: &mut Spawn, traced: bool) -> Result<()> {
        match traced || (Shim::traces() && bypasses_libc(&child.program()?)) {
            true => self.trace(child),
            false => child.env.extend(self.environment()),
        }
        Ok(())
    }

    /// The child will be watched from outside.
    pub fn trace(&self, child: &mut Spawn) {
        child.argv.splice(0..0, [self.tracer.clone().into(), self.control.path().into()]);
    }

    /// What a child needs in its environment to be watched from inside.
    pub fn environment(&self) -> [(OsString, OsString); 2] {
        let control = self.control.path().into();
        [("LD_PRELOAD".into(), self.library.clone().into()), ("REHEARSE_SHIM".into(), control)]
    }

    /// Records what children do that are started from now on.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn record(&self, detail: Detail) -> Result<()> {
        self.control.take_log_bytes()?;
        self.control.record(detail == Detail::Content)
    }

    /// What was recorded, in order, since the last call or the beginning of the record.
    ///
    /// # Errors
    /// The record cannot be read, or makes no sense.
    pub fn take(&self) -> Result<Vec<FileOp>> {
        let length = self.control.take_log_bytes()?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        // The file stays as long as it was: processes that go on have it mapped.
        let read = fs::File::open(&self.log).and_then(|log| log.take(length).read_to_end(&mut bytes));
        read.map_err(|error| Error::io("read", &self.log, error))?;
        parse(&bytes)
    }

    /// Arms one strike in place of the one before, for children that are started from now on. `file` is the path of
    /// the endpoint below the root. What is recorded stays as it is.
    ///
    /// # Errors
    /// The control page cannot be written; the axis is none of files.
    pub fn arm(&self, place: &Place, file: &str, act: FileAct) -> Result<()> {
        self.control.arm(place, file, act)
    }

    /// What is held at its point goes on ([`FileAct::Hold`]).
    ///
    /// # Errors
    /// The control page cannot be written.
    pub fn let_go(&self) -> Result<()> {
        self.control.let_go()
    }

    /// Nothing strikes any more, and nothing is recorded.
    ///
    /// # Errors
    /// The control page cannot be written.
    pub fn disarm(&self) -> Result<()> {
        self.control.reset()
    }

    /// How many programs were watched since the last arming or recording. None: the tool starts a static executable, or
    /// emptied its environment, and nothing is known of what it did.
    ///
    /// # Errors
    /// The control page cannot be read.
    pub fn attached(&self) -> Result<u32> {
        self.control.attached()
    }

    /// What was struck, once it was: the operation and its file.
    ///
    /// # Errors
    /// The control page cannot be read.
    pub fn struck(&self) -> Result<Option<String>> {
        self.control.struck()
    }
}

/// Whether what is done to `path` counts for the endpoint of `file`, as `belongs` in `shim/shim.c` has it.
pub fn belongs(path: &str, file: &str) -> bool {
    let name_at = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    let (folder, name) = file.split_at(name_at(file));
    path.starts_with(folder) && path[name_at(path)..].starts_with(name)
}

/// Whether an operation counts on `axis`.
pub fn counts(kind: OpKind, axis: Axis) -> bool {
    use OpKind::{Allocate, Create, Lock, Map, Rename, Resize, Sync, Unlink, Write};
    match axis {
        Axis::Op => !matches!(kind, Lock | Map),
        Axis::Write => matches!(kind, Write | Create | Allocate | Resize),
        Axis::Sync => kind == Sync,
        Axis::Rename => kind == Rename,
        Axis::Unlink => kind == Unlink,
        Axis::Lock => kind == Lock,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::itself("files/core.db", true)]
    #[case::a_log_beside_it("files/core.db-wal", true)]
    #[case::built_in_a_folder_there("files/.new/core.db", true)]
    #[case::another("files/score.db", false)]
    #[case::of_that_name_elsewhere("work/core.db", false)]
    #[case::in_a_folder_of_that_name("files/core.db/a", false)]
    fn what_belongs_to_a_file(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(belongs(path, "files/core.db"), expected);
    }
}
