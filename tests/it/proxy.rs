//! The Postgres proxy, in front of a real server.
#![allow(clippy::unwrap_used)] // what the tests share panics as they do

mod breaking;
mod client;
mod counting;
mod epochs;
mod refusing;
mod server;
mod striking;
mod transparent;
