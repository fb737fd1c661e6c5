//! Integration tests.
#![allow(clippy::unwrap_used)] // helpers of tests too

mod dataset;
mod db;
mod evidence;
mod journal;
mod one_db;
mod postgres_server;
mod proxy;
mod readme;
mod redact;
mod report;
mod target;
