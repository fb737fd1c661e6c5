//! `rehearse shrink`: a failure made as small as it still fails, and written down as a scenario.

use crate::cli::replay::scenario;
use crate::cli::run::{interrupted, time};
use crate::cli::{say, say_aside};
use crate::engine::{Shrink, Shrunk, Tried, shrink};
use crate::model::Token;
use crate::process::Executable;
use crate::registry::Registry;
use crate::target::Session;
use crate::{Error, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
pub(super) struct ShrinkArgs {
    /// The whole word that begins with `r1:`.
    token: String,
    /// Where the scenario goes, inside the folder of scenarios; default: `shrunk` in it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Try nothing more after this time; what was found by then is written.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    budget: Duration,
}

pub(super) async fn run(args: ShrinkArgs) -> Result<ExitCode> {
    let token: Token = args.token.parse().map_err(|error| Error::usage(format!("{error}")))?;
    let interrupted = interrupted();
    let session = Session::here()?;
    let registry = Registry::builtin();
    let (library, scenario) = scenario(&registry, session.dir(), &token)?;
    if library.scenarios.starts_with(session.dir()) {
        let text = "there is no `scenarios/` here to write into: copy the scenario into a repository of your own";
        return Err(Error::usage(text));
    }
    let here = std::env::current_dir().map_err(|error| Error::io("find", std::path::Path::new("."), error))?;
    let out = args.out.map_or_else(|| library.scenarios.join("shrunk"), |out| here.join(out));
    if !out.starts_with(&library.scenarios) {
        let folder = library.scenarios.display();
        return Err(Error::usage(format!("--out must be inside {folder}, or the scenario could not be run")));
    }
    let file = library.scenarios.join(&scenario.name).with_extension("toml");
    let what = Shrink {
        registry: &registry,
        library: &library,
        scenario: &scenario,
        file,
        token: &token,
        out,
        budget: args.budget,
    };
    let said = |tried: &Tried| say_aside(&format!("{:<7} {}", word(tried), tried.what));
    let shrunk = tokio::select! {
        shrunk = shrink(&what, Executable::find()?, said) => shrunk?,
        () = interrupted => return Err(Error::environment("interrupted; nothing is written")),
    };
    conclude(&shrunk);
    Ok(ExitCode::SUCCESS)
}

fn word(tried: &Tried) -> &'static str {
    if tried.is_taken { "fails" } else { "passes" }
}

fn conclude(shrunk: &Shrunk) {
    let taken: Vec<&str> =
        shrunk.tried.iter().filter(|tried| tried.is_taken).map(|tried| tried.what.as_str()).collect();
    let line = |name: &str, text: &str| say(&format!("  {name:<10}{text}"));
    say(&format!("{}  {}  {}", shrunk.outcome, shrunk.scenario, shrunk.address));
    line("rows", &format!("{} of {}", shrunk.rows.1, shrunk.rows.0));
    line("tried", &format!("{} changes, of which {} still fail", shrunk.tried.len(), taken.len()));
    if shrunk.is_cut_off {
        line("", "the time was over before everything was tried: it may become smaller");
    }
    line("scenario", &shrunk.file.display().to_string());
    if let Some(dataset) = &shrunk.dataset {
        line("dataset", &dataset.display().to_string());
    }
    line("next", &format!("rehearse replay {}", shrunk.token));
}
