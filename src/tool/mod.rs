//! The reference migrators. They know nothing of the harness that watches them.

pub mod consolidate;
pub mod one_db;
mod whole;
