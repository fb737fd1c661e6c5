//! Contributor commands: `cargo xtask rehearse`, `cargo xtask bench`.

use std::process::ExitCode;

mod rehearse;

const USAGE: &str = "usage: cargo xtask rehearse [ARGUMENTS OF `rehearse run`]\n       \
    cargo xtask rehearse -- COMMAND ...\n       \
    cargo xtask bench [--release] [--gate] [--rounds N] [--rows N] [NAME...]";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|command| command.to_str()) {
        Some("rehearse") => rehearse::run(arguments.collect()),
        Some("bench") => rehearse::bench(arguments.collect()),
        _ => {
            rehearse::say(USAGE);
            ExitCode::from(64)
        }
    }
}
