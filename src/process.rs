//! The only spawner of children.
//!
//! A child gets its own process group, an empty stdin, an environment that is said in full, and a marker in it, by
//! which also descendants that left the group are found and ended ([`kill_marked`]).

#![allow(clippy::disallowed_methods)] // this is the place that the rule speaks of

mod busy;
mod child;
mod executable;
mod linkage;
mod marked;

pub use child::{Child, Detached};
pub use executable::Executable;
pub use linkage::{bypasses_libc, is_static};
pub use marked::{
    Marker, has_no_directory, kill_all, kill_descendants, kill_marked, marked, marked_descendants, processes_in,
    works_in,
};
pub use rustix::process::Signal;

use crate::{Error, Result};
use busy::retry_while_busy;
use rustix::process::{Pid, kill_process_group};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// A child to be: everything it will know is said here, nothing is inherited.
#[derive(Clone)]
pub struct Spawn {
    /// The program and its arguments; a bare program name is looked up in the `PATH` of `env`.
    pub argv: Vec<OsString>,
    /// The whole environment, apart from the marker.
    pub env: BTreeMap<OsString, OsString>,
    /// The working directory; it must exist.
    pub cwd: PathBuf,
    /// The file that stdout is appended to; none discards it. The same file may be named twice.
    pub stdout: Option<PathBuf>,
    /// The file that stderr is appended to; none discards it.
    pub stderr: Option<PathBuf>,
    /// Whom the child runs as; none is ourselves. Another user needs root.
    pub ids: Option<Ids>,
    /// By what descendants are found again; only the supervisor and servers go without.
    pub marker: Option<Marker>,
}

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Group; supplementary groups are dropped.
    pub gid: u32,
}

/// How a child ended: one of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// What it returned, when it returned.
    pub code: Option<i32>,
    /// What killed it, when it was killed.
    pub signal: Option<i32>,
}

/// What a child that was waited for has left.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// All of stdout.
    pub stdout: Vec<u8>,
    /// All of stderr.
    pub stderr: Vec<u8>,
}

impl Spawn {
    /// A child with an empty environment, no output files, no marker, as ourselves.
    pub fn new<A: Into<OsString>>(argv: impl IntoIterator<Item = A>, cwd: impl Into<PathBuf>) -> Spawn {
        Spawn {
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: cwd.into(),
            stdout: None,
            stderr: None,
            ids: None,
            marker: None,
        }
    }

    /// The file that would be executed.
    ///
    /// # Errors
    /// The command line is empty.
    pub fn program(&self) -> Result<PathBuf> {
        let program = self.argv.first().ok_or_else(without_program)?;
        let path = resolved(program, &self.env);
        Ok(if path.components().count() > 1 { self.cwd.join(path) } else { path })
    }

    /// Starts it; [`Child`] is awaited in the tokio runtime of the caller.
    ///
    /// # Errors
    /// The program, the directory or an output file is missing or forbidden; names the program and the directory.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(&self) -> Result<Child> {
        Child::spawn(self.command()?).map_err(|error| self.cannot_start(error))
    }

    /// Starts a child that outlives us; nobody has to wait for it.
    ///
    /// # Errors
    /// As in [`Spawn::start`].
    pub fn start_detached(&self) -> Result<Detached> {
        Detached::spawn(self.command()?).map_err(|error| self.cannot_start(error))
    }

    fn command(&self) -> Result<Command> {
        let mut command = command(&self.argv, &self.cwd, &self.env, self.ids)?;
        if let Some(marker) = &self.marker {
            command.envs(marker.variables());
        }
        command.process_group(0).stdin(Stdio::null()).stdout(appended(&self.stdout)?).stderr(appended(&self.stderr)?);
        Ok(command)
    }

    fn cannot_start(&self, error: std::io::Error) -> Error {
        cannot_start(&self.argv, &self.cwd, error)
    }
}

// Arguments and values of variables may hold passwords.
impl fmt::Debug for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&OsString> = self.env.keys().collect();
        f.debug_struct("Spawn")
            .field("program", &self.argv.first())
            .field("env", &names)
            .field("cwd", &self.cwd)
            .field("ids", &self.ids)
            .field("marker", &self.marker)
            .finish_non_exhaustive()
    }
}

