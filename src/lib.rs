//! Prove a database migration before it is real.
//!
//! The modules, in reading order; each uses those above it only (`tests/it/tidy.rs` keeps it so).

pub mod error;
pub mod model;

pub mod clock;
pub mod process;

pub mod db;

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

pub mod cli;

pub use error::{Error, ErrorKind, Result};
