//! `cargo xtask rehearse`: builds `rehearse`, then executes it in the caller's directory. `cargo xtask bench` likewise.
//!
//! Arguments go to `rehearse run`; after `--` they are a whole command of `rehearse`.
#![allow(clippy::disallowed_methods)] // starts cargo, and what it has built

use crate::python;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Builds and executes; returns only if one of the two cannot be done.
pub(crate) fn run(arguments: Vec<OsString>) -> ExitCode {
    let modules = std::thread::spawn(python::path); // the build takes longer
    match build(profile(&arguments)) {
        Ok(binary) => {
            let mut command = Command::new(&binary);
            command.args(command_line(arguments)).envs(modules.join().ok().flatten().map(|path| ("PATH", path)));
            let error = command.exec();
            say(&format!("cannot execute {}: {error}", binary.display()));
            ExitCode::from(70)
        }
        Err(why) => {
            say(&why);
            ExitCode::from(2)
        }
    }
}

fn command_line(arguments: Vec<OsString>) -> Vec<OsString> {
    match arguments.first() {
        Some(first) if first == "--" => arguments.into_iter().skip(1).collect(),
        _ => [OsString::from("run")].into_iter().chain(arguments).collect(),
    }
}

/// What runs for an hour is optimised first.
fn profile(arguments: &[OsString]) -> &'static [&'static str] {
    let is_long = |tier: &OsString| tier == "full" || tier == "nightly";
    let apart = arguments.windows(2).any(|pair| pair[0] == "--tier" && is_long(&pair[1]));
    let joined = ["--tier=full", "--tier=nightly"];
    match apart || arguments.iter().any(|argument| joined.iter().any(|tier| argument == tier)) {
        true => &["--profile", "sweep"],
        false => &[],
    }
}

/// The path of the executable that cargo built, as cargo says it. `more`: arguments of `cargo build`.
fn build(more: &[&str]) -> Result<PathBuf, String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = cargo();
    command.args(["build", "--package", "rehearsal", "--bin", "rehearse", "--manifest-path", manifest]);
    command.args(more).args(["--message-format", "json-render-diagnostics"]).stderr(std::process::Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err("`rehearse` does not build; see above".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    executable.ok_or_else(|| "cargo named no executable".to_owned())
}

/// Builds `rehearse`, then builds and executes what measures it, both with or both without `--release` and `--docker`.
pub(crate) fn bench(arguments: Vec<OsString>) -> ExitCode {
    let says = |word: &str| arguments.iter().any(|argument| argument == word);
    let release = ["--release"].into_iter().filter(|word| says(word));
    let docker = ["--features", "docker"].into_iter().filter(|_| says("--docker"));
    let more: Vec<&str> = release.chain(docker).collect();
    let binary = match build(&more) {
        Ok(binary) => binary,
        Err(why) => {
            say(&why);
            return ExitCode::from(2);
        }
    };
    let mut command = cargo();
    command.args(["run", "--package", "xtask-bench"]).args(&more).arg("--").args(arguments);
    let error = command.env("REHEARSE_BIN", binary).exec();
    say(&format!("cannot start cargo: {error}"));
    ExitCode::from(70)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A line for people.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
