//! `cargo xtask image`: a Postgres image of Debian packages, where no registry can be reached.
#![allow(clippy::disallowed_methods)] // starts a script

use crate::rehearse::say;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Executes the script that makes it; returns only if it cannot be started. The first argument is the image's `NAME:TAG`,
/// the second the major version of Postgres; both may be left out.
pub(crate) fn run(arguments: Vec<OsString>) -> ExitCode {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut arguments = arguments.into_iter();
    let error = Command::new("sh")
        .arg(own.join("src/image/make.sh"))
        .arg(own.join("src/image/docker-entrypoint.sh"))
        .arg(own.join("../target/image"))
        .arg(arguments.next().unwrap_or_default())
        .arg(arguments.next().unwrap_or_default())
        .exec();
    say(&format!("cannot start sh: {error}"));
    ExitCode::from(70)
}
