//! Prove a database migration before it is real.
//!
//! A rehearsal makes disposable databases and runs a migration on them as an operator would: as a child process, by its
//! own command line. It runs it twice uninjured, then injures it at every point where it was seen to act, runs the
//! documented way out, and compares everything that the databases hold with the uninjured run.
//!
//! ```no_run
//! use rehearsal::engine::{Library, Options, Rehearsal};
//! use rehearsal::{model::Verdict, process::Executable, registry::Registry, report};
//!
//! # async fn example() -> rehearsal::Result<()> {
//! let here = std::env::current_dir().expect("there is a working directory");
//! let registry = Registry::builtin(); // .with_fault(&Mine), .with_check(&Mine) ...
//! let rehearsal = Rehearsal::open(registry, Executable::find()?, Options::quick())?;
//! let library = Library::find(&here, rehearsal.dir())?;
//!
//! let known = rehearsal.registry().known();
//! let entries = library.select(&known, &["mine".to_owned()])?;
//! let scenarios: Vec<_> = entries.into_iter().filter_map(|entry| entry.scenario.ok()).collect();
//!
//! let finished = rehearsal.run(&library, &scenarios).await?;
//! let bundle = finished.bundle.display().to_string();
//! println!("{}", report::summary(&finished.record, &finished.states, &bundle, false));
//! assert_eq!(finished.verdict(), Verdict::Pass);
//! # Ok(())
//! # }
//! ```
//!
//! The modules, in reading order; each uses those above it only (`tests/it/tidy.rs` keeps it so).

pub mod error;
pub mod model;

pub mod clock;
pub mod process;

pub mod db;

pub mod compare;

pub mod dataset;
pub mod target;
pub mod tool;

pub mod check;
pub mod evidence;
pub mod fault;
pub mod report;

pub mod flow;
pub mod registry;

pub mod engine;

pub mod gate;

pub mod cli;

pub use error::{Error, ErrorKind, Result};
