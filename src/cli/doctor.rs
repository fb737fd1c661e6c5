//! `rehearse doctor`: what this machine can rehearse, and what to do for each thing that is missing.

use crate::Result;
use crate::cli::say;
use crate::engine::{Finding, Health, doctor};
use crate::target::Base;
use std::process::ExitCode;

pub(super) fn run() -> Result<ExitCode> {
    let findings = doctor(&Base::find());
    for Finding { what, health, found } in &findings {
        let word = match health {
            Health::Fine => "ok",
            Health::Limited => "limited",
            Health::Broken => "BROKEN",
        };
        say(&format!("{word:<8} {what:<10} {found}"));
    }
    let worst = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Fine);
    let (line, code) = match worst {
        Health::Fine => ("everything can be rehearsed here", 0),
        Health::Limited => ("Postgres and SQLite scenarios can run; see what is limited above", 0),
        Health::Broken => ("Postgres scenarios cannot run here; SQLite scenarios can", 2),
    };
    say(line);
    Ok(ExitCode::from(code))
}