/// Runs a short program to its end with `input` on stdin, and blocks meanwhile. For `initdb` and the like.
///
/// # Errors
/// It could not be started; names the program and the directory. A failing exit is not an error here.
pub fn run(
    argv: &[OsString],
    cwd: &Path,
    env: &BTreeMap<OsString, OsString>,
    ids: Option<Ids>,
    input: &str,
) -> Result<Output> {
    let mut command = command(argv, cwd, env, ids)?;
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = retry_while_busy(|| command.spawn()).map_err(|error| cannot_start(argv, cwd, error))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes()); // one that does not read has its own answer
    }
    let output = child.wait_with_output().map_err(|error| cannot_start(argv, cwd, error))?;
    Ok(Output { exit: output.status.into(), stdout: output.stdout, stderr: output.stderr })
}

/// Runs a program in front, with our terminal, in our own process group: it may ask whoever sits there. Blocks meanwhile.
///
/// # Errors
/// As in [`run`].
pub fn run_in_front(argv: &[OsString], cwd: &Path, env: &BTreeMap<OsString, OsString>) -> Result<Exit> {
    let mut command = command(argv, cwd, env, None)?;
    retry_while_busy(|| command.status()).map(Exit::from).map_err(|error| cannot_start(argv, cwd, error))
}

/// Sends a signal to a process group; a group that is gone is fine.
///
/// # Errors
/// The group belongs to another user.
pub fn kill_group(group: u32, signal: Signal) -> Result<()> {
    match kill_process_group(pid(group)?, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Error::environment(format!("cannot signal process group {group}")).caused_by(error)),
    }
}

/// Sends a signal to one process; a process that is gone is fine.
///
/// # Errors
/// The process belongs to another user.
pub fn kill(process: u32, signal: Signal) -> Result<()> {
    match rustix::process::kill_process(pid(process)?, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Error::environment(format!("cannot signal process {process}")).caused_by(error)),
    }
}

/// The user we are.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl Exit {
    /// Whether it returned 0.
    pub fn is_success(self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("neither exit nor signal"),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        Exit { code: status.code(), signal: status.signal() }
    }
}

fn command(argv: &[OsString], cwd: &Path, env: &BTreeMap<OsString, OsString>, ids: Option<Ids>) -> Result<Command> {
    let (program, arguments) = argv.split_first().ok_or_else(without_program)?;
    let mut command = Command::new(resolved(program, env));
    command.arg0(program).args(arguments).current_dir(cwd).env_clear().envs(env);
    if let Some(ids) = ids.filter(|ids| ids.uid != own_uid()) {
        command.uid(ids.uid).gid(ids.gid);
    }
    Ok(command)
}

fn without_program() -> Error {
    Error::usage("a command line without a program")
}

/// A bare name as the path that it stands for. A program that must be looked for is started with `fork`, which copies
/// the page tables of this process; one that is named by its path is not.
fn resolved(program: &OsStr, env: &BTreeMap<OsString, OsString>) -> PathBuf {
    let bare = PathBuf::from(program);
    let path = env.get(OsStr::new("PATH")).filter(|_| bare.components().count() == 1);
    path.and_then(|path| which::which_in(program, Some(path), "/").ok()).unwrap_or(bare)
}

fn appended(file: &Option<PathBuf>) -> Result<Stdio> {
    let Some(path) = file else { return Ok(Stdio::null()) };
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map(Stdio::from).map_err(|error| Error::io("open", path, error))
}

fn cannot_start(argv: &[OsString], cwd: &Path, error: std::io::Error) -> Error {
    let program = argv.first().map(OsString::as_os_str).unwrap_or(OsStr::new("")).display();
    Error::environment(format!("cannot start `{program}` in {}", cwd.display())).caused_by(error)
}

fn pid(process: u32) -> Result<Pid> {
    // 0 and 1 would be ourselves and everybody.
    let raw = i32::try_from(process).ok().filter(|raw| *raw > 1);
    raw.and_then(Pid::from_raw).ok_or_else(|| Error::bug(format!("{process} is not a process of ours")))
}
