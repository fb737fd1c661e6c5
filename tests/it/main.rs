//! Integration tests.
#![allow(clippy::unwrap_used)] // helpers of tests too

mod address;
mod answers;
mod budget;
mod checks;
mod cli;
mod compare;
mod consolidate;
mod criteria;
mod dataset;
mod db;
mod diagnosis;
mod evidence;
mod files;
mod gate;
mod journal;
mod mutation;
mod one_db;
mod postgres_server;
mod proxy;
mod readme;
mod redact;
mod report;
mod scenario_file;
mod shared;
mod sqlite_targets;
mod target;
mod tidy;
mod token;
mod verdict;
mod zoo;
