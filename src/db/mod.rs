//! Databases: how to reach them, and everything they hold as plain data.
//!
//! Rows are compared as the server's own text (Postgres) or as bytes with their storage class (SQLite), never through
//! a host language's types.
//!
//! ```text
//! dsn, postgres    addresses; the way to a server
//! state, catalog   everything that a Postgres database holds
//! sqlite           SQLite files, and everything that one holds, by SQLite
//! sqlite_file      the pages of one, read by us
//! sqlite_table     what SQLite says of a table
//! sqlite_plan      how a table and its indexes are read, and what that shows
//! sqlite_scan      one such reading, by SQLite or by us
//! sqlite_value     a value as bytes; sqlite_affinity: what a type makes of it
//! columns, shape   columns one by one; the shapes of tables
//! ```

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

pub use answer::{first_row, postgres_next_values, rows_by_key, sequence_oids, sequence_uses};
pub use columns::{column_digests, sqlite_column_digests};
pub use dsn::Dsn;
pub use shape::{ColumnShape, SQLITE_SCHEMA, TableShape, postgres_shapes, sqlite_shapes};
pub use state::{Volatile, postgres_definitions, postgres_state, query_digest};
pub(crate) use state::{copy_lines, postgres_state_inside};
