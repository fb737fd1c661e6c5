//! Contributor commands: `cargo xtask rehearse`, `cargo xtask bench`, `cargo xtask image`.

use std::process::ExitCode;

mod image;
mod python;
mod rehearse;

const USAGE: &str = "usage: cargo xtask rehearse [ARGUMENTS OF `rehearse run`]\n       \
    cargo xtask rehearse -- COMMAND ...\n       \
    cargo xtask bench [--release] [--docker] [--gate] [--rounds N] [--rows N] [NAME...]\n       \
    cargo xtask image [NAME:TAG [MAJOR]]";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|command| command.to_str()) {
        Some("rehearse") => rehearse::run(arguments.collect()),
        Some("image") => image::run(arguments.collect()),
        Some("bench") => rehearse::bench(arguments.collect()),
        _ => {
            rehearse::say(USAGE);
            ExitCode::from(64)
        }
    }
}
