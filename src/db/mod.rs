//! Databases: how to reach them, and everything they hold as plain data.
//!
//! Rows are compared as the server's own text (Postgres) or as bytes with their storage class (SQLite), never through
//! a host language's types.

pub mod copy_text;
pub mod dsn;
pub mod postgres;
pub mod sqlite;
mod state;

pub use dsn::Dsn;
pub use state::{Volatile, postgres_state, query_digest};
