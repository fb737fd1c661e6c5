//! Databases: how to reach them, and everything they hold as plain data.
//!
//! Rows are compared as the server's own text (Postgres) or as bytes with their storage class (SQLite), never through
//! a host language's types.

mod columns;
pub mod copy_text;
pub mod dsn;
pub mod postgres;
pub mod sqlite;
mod state;

pub use columns::{column_digests, sqlite_column_digests};
pub use dsn::Dsn;
pub use state::{Volatile, postgres_state, query_digest};
