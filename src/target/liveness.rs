//! Whether a supervisor is alive. Its lock alone does not say so: a process that was killed holds its locks until it is
//! dead, which takes a while on a busy machine. So it is asked through a socket, and the dead do not answer.

use super::base::Base;
use super::lock;
use crate::clock::Stopwatch;
use crate::{Error, Result};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

/// How long one answer may take before the lock is looked at again.
const ONE_ANSWER: Duration = Duration::from_millis(100);
/// How long nobody may answer while the lock is held, before it is believed all the same: it may be a supervisor of an
/// older version, or be stopped.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest path of a socket that every platform takes.
const LONGEST: usize = 100;

/// Answers from now on, on a thread of its own; the caller holds the supervisor's lock.
///
/// # Errors
/// The socket cannot be made.
pub(super) fn serve(base: &Base) -> Result<()> {
    let Some(path) = socket(base) else { return Ok(()) };
    let _ = std::fs::remove_file(&path); // of one that was killed
    let asked = UnixListener::bind(&path).map_err(|error| Error::io("create", &path, error))?;
    let answering = move || asked.incoming().flatten().for_each(|mut asker| drop(asker.write_all(&[1])));
    let thread = std::thread::Builder::new().name("answer".to_owned()).spawn(answering);
    thread.map(drop).map_err(|error| Error::environment("cannot start a thread").caused_by(error))
}

/// Whether a supervisor is alive; waits for one that is dying.
pub(super) fn is_alive(base: &Base) -> bool {
    let watch = Stopwatch::start();
    while lock::is_held(&base.supervisor_lock()) {
        if socket(base).is_none_or(|path| ask(&path).is_ok()) || watch.elapsed() > PATIENCE {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

fn ask(path: &PathBuf) -> std::io::Result<()> {
    let mut line = UnixStream::connect(path)?;
    line.set_read_timeout(Some(ONE_ANSWER))?;
    line.read_exact(&mut [0])
}

/// Nothing where the path is too long: there the lock is believed.
pub(super) fn socket(base: &Base) -> Option<PathBuf> {
    let path = base.dir().join("supervisor.socket");
    (path.as_os_str().len() <= LONGEST).then_some(path)
}
