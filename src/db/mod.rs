//! Databases: how to reach them, and everything they hold as plain data.
//!
//! Rows are compared as the server's own text (Postgres) or as bytes with their storage class (SQLite), never through
//! a host language's types.

mod answer;
mod catalog;
mod columns;
pub mod copy_text;
pub mod dsn;
pub mod postgres;
mod shape;
pub mod sqlite;
pub(crate) mod sqlite_affinity;
pub(crate) mod sqlite_file;
pub(crate) mod sqlite_plan;
pub(crate) mod sqlite_scan;
mod sqlite_table;
pub mod sqlite_value;
mod state;

pub use answer::{first_row, rows_by_key, sequence_uses};
pub use columns::{column_digests, sqlite_column_digests};
pub use dsn::Dsn;
pub use shape::{ColumnShape, SQLITE_SCHEMA, TableShape, postgres_shapes, sqlite_shapes};
pub use state::{Volatile, postgres_definitions, postgres_next_values, postgres_state, query_digest};
pub(crate) use state::{copy_lines, postgres_state_inside};
