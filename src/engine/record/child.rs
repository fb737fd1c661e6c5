//! The process of a real step. What it prints is shown as it comes; a signal to us is passed on to it, and we wait.

use crate::clock::Stopwatch;
use crate::process::{Exit, Signal, Spawn};
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

/// How often new output is looked for.
const LOOKING: Duration = Duration::from_millis(200);

/// What a step has printed since the last time.
pub enum Said<'a> {
    /// On stdout.
    Stdout(&'a [u8]),
    /// On stderr.
    Stderr(&'a [u8]),
}

/// Runs it to its end, however long that takes; answers with how it ended, and after how many microseconds.
///
/// # Errors
/// It cannot be started.
pub(super) async fn run(
    mut spawn: Spawn,
    logs: [&Path; 2],
    interrupt: impl Future<Output = ()>,
    mut hear: impl FnMut(Said<'_>),
) -> Result<(Exit, u64)> {
    let watch = Stopwatch::start();
    (spawn.stdout, spawn.stderr) = (Some(logs[0].to_owned()), Some(logs[1].to_owned()));
    let mut child = spawn.start()?;
    let (mut interrupt, mut heard, mut is_asked) = (pin!(interrupt), [0, 0], false);
    let mut looking = tokio::time::interval(LOOKING);
    let exit = loop {
        tokio::select! {
            exit = child.wait() => break exit?,
            () = &mut interrupt, if !is_asked => {
                is_asked = true;
                child.kill_group(Signal::INT)?;
            }
            _ = looking.tick() => listen(logs, &mut heard, &mut hear)?,
        }
    };
    listen(logs, &mut heard, &mut hear)?;
    Ok((exit, watch.elapsed_us()))
}

fn listen(logs: [&Path; 2], heard: &mut [u64; 2], hear: &mut impl FnMut(Said<'_>)) -> Result<()> {
    for (nth, path) in logs.into_iter().enumerate() {
        let news = since(path, heard[nth]).map_err(|error| Error::io("read", path, error))?;
        heard[nth] += news.len() as u64;
        match nth {
            _ if news.is_empty() => {}
            0 => hear(Said::Stdout(&news)),
            _ => hear(Said::Stderr(&news)),
        }
    }
    Ok(())
}

fn since(path: &Path, at: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut news = Vec::new();
    file.read_to_end(&mut news)?;
    Ok(news)
}
