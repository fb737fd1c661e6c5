//! Integration tests.

mod db;
mod postgres_server;
mod target;
