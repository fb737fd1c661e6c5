//! Programs that somebody still writes.

use std::io::{ErrorKind, Result};
use std::thread::sleep;
use std::time::Duration;

const PAUSE_MS: u64 = 10;
const TRIES: usize = 100;

/// Starts a program; one that is still open for writing is waited for, a second at most.
///
/// We close what we write, but a child that another thread starts at that moment has it open until it becomes its own
/// program, and Linux executes nothing that anybody writes (`ETXTBSY`).
///
/// # Errors
/// It could not be started.
pub(super) fn retry_while_busy<T>(mut start: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        match start() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => sleep(Duration::from_millis(PAUSE_MS)),
            answer => return answer,
        }
    }
    start()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Spawn, run};
    use std::fs::File;
    use std::os::unix::fs::OpenOptionsExt;
    use std::time::Instant;

    /// What it answers, and after how many tries, to a program that is refused so and so often.
    fn tried(refused: usize, kind: ErrorKind) -> (Option<ErrorKind>, usize) {
        let mut tries = 0;
        let answer = retry_while_busy(|| {
            tries += 1;
            if tries > refused { Ok(()) } else { Err(kind.into()) }
        });
        (answer.err().map(|error| error.kind()), tries)
    }

    #[test]
    fn a_program_that_is_still_written_is_waited_for() {
        assert_eq!(tried(0, ErrorKind::ExecutableFileBusy), (None, 1));
        assert_eq!(tried(2, ErrorKind::ExecutableFileBusy), (None, 3));
    }

    #[test]
    fn one_that_is_written_for_ever_is_an_error() {
        assert_eq!(tried(TRIES, ErrorKind::ExecutableFileBusy), (Some(ErrorKind::ExecutableFileBusy), TRIES));
    }

    #[tokio::test]
    async fn whoever_starts_a_program_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        let mut options = File::options();
        let _writes = options.write(true).create(true).mode(0o755).open(&program).unwrap();
        let spawn = Spawn::new([&program], folder.path());
        let started = [
            waited(|| spawn.start().map(drop)),
            waited(|| spawn.start_detached().map(drop)),
            waited(|| run(&spawn.argv, &spawn.cwd, &spawn.env, None, "").map(drop)),
        ];
        assert_eq!(started, [true; 3]);
    }

    /// Whether it failed, and not at once.
    fn waited(start: impl FnOnce() -> crate::Result<()>) -> bool {
        let began = Instant::now();
        start().is_err() && began.elapsed().as_millis() as u64 >= PAUSE_MS * (TRIES as u64 - 1)
    }

    #[test]
    fn one_that_is_not_there_is_not_waited_for() {
        assert_eq!(tried(2, ErrorKind::NotFound), (Some(ErrorKind::NotFound), 1));
    }
}
