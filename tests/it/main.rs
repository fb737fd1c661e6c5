//! Integration tests.

mod dataset;
mod db;
mod postgres_server;
