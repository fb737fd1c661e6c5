//! The control page: a file that the shim maps in every process of the tool, and that we read and write.
//!
//! Its layout is that of `struct control` in `shim/shim.c`.

use crate::model::{Axis, Place};
use crate::{Error, Result};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// What the shim does at a point. A closed set: the shim executes it, the faults name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAct {
    /// SIGKILL to the process group, before the operation.
    Kill,
    /// Half of the write, then as [`FileAct::Kill`].
    Torn,
    /// ENOSPC.
    Full,
    /// EIO.
    Error,
    /// Half of the write, and the tool is told so.
    Short,
    /// EAGAIN.
    Busy,
    /// It waits until it is let go.
    Hold,
}

const MAGIC: u64 = 0x314d_4948_5348_4552;
const PAGE_BYTES: usize = 4096;
const AXIS: u64 = 8;
const RECORDING: u64 = 28;
const LOG_BYTES: u64 = 40;
const FIRED: u64 = 48;
const ATTACHED: u64 = 56;
const PREFIX: u64 = 64;
const PREFIX_BYTES: usize = 192;
const PATH_BYTES: usize = 1024;
const ROOT: u64 = PREFIX + PREFIX_BYTES as u64;
const LOG: u64 = ROOT + PATH_BYTES as u64;
const WHAT: u64 = LOG + PATH_BYTES as u64;
const WHAT_BYTES: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Control {
    path: PathBuf,
    file: File,
}

impl Control {
    pub(super) fn create(path: &Path, root: &Path, log: &Path) -> Result<Control> {
        let mut page = vec![0; PAGE_BYTES];
        page[..8].copy_from_slice(&MAGIC.to_le_bytes());
        for (at, text) in [(ROOT, root), (LOG, log)] {
            let bytes = text.as_os_str().as_bytes();
            if bytes.len() >= PATH_BYTES {
                return Err(Error::environment(format!("{} is too long a path for the file shim", text.display())));
            }
            page[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        }
        let trouble = |error| Error::io("write", path, error);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(trouble)?;
        file.write_all_at(&page, 0).map_err(trouble)?;
        Ok(Control { path: path.to_owned(), file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing is armed, recorded or struck. What is recorded already stays, and so does who holds the record.
    pub(super) fn reset(&self) -> Result<()> {
        self.write(AXIS, &[0; (LOG_BYTES - AXIS) as usize])?;
        self.write(FIRED, &[0; 4])?;
        self.write(ATTACHED, &[0; 4])?;
        self.write(WHAT, &[0; WHAT_BYTES])
    }

    /// How long the record is. It begins anew.
    pub(super) fn take_log_bytes(&self) -> Result<u64> {
        let bytes = self.read(LOG_BYTES).map(u64::from_le_bytes)?;
        self.write(LOG_BYTES, &[0; 8])?;
        Ok(bytes)
    }

    /// Nothing is armed, and what happens is recorded.
    pub(super) fn record(&self, content: bool) -> Result<()> {
        self.reset()?;
        let recording: u32 = if content { 3 } else { 1 };
        self.write(RECORDING, &recording.to_le_bytes())
    }

    /// Arms one strike; whether it is recorded meanwhile stays as it is.
    pub(super) fn arm(&self, place: &Place, file: &str, act: FileAct) -> Result<()> {
        let wrong = |what: String| Error::environment(format!("no fault can strike at `{place}`: {what}"));
        let axis = axis_number(place.axis).ok_or_else(|| wrong("files have no such axis".to_owned()))?;
        let mut prefix = [0; PREFIX_BYTES];
        let room = prefix.get_mut(..file.len()).ok_or_else(|| wrong(format!("{file} is too long a name")))?;
        room.copy_from_slice(file.as_bytes());
        let recording = self.read::<4>(RECORDING)?;
        self.reset()?;
        self.write(RECORDING, &recording)?;
        self.write(PREFIX, &prefix)?;
        // The act last: it is what arms.
        let nth = u64::from(place.nth).to_le_bytes();
        self.write(AXIS + 8, &[&nth[..], &u32::from(place.forever).to_le_bytes()].concat())?;
        self.write(AXIS, &[axis.to_le_bytes(), act_number(act).to_le_bytes()].concat())
    }

    pub(super) fn let_go(&self) -> Result<()> {
        self.write(AXIS + 4, &[0; 4])
    }

    pub(super) fn struck(&self) -> Result<Option<String>> {
        let fired = self.read::<4>(FIRED)?;
        if u32::from_le_bytes(fired) == 0 {
            return Ok(None);
        }
        let what = self.read::<WHAT_BYTES>(WHAT)?;
        let end = what.iter().position(|byte| *byte == 0).unwrap_or(WHAT_BYTES);
        Ok(Some(super::record::describe(&String::from_utf8_lossy(&what[..end]))))
    }

    pub(super) fn attached(&self) -> Result<u32> {
        self.read(ATTACHED).map(u32::from_le_bytes)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, at).map_err(|error| Error::io("write", &self.path, error))
    }

    fn read<const BYTES: usize>(&self, at: u64) -> Result<[u8; BYTES]> {
        let mut bytes = [0; BYTES];
        self.file.read_exact_at(&mut bytes, at).map_err(|error| Error::io("read", &self.path, error))?;
        Ok(bytes)
    }
}

fn axis_number(axis: Axis) -> Option<u32> {
    let known = [Axis::Op, Axis::Write, Axis::Sync, Axis::Rename, Axis::Unlink, Axis::Lock];
    known.iter().position(|one| *one == axis).map(|index| index as u32 + 1)
}

fn act_number(act: FileAct) -> u32 {
    match act {
        FileAct::Kill => 1,
        FileAct::Torn => 2,
        FileAct::Full => 3,
        FileAct::Error => 4,
        FileAct::Short => 5,
        FileAct::Busy => 6,
        FileAct::Hold => 7,
    }
}
