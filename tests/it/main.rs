//! Integration tests.

mod one_db;
