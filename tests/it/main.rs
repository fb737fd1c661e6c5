//! Integration tests.
#![allow(clippy::unwrap_used)] // helpers of tests too

mod dataset;
mod db;
mod one_db;
mod postgres_server;
