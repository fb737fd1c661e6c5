//! `rehearse`: prove a database migration before it is real.

use std::process::ExitCode;

fn main() -> ExitCode {
    rehearsal::cli::main()
}
