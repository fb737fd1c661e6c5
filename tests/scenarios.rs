//! Every scenario file is a test: quick tier, one at a time under `cargo nextest run`, side by side under `cargo test`.
//!
//! What a scenario needs and this machine has not is decided when tests are listed: such a test is ignored, with the
//! reason on stderr. A scenario file that does not parse is a test that fails.

use libtest_mimic::{Arguments, Failed, Trial};
use rehearsal::engine::{self, Entry, Library, Options, Rehearsal};
use rehearsal::model::{Scenario, Verdict};
use rehearsal::process::Executable;
use rehearsal::registry::Registry;
use rehearsal::report::summary;
use rehearsal::target::{Base, Sites, Wanted};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let unpack = tempfile::tempdir().expect("a temporary directory");
    let library = Library::find(Path::new(env!("CARGO_MANIFEST_DIR")), unpack.path()).expect("our own library");
    let entries = library.entries(&Registry::builtin().known()).expect("our own scenarios");
    let sites = Sites::new(Base::find(), Wanted::default());
    let trials = entries.into_iter().map(|entry| trial(&library, entry, &sites)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(library: &Library, entry: Entry, sites: &Sites) -> Trial {
    let scenario = match entry.scenario {
        Ok(scenario) => scenario,
        Err(problems) => return Trial::test(entry.name, move || Err(problems.into())).with_kind("parse"),
    };
    let missing = missing(library, &scenario, sites);
    if let Some(why) = &missing {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("ignored {}: {why}\n", entry.name));
    }
    let library = library.clone();
    Trial::test(entry.name, move || rehearse(&library, scenario)).with_ignored_flag(missing.is_some())
}

fn missing(library: &Library, scenario: &Scenario, sites: &Sites) -> Option<String> {
    // A plan that cannot be made fails when the test runs, with its reason.
    let registry = Registry::builtin();
    let plan = engine::plan(&registry, library, scenario).ok()?;
    engine::missing(&registry, &plan, scenario, sites).first().map(|missing| missing.how.clone())
}

fn rehearse(library: &Library, scenario: Scenario) -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let options = Options { out: Some(out.path().to_owned()), ..Options::quick() };
    let executable = Executable::at(env!("CARGO_BIN_EXE_rehearse"))?;
    let rehearsal = Rehearsal::open(Registry::builtin(), executable, options)?;
    let finished = tokio::runtime::Runtime::new()?.block_on(rehearsal.run(library, &[scenario]))?;
    match finished.verdict() {
        Verdict::Pass => Ok(()),
        _ => {
            let bundle = out.keep(); // the evidence of a failure stays
            let place = bundle.join(finished.bundle.file_name().unwrap_or_default());
            Err(summary(&finished.record, &finished.states, &place.display().to_string(), false).into())
        }
    }
}
